//! TLS over a network in memory.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use grpc_runtime::{Channel, ChannelCredentials, Code, Method, ServerCredentials, UnaryCall};
use grpc_testing::{Network, Reply, Script, no_leftovers};

const GET: Method = Method::unary("/shop.Orders/Get");

fn channel(network: &Network, credentials: ChannelCredentials) -> Channel {
    let builder = Channel::builder("passthrough:///orders").unwrap();
    let builder = builder.connector(network.connector("client"));
    builder.build(credentials).unwrap()
}

fn get(channel: &Channel) -> UnaryCall<String> {
    UnaryCall::new(channel, GET, &()).timeout(Duration::from_secs(60))
}

#[tokio::test(start_paused = true)]
async fn a_server_proves_its_name_on_the_network() {
    let network = Network::new(7);
    let script = Script::new().on(GET.path(), Reply::message(&"a book".to_owned()));
    let own = rcgen::generate_simple_self_signed(["orders".to_owned()]).unwrap();
    let (chain, key) = (own.cert.pem(), own.signing_key.serialize_pem());
    let credentials = ServerCredentials::tls(chain.clone(), key).build().unwrap();
    let host = network.bind_with("orders", script.server(), credentials);
    let host = host.await.unwrap();
    let link = network.link("client", "orders");
    link.set_latency(Duration::from_millis(10));

    let trusting = ChannelCredentials::tls().roots(chain.clone());
    let trusting = channel(&network, trusting.build().unwrap());
    assert_eq!(get(&trusting).await.unwrap(), "a book");
    // Also when the connection is made again.
    link.cut();
    assert_eq!(get(&trusting).wait_for_ready().await.unwrap(), "a book");

    let mistaken = ChannelCredentials::tls().roots(chain).server_name("stock");
    let mistaken = channel(&network, mistaken.build().unwrap());
    let plain = channel(&network, ChannelCredentials::insecure());
    for channel in [&mistaken, &plain] {
        let failure = get(channel).await.unwrap_err();
        assert_eq!(failure.code(), Code::Unavailable, "{failure}");
    }
    assert_eq!(script.calls().len(), 2);
    drop((trusting, mistaken, plain, host));
    no_leftovers(&network, Duration::from_secs(60)).await;
}
