//! A network and its links, as channels and servers on it see them.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::io;
use std::time::Duration;

use grpc_runtime::{
    Channel, ChannelCredentials, Code, Method, ServerStreamingCall, Status, UnaryCall,
};
use grpc_testing::{Host, Leftovers, Link, Network, Reply, Script, no_leftovers};
use tokio::time::Instant;

const GET: Method = Method::unary("/shop.Orders/Get");
const LIST: Method = Method::server_streaming("/shop.Orders/List");

const SECOND: Duration = Duration::from_secs(1);

/// A client and a server with a link between them.
struct World {
    network: Network,
    script: Script,
    link: Link,
    host: Host,
    channel: Channel,
}

fn channel(network: &Network, target: &str) -> Channel {
    let builder = Channel::builder(target).unwrap();
    let builder = builder.connector(network.connector("client"));
    builder.build(ChannelCredentials::insecure()).unwrap()
}

async fn world(seed: u64) -> World {
    let network = Network::new(seed);
    let script = Script::new()
        .on(GET.path(), Reply::message(&"a book".to_owned()))
        .on(LIST.path(), Reply::message(&"one".to_owned()).then_hang());
    let host = network.bind("orders", script.server()).await.unwrap();
    World {
        link: network.link("client", "orders"),
        channel: channel(&network, "passthrough:///orders"),
        network,
        script,
        host,
    }
}

/// A call that no mistake can make endless.
fn get(channel: &Channel) -> UnaryCall<String> {
    UnaryCall::new(channel, GET, &()).timeout(SECOND * 600)
}

impl World {
    async fn get(&self) -> Result<String, Status> {
        get(&self.channel).timeout(SECOND * 10).await
    }

    /// How long a call takes.
    async fn time(&self) -> Duration {
        let began = Instant::now();
        self.get().await.unwrap();
        began.elapsed()
    }
}

