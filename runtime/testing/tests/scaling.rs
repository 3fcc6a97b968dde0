//! More than one connection to a server whose limit of streams is what calls wait for
//! (gRFC A105).

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod support;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use grpc_runtime::{
    Address, ByteStream, Channel, ChannelCredentials, Code, Connector, Http2Options, Method,
    PickFirst, RoundRobin, ServerBuilder, ServiceConfig, Status, UnaryCall,
};
use grpc_testing::{Link, NetworkConnector, Reply, Script, no_leftovers};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use self::support::Fleet;

const GET: Method = Method::unary("/shop.Orders/Get");

const SECOND: Duration = Duration::from_secs(1);

/// A server with room for two calls on a connection, each of which takes 10 s.
fn slow() -> Script {
    Script::new().on(
        GET.path(),
        Reply::message(&"a book".to_owned()).delay(10 * SECOND),
    )
}

fn config(connections: u32) -> ServiceConfig {
    let config = ServiceConfig::builder().balance(RoundRobin::new());
    config
        .max_connections_per_subchannel(connections)
        .build()
        .unwrap()
}

fn limited(server: ServerBuilder) -> ServerBuilder {
    let mut options = Http2Options::default();
    options.max_concurrent_streams = 2;
    server.http2(options)
}

async fn connect_with(server: ServerBuilder, config: ServiceConfig) -> (Fleet, Link, Channel) {
    let (fleet, builder) = Fleet::of([("a", limited(server))], config).await;
    let link = fleet.network.link("client", "a");
    let channel = builder.build(ChannelCredentials::insecure()).unwrap();
    (fleet, link, channel)
}

async fn connect(script: &Script, connections: u32) -> (Fleet, Link, Channel) {
    connect_with(script.server(), config(connections)).await
}

type Gets = Vec<JoinHandle<Result<String, Status>>>;

fn get(channel: &Channel, count: usize) -> Gets {
    let get = || UnaryCall::<String>::new(channel, GET, &"1".to_owned()).timeout(600 * SECOND);
    (0..count)
        .map(|_| tokio::spawn(get().into_future()))
        .collect()
}

async fn all_good(gets: Gets) {
    for get in gets {
        assert_eq!(get.await.unwrap().unwrap(), "a book");
    }
}

/// How many times 10 s they took.
async fn turns(gets: Gets) -> u64 {
    let began = Instant::now();
    all_good(gets).await;
    began.elapsed().as_secs() / 10
}

