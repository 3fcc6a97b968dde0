//! Whether what is left is found, named, and waited for.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::future::Future;
use std::time::Duration;

use grpc_runtime::{Channel, ChannelCredentials, Method, ServerStreamingCall};
use grpc_testing::{CallWatch, Host, Leftovers, Network, Reply, Script, no_leftovers};
use tokio::time::Instant;

const WATCH: Method = Method::server_streaming("/shop.Orders/Watch");
const SECOND: Duration = Duration::from_secs(1);

async fn shop() -> (Network, Host, Script, Channel) {
    let network = Network::new(7);
    let script = Script::new().on(WATCH.path(), Reply::hang());
    let host = network.bind("orders", script.server()).await.unwrap();
    let channel = Channel::builder("passthrough:///orders").unwrap();
    let channel = channel.connector(network.connector("client"));
    let channel = channel.build(ChannelCredentials::insecure()).unwrap();
    (network, host, script, channel)
}

/// What an assertion says when it fails.
async fn failure(assertion: impl Future<Output = ()> + Send + 'static) -> String {
    let panic = tokio::spawn(assertion).await.unwrap_err().into_panic();
    *panic.downcast::<String>().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_call_and_its_connection_are_named_until_they_have_ended() {
    let (network, host, script, channel) = shop().await;
    no_leftovers(&network, SECOND).await;
    let replies = ServerStreamingCall::<String>::new(&channel, WATCH, &()).start();
    script.received(1).await;
    let watched = network.clone();
    let text = failure(async move { no_leftovers(&watched, SECOND * 2).await }).await;
    for part in [
        "left over after 2s",
        "leftovers.rs",
        "at orders: call /shop.Orders/Watch from client, for 2",
        "connection 1 from client to orders, open at client and orders",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }

    drop(replies);
    no_leftovers(&script, SECOND).await;
    // The channel keeps its connection.
    assert_eq!(network.leftovers().len(), 1);
    drop(channel);
    no_leftovers(&network, SECOND).await;
    drop(host);
}

#[tokio::test(start_paused = true)]
async fn what_ends_in_time_is_waited_for_and_no_longer() {
    let (_network, _host, script, channel) = shop().await;
    let call = ServerStreamingCall::<String>::new(&channel, WATCH, &());
    let mut replies = call.timeout(SECOND * 5).start();
    let reader = tokio::spawn(async move { replies.next().await.is_err() });
    script.received(1).await;
    let began = Instant::now();
    no_leftovers(&script, SECOND * 60).await;
    let took = began.elapsed();
    assert!(took > SECOND * 4 && took < SECOND * 6, "{took:?}");
    assert!(reader.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_server_behind_a_silent_link_keeps_what_it_was_not_told_of() {
    let (network, host, script, channel) = shop().await;
    let replies = ServerStreamingCall::<String>::new(&channel, WATCH, &()).start();
    script.received(1).await;
    network.link("client", "orders").down();
    drop((replies, channel));
    tokio::time::sleep(SECOND * 60).await;
    let left = network.leftovers();
    assert_eq!(left.len(), 2, "{left:?}");
    assert_eq!(
        left[1],
        "connection 1 from client to orders, open at orders"
    );
    // A server that is gone leaves nothing.
    drop(host);
    no_leftovers(&network, SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn any_server_can_be_watched() {
    let watch = CallWatch::default();
    let script = Script::new().on(WATCH.path(), Reply::hang());
    let channel = Channel::in_process(script.server().interceptor(watch.clone())).unwrap();
    let replies = ServerStreamingCall::<String>::new(&channel, WATCH, &()).start();
    script.received(1).await;
    let left = watch.leftovers();
    assert_eq!((left.len(), watch.running(), watch.most()), (1, 1, 1));
    assert!(
        left[0].starts_with("call /shop.Orders/Watch from in-process"),
        "{left:?}"
    );
    drop(replies);
    no_leftovers(&watch, SECOND).await;
    assert_eq!((watch.running(), watch.most()), (0, 1));
}