#[tokio::test(start_paused = true)]
async fn names_lead_to_servers_and_handlers_see_the_clients_name() {
    let world = world(7).await;
    let script = Script::new().on(GET.path(), Reply::message(&"a shelf".to_owned()));
    let stock = world.network.bind("stock", script.server()).await.unwrap();
    let other = channel(&world.network, "passthrough:///stock");
    let shelf = get(&other);
    assert_eq!(shelf.await.unwrap(), "a shelf");
    assert_eq!(world.get().await.unwrap(), "a book");
    assert_eq!(world.script.calls()[0].peer().to_string(), "client");
    assert_eq!(stock.name(), "stock");
    assert_eq!(world.link.connections(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_nobody_has_refuses() {
    let network = Network::new(7);
    let channel = channel(&network, "passthrough:///nowhere");
    let failure = get(&channel).await.unwrap_err();
    assert_eq!(failure.code(), Code::Unavailable);
    assert!(
        failure.message().contains("'nowhere'"),
        "{}",
        failure.message()
    );
}

#[tokio::test(start_paused = true)]
async fn latency_is_paid_each_way_and_twice_for_a_connection() {
    let world = world(7).await;
    world.link.set_latency(SECOND);
    assert!(world.time().await >= SECOND * 4);
    // The request and its answer; timers of tokio round up to a millisecond.
    let took = world.time().await;
    assert!(
        took >= SECOND * 2 && took < SECOND * 2 + SECOND / 50,
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn no_latency_is_too_long_to_wait_for() {
    let world = world(7).await;
    world.get().await.unwrap();
    world.link.set_latency(Duration::MAX);
    world.link.set_jitter(Duration::MAX);
    let failure = world.get().await.unwrap_err();
    assert_eq!(failure.code(), Code::DeadlineExceeded);
}

#[tokio::test(start_paused = true)]
async fn a_seed_settles_the_jitter() {
    async fn times(seed: u64) -> Vec<Duration> {
        let world = world(seed).await;
        world.link.set_jitter(SECOND);
        let mut times = Vec::new();
        for _ in 0..20 {
            times.push(world.time().await);
        }
        times
    }
    let (once, again, other) = (times(7).await, times(7).await, times(8).await);
    assert_eq!(once, again);
    assert_ne!(once, other);
    assert!(once.iter().all(|took| *took < SECOND * 4), "{once:?}");
    assert!(once.iter().any(|took| *took != once[0]), "{once:?}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_cut_fails_its_calls_and_another_is_made() {
    let world = world(7).await;
    let call = ServerStreamingCall::<String>::new(&world.channel, LIST, &());
    let mut replies = call.timeout(SECOND * 600).start();
    assert_eq!(replies.next().await.unwrap().as_deref(), Some("one"));
    world.link.cut();
    assert_eq!(replies.next().await.unwrap_err().code(), Code::Unavailable);
    let call = get(&world.channel).wait_for_ready();
    assert_eq!(call.await.unwrap(), "a book");
    assert_eq!(world.link.connections_made(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_link_is_cut_within_a_message() {
    let world = world(7).await;
    world.get().await.unwrap();
    // Behind the call's head and within the answer's.
    world.link.cut_after(60);
    let failure = world.get().await.unwrap_err();
    assert_eq!(failure.code(), Code::Unavailable);
    // Once, and not again.
    let call = get(&world.channel).wait_for_ready();
    assert_eq!(call.await.unwrap(), "a book");
    assert_eq!(world.get().await.unwrap(), "a book");
}

#[tokio::test(start_paused = true)]
async fn a_cut_to_come_is_taken_back() {
    let world = world(7).await;
    world.get().await.unwrap();
    world.link.cut_after(60);
    world.link.restore();
    for _ in 0..10 {
        assert_eq!(world.get().await.unwrap(), "a book");
    }
    assert_eq!(world.link.connections_made(), 1);
    world.link.cut_after(0);
    tokio::time::sleep(SECOND).await;
    assert_eq!(world.link.connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_large_message_passes_and_one_that_is_cut_in_its_middle_does_not() {
    let network = Network::new(7);
    let large = "x".repeat(2 << 20);
    let script = Script::new().on(GET.path(), Reply::message(&large));
    let host = network.bind("orders", script.server()).await.unwrap();
    let channel = channel(&network, "passthrough:///orders");
    let get = || get(&channel).response();
    assert!(get().await.unwrap().message == large);
    network.link("client", "orders").cut_after(1 << 20);
    assert_eq!(get().await.unwrap_err().code(), Code::Unavailable);
    drop(host);
}

#[tokio::test(start_paused = true)]
async fn a_link_that_is_down_says_nothing_and_its_connection_stays_silent() {
    let world = world(7).await;
    world.get().await.unwrap();
    world.link.down();
    let began = Instant::now();
    let failure = world.get().await.unwrap_err();
    assert_eq!(failure.code(), Code::DeadlineExceeded);
    assert_eq!(began.elapsed().as_secs(), 10);
    assert_eq!(world.script.calls().len(), 1);

    world.link.restore();
    assert_eq!(
        world.get().await.unwrap_err().code(),
        Code::DeadlineExceeded
    );
    // The server does not hear of its end either.
    drop(world.channel);
    tokio::time::sleep(SECOND).await;
    let left = world.network.leftovers();
    assert_eq!(left, ["connection 1 from client to orders, open at orders"]);
    // A new connection is none the worse for it.
    let other = channel(&world.network, "passthrough:///orders");
    let call = get(&other);
    assert_eq!(call.await.unwrap(), "a book");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_rested_outlives_a_link_that_was_down() {
    let world = world(7).await;
    world.get().await.unwrap();
    tokio::time::sleep(SECOND).await;
    world.link.down();
    tokio::time::sleep(SECOND * 3600).await;
    world.link.restore();
    assert_eq!(world.get().await.unwrap(), "a book");
    assert_eq!(world.link.connections_made(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_link_that_holds_gives_it_all_back() {
    let world = world(7).await;
    world.get().await.unwrap();
    world.link.hold();
    let call = get(&world.channel).response();
    let call = tokio::spawn(call);
    tokio::time::sleep(SECOND * 60).await;
    assert_eq!(world.script.calls().len(), 1);
    world.link.restore();
    assert_eq!(call.await.unwrap().unwrap().message, "a book");
    assert_eq!(world.link.connections_made(), 1);
}

#[tokio::test(start_paused = true)]
async fn connections_wait_for_a_link_that_is_down_and_are_refused_by_one_that_refuses() {
    let world = world(7).await;
    world.link.refuse();
    let began = Instant::now();
    let failure = world.get().await.unwrap_err();
    assert_eq!(failure.code(), Code::Unavailable);
    assert!(began.elapsed() < SECOND);
    let source = std::error::Error::source(&failure);
    assert!(source.is_some(), "{failure:?}");

    let world = self::world(7).await;
    world.link.down();
    let failure = world.get().await.unwrap_err();
    assert_eq!(failure.code(), Code::DeadlineExceeded);
    world.link.restore();
    let call = get(&world.channel).wait_for_ready();
    assert_eq!(call.await.unwrap(), "a book");
}

#[tokio::test(start_paused = true)]
async fn refusing_leaves_open_connections_alone() {
    let world = world(7).await;
    world.get().await.unwrap();
    world.link.refuse();
    assert_eq!(world.get().await.unwrap(), "a book");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_dropped_is_gone_until_its_name_is_bound_again() {
    let World {
        network,
        script,
        host,
        channel,
        link,
    } = world(7).await;
    let get = || get(&channel);
    get().await.unwrap();
    drop(host);
    let failure = get().await.unwrap_err();
    assert_eq!(failure.code(), Code::Unavailable);
    let host = network.bind("orders", script.server()).await.unwrap();
    assert_eq!(get().wait_for_ready().await.unwrap(), "a book");
    assert_eq!(link.connections(), 1);
    let report = host.shutdown(SECOND).await;
    assert_eq!((report.calls_cut, report.connections_cut), (0, 0));
    drop(channel);
    no_leftovers(&network, SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn the_successor_of_a_name_is_not_unbound_with_its_predecessor() {
    let World {
        network,
        script,
        host,
        channel,
        ..
    } = world(7).await;
    let successor = network.bind("orders", script.server()).await.unwrap();
    drop(host);
    let call = get(&channel);
    assert_eq!(call.await.unwrap(), "a book");
    drop(successor);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_an_error_of_the_system_to_who_asks() {
    let network = Network::new(7);
    let channel = channel(&network, "passthrough:///nowhere");
    let failure = get(&channel).await.unwrap_err();
    let mut source = std::error::Error::source(&failure);
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
            return;
        }
        source = error.source();
    }
    panic!("no source is an error of the system: {failure:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_of_several_threads_end_while_their_link_breaks_again_and_again() {
    let world = world(7).await;
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let channel = world.channel.clone();
            tokio::spawn(async move {
                let mut answers = 0;
                for _ in 0..200 {
                    match get(&channel).wait_for_ready().await {
                        Ok(_) => answers += 1,
                        Err(status) => assert_eq!(status.code(), Code::Unavailable),
                    }
                }
                answers
            })
        })
        .collect();
    for _ in 0..5 {
        tokio::time::sleep(SECOND / 100).await;
        world.link.cut();
    }
    for caller in callers {
        assert!(caller.await.unwrap() > 0);
    }
    drop(world.channel);
    no_leftovers(&world.network, SECOND * 20).await;
}