#[tokio::test(start_paused = true)]
async fn calls_above_the_limit_of_streams_have_further_connections() {
    let (fleet, link, channel) = connect(&slow(), 3).await;
    assert_eq!(turns(get(&channel, 1)).await, 1);
    assert_eq!(link.connections_made(), 1, "none before calls wait");
    assert_eq!(turns(get(&channel, 3)).await, 1);
    assert_eq!(link.connections_made(), 2);
    assert_eq!(turns(get(&channel, 6)).await, 1);
    assert_eq!(link.connections_made(), 3);
    assert_eq!(turns(get(&channel, 7)).await, 2, "and then they wait");
    sleep(600 * SECOND).await;
    assert_eq!(turns(get(&channel, 6)).await, 1);
    assert_eq!(link.connections_made(), 3, "those that there are stay");
    drop(channel);
    no_leftovers(&fleet.network, SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn there_is_one_connection_unless_a_config_permits_more() {
    let script = slow();
    let (_fleet, link, channel) = connect(&script, 1).await;
    assert_eq!(turns(get(&channel, 6)).await, 3);
    assert_eq!(link.connections_made(), 1);
}

#[tokio::test(start_paused = true)]
async fn pick_first_has_further_connections_too() {
    let config = ServiceConfig::builder().balance(PickFirst::new());
    let config = config.max_connections_per_subchannel(2).build().unwrap();
    let (_fleet, link, channel) = connect_with(slow().server(), config).await;
    assert_eq!(turns(get(&channel, 4)).await, 1);
    assert_eq!(link.connections_made(), 2);
}

#[tokio::test(start_paused = true)]
async fn how_many_there_may_be_can_change() {
    let (fleet, link, channel) = connect(&slow(), 1).await;
    assert_eq!(turns(get(&channel, 4)).await, 2);
    fleet.configs.send_replace(config(2));
    sleep(SECOND).await;
    assert_eq!(turns(get(&channel, 4)).await, 1);
    fleet.configs.send_replace(config(1));
    sleep(SECOND).await;
    assert_eq!(turns(get(&channel, 4)).await, 1, "what there is stays");
    assert_eq!(link.connections_made(), 2);
}

/// Also the one that was first, whose place the next one takes.
#[tokio::test(start_paused = true)]
async fn connections_that_their_server_ends_one_by_one_fail_no_call() {
    let server = slow().server().max_connection_age(25 * SECOND);
    let (fleet, link, channel) = connect_with(server, config(3)).await;
    let mut running = Vec::new();
    for _ in 0..200 {
        running.extend(get(&channel, 1));
        sleep(2 * SECOND).await;
    }
    all_good(running).await;
    let made = link.connections_made();
    assert!((20..=80).contains(&made), "{made}");
    drop(channel);
    no_leftovers(&fleet.network, SECOND).await;
}

/// Also where a connection takes its time.
#[tokio::test(start_paused = true)]
async fn calls_need_nothing_else_to_happen_for_a_further_connection() {
    let (_fleet, link, channel) = connect(&slow(), 2).await;
    link.set_latency(Duration::from_millis(10));
    assert_eq!(turns(get(&channel, 4)).await, 1);
    assert_eq!(link.connections_made(), 2);
}

/// All connections of a subchannel lead to one of its addresses.
#[tokio::test(start_paused = true)]
async fn pick_first_has_further_connections_to_the_same_server() {
    let (first, second) = (slow(), slow());
    let config = ServiceConfig::builder().balance(PickFirst::new());
    let config = config.max_connections_per_subchannel(2).build().unwrap();
    let servers = [
        ("a", limited(first.server())),
        ("b", limited(second.server())),
    ];
    let (fleet, builder) = Fleet::of(servers, config).await;
    let channel = builder.build(ChannelCredentials::insecure()).unwrap();
    let link = fleet.network.link("client", "a");
    link.refuse();
    assert_eq!(turns(get(&channel, 1)).await, 1);
    link.restore();
    assert_eq!(turns(get(&channel, 4)).await, 1);
    assert_eq!((first.calls().len(), second.calls().len()), (0, 5));
}

/// Counts how often a connection is asked for.
struct Counts(NetworkConnector, Arc<AtomicUsize>);

impl Connector for Counts {
    async fn connect(&self, address: &Address) -> io::Result<ByteStream> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.connect(address).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_further_connection_that_cannot_be_made_costs_no_call() {
    let (fleet, builder) = Fleet::of([("a", limited(slow().server()))], config(3)).await;
    let link = fleet.network.link("client", "a");
    let dialled = Arc::new(AtomicUsize::new(0));
    let connector = Counts(fleet.network.connector("client"), Arc::clone(&dialled));
    let builder = builder.connector(connector);
    let channel = builder.build(ChannelCredentials::insecure()).unwrap();
    assert_eq!(turns(get(&channel, 1)).await, 1);
    link.refuse();
    assert_eq!(turns(get(&channel, 6)).await, 3);
    // At 0, 1, 2.6, 5.2, 9.3 and 16 s, a fifth sooner or later.
    let dialled = dialled.load(Ordering::Relaxed);
    assert!((6..=9).contains(&dialled), "{dialled}");
    link.restore();
    // The last wait was 3 s at most.
    assert!(turns(get(&channel, 6)).await <= 2);
    assert!(link.connections_made() > 1);
}

/// The waits grow too where there is another connection already.
#[tokio::test(start_paused = true)]
async fn a_third_connection_that_cannot_be_made_is_tried_ever_more_rarely() {
    let hang = Script::new().on(GET.path(), Reply::hang());
    let (fleet, builder) = Fleet::of([("a", limited(hang.server()))], config(3)).await;
    let link = fleet.network.link("client", "a");
    let dialled = Arc::new(AtomicUsize::new(0));
    let connector = Counts(fleet.network.connector("client"), Arc::clone(&dialled));
    let builder = builder.connector(connector);
    let channel = builder.build(ChannelCredentials::insecure()).unwrap();
    let gets = get(&channel, 4);
    sleep(SECOND).await;
    assert_eq!(link.connections(), 2);
    link.refuse();
    let more = get(&channel, 2);
    sleep(300 * SECOND).await;
    let dialled = dialled.load(Ordering::Relaxed);
    // 1 s, 1.6 s, 2.6 s and so on to 120 s, after the two that there are.
    assert!((10..=14).contains(&dialled), "{dialled}");
    drop((gets, more));
}

/// One restart of a server is forgiven, however many connections it had.
#[tokio::test(start_paused = true)]
async fn connections_that_are_lost_together_are_one_loss() {
    let (_fleet, link, channel) = connect(&slow(), 3).await;
    let gets = get(&channel, 6);
    sleep(SECOND / 2).await;
    assert_eq!(link.connections(), 3);
    link.cut();
    for get in gets {
        assert_eq!(get.await.unwrap().unwrap_err().code(), Code::Unavailable);
    }
    let began = Instant::now();
    all_good(get(&channel, 1)).await;
    assert!(began.elapsed() < 11 * SECOND, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn all_are_lost_together_and_what_waited_goes_elsewhere() {
    let (_fleet, link, channel) = connect(&slow(), 2).await;
    let gets = get(&channel, 6);
    sleep(5 * SECOND).await;
    assert_eq!(link.connections(), 2);
    link.cut();
    let mut codes = Vec::new();
    for get in gets {
        codes.push(get.await.unwrap().map_or_else(|it| it.code(), |_| Code::Ok));
    }
    let ok = codes.iter().filter(|code| **code == Code::Ok).count();
    assert_eq!(ok, 2, "{codes:?}");
    assert!(
        codes
            .iter()
            .all(|code| matches!(code, Code::Ok | Code::Unavailable))
    );
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_is_closed_ends_all_of_them() {
    let (fleet, link, channel) = connect(&slow(), 3).await;
    let gets = get(&channel, 8);
    sleep(5 * SECOND).await;
    assert_eq!(link.connections(), 3);
    channel.close();
    for get in gets {
        assert_eq!(get.await.unwrap().unwrap_err().code(), Code::Cancelled);
    }
    no_leftovers(&fleet.network, SECOND).await;
}

/// Whoever holds no channel any more has its calls nevertheless.
#[tokio::test(start_paused = true)]
async fn a_channel_that_nobody_holds_ends_once_its_calls_have() {
    let (fleet, _link, channel) = connect(&slow(), 2).await;
    let gets = get(&channel, 5);
    sleep(SECOND).await;
    drop(channel);
    assert_eq!(turns(gets).await, 1, "19 s of it");
    no_leftovers(&fleet.network, SECOND).await;
}

/// And those that have no call end at once, however long another's call takes.
#[tokio::test(start_paused = true)]
async fn connections_without_calls_end_with_the_channel() {
    let long = Reply::message(&"a book".to_owned()).delay(100 * SECOND);
    let short = Reply::message(&"a book".to_owned()).delay(10 * SECOND);
    let script = Script::new().on(GET.path(), long).on(GET.path(), short);
    let (fleet, link, channel) = connect(&script, 3).await;
    let gets = get(&channel, 5);
    sleep(SECOND).await;
    assert_eq!(link.connections(), 3);
    drop(channel);
    sleep(15 * SECOND).await;
    assert_eq!(link.connections(), 1);
    assert_eq!(turns(gets).await, 8, "the rest of 100 s");
    no_leftovers(&fleet.network, SECOND).await;
}

/// Be it that a further connection took the last call that waited.
#[tokio::test(start_paused = true)]
async fn a_channel_ends_whoever_took_its_last_call() {
    let reply = |seconds: u32| Reply::message(&"a book".to_owned()).delay(seconds * SECOND);
    let script = [100, 100, 10, 10, 10]
        .into_iter()
        .fold(Script::new(), |script, seconds| {
            script.on(GET.path(), reply(seconds))
        });
    let (fleet, _link, channel) = connect(&script, 2).await;
    let gets = get(&channel, 5);
    sleep(SECOND).await;
    drop(channel);
    all_good(gets).await;
    no_leftovers(&fleet.network, SECOND).await;
}

/// What is known of the server stays so: it serves all the time.
#[tokio::test(start_paused = true)]
async fn health_outlives_the_connection_that_asked_for_it() {
    let watch = "/grpc.health.v1.Health/Watch";
    let script = Script::new()
        .on(GET.path(), Reply::message(&"a book".to_owned()).delay(2 * SECOND))
        // The second time it takes an hour to say so.
        .on(watch, Reply::bytes(vec![8, 1]).then_hang())
        .on(watch, Reply::bytes(vec![8, 1]).delay(3_600 * SECOND).then_hang());
    let server = limited(script.server()).max_connection_age(60 * SECOND);
    let config = ServiceConfig::builder()
        .balance(RoundRobin::new())
        .max_connections_per_subchannel(3)
        .health_check_service("shop")
        .build();
    let (fleet, builder) = Fleet::of([("a", server)], config.unwrap()).await;
    let channel = builder.build(ChannelCredentials::insecure()).unwrap();
    // One of two streams is the watch's.
    let mut running = Vec::new();
    for _ in 0..40 {
        running.extend(get(&channel, 1));
        sleep(SECOND).await;
    }
    let began = Instant::now();
    all_good(running).await;
    assert!(began.elapsed() < 10 * SECOND);
    // The first connection comes to its age, and another one is the first.
    let mut running = Vec::new();
    for _ in 0..40 {
        running.extend(get(&channel, 2));
        sleep(SECOND).await;
    }
    let began = Instant::now();
    all_good(running).await;
    assert!(began.elapsed() < 10 * SECOND, "{:?}", began.elapsed());
    assert!(script.calls_to(watch).len() > 1);
    drop(fleet);
}
