//! Calls that are attempted beside themselves, as gRFC A6 has it, against scripted servers.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use grpc_runtime::{
    Address, Channel, ChannelCredentials, ClientStreamingCall, Code, EndedCall, Endpoint,
    HedgingPolicy, Metadata, Method, MethodConfig, OutgoingCall, Resolution, Resolver,
    RetryThrottling, RoundRobin, ServerStreamingCall, ServiceConfig, Status, Target, UnaryCall,
    Updates,
};
use grpc_testing::{Host, Link, Network, RecordedCall, Reply, Script, no_leftovers};
use tokio::time::Instant;

const GET: Method = Method::unary("/shop.Orders/Get");
const LIST: Method = Method::server_streaming("/shop.Orders/List");
const IMPORT: Method = Method::client_streaming("/shop.Orders/Import");

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn text(text: &str) -> String {
    text.to_owned()
}

fn book() -> Reply {
    Reply::message(&text("a book"))
}

fn busy() -> Reply {
    Reply::status(Status::unavailable("busy"))
}

fn pushback(milliseconds: &str) -> Reply {
    let trailing = Metadata::from_pairs([("grpc-retry-pushback-ms", milliseconds)]).unwrap();
    Reply::status(Status::unavailable("busy").with_metadata(trailing))
}

fn policy(attempts: u32) -> HedgingPolicy {
    HedgingPolicy::new(100 * MS)
        .max_attempts(attempts)
        .non_fatal_codes([Code::Unavailable])
}

/// A server, and what its clients reach it by.
struct World {
    network: Network,
    link: Link,
    _host: Host,
}

async fn connect_with(script: &Script, config: ServiceConfig) -> (World, Channel) {
    let network = Network::new(7);
    let host = network.bind("shop", script.server()).await.unwrap();
    let channel = Channel::builder("passthrough:///shop")
        .unwrap()
        .connector(network.connector("client"))
        .service_config(config)
        .build(ChannelCredentials::insecure())
        .unwrap();
    let world = World {
        link: network.link("client", "shop"),
        network,
        _host: host,
    };
    (world, channel)
}

async fn connect(script: &Script, policy: HedgingPolicy) -> (World, Channel) {
    let all = MethodConfig::new().hedging(policy);
    connect_with(script, ServiceConfig::builder().all(all).build().unwrap()).await
}

fn get(channel: &Channel) -> UnaryCall<String> {
    UnaryCall::new(channel, GET, &text("1")).timeout(60 * SECOND)
}

/// What the calls ended with, as their servers saw it.
async fn codes(script: &Script) -> Vec<Option<Code>> {
    // Those that are cancelled hear of it a moment later.
    tokio::time::sleep(SECOND).await;
    script.calls().iter().map(RecordedCall::code).collect()
}

#[tokio::test(start_paused = true)]
async fn a_hang_costs_the_delay_and_the_loser_is_cancelled() {
    let script = Script::new()
        .on(GET.path(), Reply::hang())
        .on(GET.path(), book());
    let (_world, channel) = connect(&script, policy(3)).await;
    let began = Instant::now();
    assert_eq!(get(&channel).await.unwrap(), "a book");
    let took = began.elapsed();
    assert!((100 * MS..=110 * MS).contains(&took), "{took:?}");
    assert_eq!(
        codes(&script).await,
        [Some(Code::Cancelled), Some(Code::Ok)]
    );
    let said = script.calls()[1]
        .metadata()
        .get("grpc-previous-rpc-attempts")
        .map(str::to_owned);
    assert_eq!(said.as_deref(), Some("1"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_within_the_delay_has_no_hedge() {
    let script = Script::new().on(GET.path(), book().delay(90 * MS));
    let (world, channel) = connect(&script, policy(3)).await;
    for _ in 0..20 {
        assert_eq!(get(&channel).await.unwrap(), "a book");
    }
    tokio::time::sleep(SECOND).await;
    assert_eq!(script.calls().len(), 20);
    drop(channel);
    no_leftovers(&world.network, SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn delay_0_begins_all_at_once() {
    let script = Script::new()
        .on(GET.path(), Reply::hang())
        .on(GET.path(), Reply::hang())
        .on(GET.path(), book().delay(MS));
    let (_world, channel) =
        connect(&script, HedgingPolicy::new(Duration::ZERO).max_attempts(3)).await;
    let began = Instant::now();
    assert_eq!(get(&channel).await.unwrap(), "a book");
    assert!(began.elapsed() < 20 * MS);
    let ended = [Some(Code::Cancelled), Some(Code::Cancelled), Some(Code::Ok)];
    assert_eq!(codes(&script).await, ended);
}

#[tokio::test(start_paused = true)]
async fn headers_end_the_rest() {
    let slow = Reply::message(&text("one"))
        .then_delay(SECOND)
        .then_message(&text("two"));
    let script = Script::new()
        .on(LIST.path(), Reply::hang())
        .on(LIST.path(), slow);
    let (_world, channel) = connect(&script, policy(4)).await;
    let list = ServerStreamingCall::<String>::new(&channel, LIST, &text("all"));
    let mut stream = list.start();
    assert_eq!(stream.next().await.unwrap().unwrap(), "one");
    tokio::time::sleep(500 * MS).await;
    assert_eq!(script.calls().len(), 2, "no third one after the commit");
    assert_eq!(script.calls()[0].code(), Some(Code::Cancelled));
    assert_eq!(stream.next().await.unwrap().unwrap(), "two");
    assert!(stream.next().await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_fatal_code_ends_the_call_and_cancels_the_rest() {
    let fatal = Reply::status(Status::internal("broken"));
    let script = Script::new()
        .on(GET.path(), Reply::hang())
        .on(GET.path(), fatal);
    let (_world, channel) = connect(&script, policy(4)).await;
    let failure = get(&channel).await.unwrap_err();
    assert_eq!(failure.code(), Code::Internal);
    assert_eq!(
        codes(&script).await,
        [Some(Code::Cancelled), Some(Code::Internal)]
    );
}

#[tokio::test(start_paused = true)]
async fn a_non_fatal_code_begins_the_next_now_and_the_last_one_is_the_calls() {
    let script = Script::new().on(GET.path(), busy());
    let (_world, channel) = connect(&script, policy(3)).await;
    let began = Instant::now();
    let failure = get(&channel).await.unwrap_err();
    assert_eq!(failure.code(), Code::Unavailable);
    assert_eq!(failure.attempts().len(), 3, "{failure}");
    assert!(began.elapsed() < 20 * MS, "{:?}", began.elapsed());
    assert_eq!(codes(&script).await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn pushback_puts_the_next_off_or_ends_it() {
    let script = Script::new()
        .on(GET.path(), pushback("2000"))
        .on(GET.path(), Reply::hang())
        .on(GET.path(), pushback("-1"));
    let (_world, channel) = connect(&script, policy(4)).await;
    let began = Instant::now();
    let call = tokio::spawn(get(&channel).timeout(10 * SECOND).response());
    script.received(2).await;
    let second = began.elapsed();
    assert!(
        (2 * SECOND..2 * SECOND + 50 * MS).contains(&second),
        "{second:?}"
    );
    script.received(3).await;
    let third = began.elapsed();
    assert!((2_100 * MS..2_150 * MS).contains(&third), "{third:?}");
    // The second goes on, and is the last.
    let failure = call.await.unwrap().unwrap_err();
    assert_eq!(failure.code(), Code::DeadlineExceeded);
    assert_eq!(script.calls().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn throttled_by_other_calls() {
    let script = Script::new()
        .on(GET.path(), busy())
        .on(GET.path(), book().delay(SECOND));
    let config = ServiceConfig::builder()
        .all(MethodConfig::new().hedging(policy(2)))
        .retry_throttling(RetryThrottling::new(2.0, 0.1))
        .build()
        .unwrap();
    let (_world, channel) = connect_with(&script, config).await;
    // It takes a token, and what is left is too few.
    assert_eq!(get(&channel).await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(get(&channel).await.unwrap(), "a book");
    assert_eq!(script.calls().len(), 2);
}

/// What others spend meanwhile is missing when the next attempt is due, and the call ends
/// as its last attempt did.
#[tokio::test(start_paused = true)]
async fn throttled_while_the_next_is_put_off() {
    let script = Script::new()
        .on(GET.path(), pushback("2000"))
        .on(GET.path(), Reply::status(Status::unavailable("other")));
    let config = ServiceConfig::builder()
        .all(MethodConfig::new().hedging(policy(3)))
        .retry_throttling(RetryThrottling::new(4.0, 0.1))
        .build()
        .unwrap();
    let (_world, channel) = connect_with(&script, config).await;
    let began = Instant::now();
    let call = tokio::spawn(get(&channel).response());
    script.received(1).await;
    tokio::time::sleep(MS).await;
    assert_eq!(get(&channel).await.unwrap_err().message(), "other");
    let failure = call.await.unwrap().unwrap_err();
    assert_eq!(failure.message(), "busy");
    assert!(failure.attempts().is_empty(), "{failure}");
    let took = began.elapsed();
    assert!(
        (2 * SECOND..2 * SECOND + 50 * MS).contains(&took),
        "{took:?}"
    );
    assert_eq!(script.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn cancel_stops_all() {
    let script = Script::new().on(GET.path(), Reply::hang());
    let (world, channel) = connect(&script, policy(3)).await;
    let call = tokio::spawn(get(&channel).response());
    script.received(2).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    assert_eq!(
        codes(&script).await,
        [Some(Code::Cancelled), Some(Code::Cancelled)]
    );
    drop(channel);
    no_leftovers(&world.network, SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_all() {
    let script = Script::new().on(GET.path(), Reply::hang());
    let (_world, channel) = connect(&script, policy(3)).await;
    let began = Instant::now();
    let failure = get(&channel).timeout(SECOND).await.unwrap_err();
    assert_eq!(failure.code(), Code::DeadlineExceeded);
    assert!(began.elapsed() < SECOND + 20 * MS);
    assert_eq!(script.calls().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_streams_goes_to_all_and_on_to_the_winner() {
    let script = Script::new().on(IMPORT.path(), Reply::hang()).on(
        IMPORT.path(),
        Reply::message(&text("early")).after_requests(3),
    );
    let (_world, channel) = connect(&script, policy(2)).await;
    let mut upload = ClientStreamingCall::<String, String>::new(&channel, IMPORT).start();
    upload.send(text("0")).await.unwrap();
    script.received(2).await;
    upload.send(text("1")).await.unwrap();
    tokio::time::sleep(10 * MS).await;
    let seen = |call: usize| script.calls()[call].requests::<String>().unwrap();
    assert_eq!(
        (seen(0), seen(1)),
        (vec![text("0"), text("1")], vec![text("0"), text("1")])
    );
    upload.send(text("2")).await.unwrap();
    assert_eq!(upload.finish().await.unwrap(), "early");
    assert_eq!(seen(1), ["0", "1", "2"]);
}

#[tokio::test(start_paused = true)]
async fn overflow_commits_to_the_one_that_is_furthest_on() {
    let script = Script::new().on(
        IMPORT.path(),
        Reply::message(&text("done")).after_requests(6),
    );
    let (_world, channel) = connect(&script, policy(2)).await;
    let mut upload = ClientStreamingCall::<String, String>::new(&channel, IMPORT).start();
    upload.send(text("0")).await.unwrap();
    script.received(2).await;
    for _ in 0..5 {
        upload.send("x".repeat(100 << 10)).await.unwrap();
    }
    assert_eq!(upload.finish().await.unwrap(), "done");
    let ended = codes(&script).await;
    let ok = ended.iter().filter(|code| **code == Some(Code::Ok)).count();
    assert_eq!((ok, ended.len()), (1, 2), "{ended:?}");
    assert!(ended.contains(&Some(Code::Cancelled)), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_lost_takes_all_its_attempts_and_others_follow() {
    let script = Script::new()
        .on(GET.path(), Reply::hang())
        .on(GET.path(), Reply::hang())
        .on(GET.path(), book());
    let (world, channel) = connect(&script, policy(4)).await;
    let call = tokio::spawn(get(&channel).response());
    script.received(2).await;
    world.link.cut();
    assert_eq!(call.await.unwrap().unwrap().message, "a book");
}

/// Else a third of the hedges would hang as well, and end on their deadline.
#[tokio::test(start_paused = true)]
async fn a_hedge_goes_to_another_server_than_the_attempts_before_it() {
    let network = Network::new(7);
    let (hangs, good) = (
        Script::new().on(GET.path(), Reply::hang()),
        Script::new().on(GET.path(), book()),
    );
    let _a = network.bind("a", hangs.server()).await.unwrap();
    let _b = network.bind("b", good.server()).await.unwrap();
    let all = MethodConfig::new().hedging(policy(2));
    let config = ServiceConfig::builder().balance(RoundRobin::new());
    let channel = Channel::builder("both:///shop")
        .unwrap()
        .resolver(Both)
        .connector(network.connector("client"))
        .service_config(config.all(all).build().unwrap())
        .build(ChannelCredentials::insecure())
        .unwrap();
    channel.connect().unwrap();
    tokio::time::sleep(SECOND).await;
    let before = hangs.calls().len();
    for _ in 0..20 {
        let calls = (0..10).map(|_| tokio::spawn(get(&channel).into_future()));
        let began = Instant::now();
        for call in calls.collect::<Vec<_>>() {
            assert_eq!(call.await.unwrap().unwrap(), "a book");
        }
        let took = began.elapsed();
        assert!(took <= 110 * MS, "{took:?}");
    }
    assert!(hangs.calls().len() > before + 10, "they begin there too");
}

/// The servers `a` and `b`.
struct Both;

impl Resolver for Both {
    fn scheme(&self) -> &'static str {
        "both"
    }

    async fn resolve(&self, _: &Target, mut updates: Updates) {
        let both = ["a", "b"].map(|name| Endpoint::new(Address::Other(name.into())));
        let _ = updates.send(Resolution::new(both)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn interceptors_hear_of_the_server_that_answered() {
    let network = Network::new(7);
    for reply in [book(), Reply::status(Status::not_found("no such book"))] {
        let script = || Script::new().on(GET.path(), reply.clone().delay(150 * MS));
        let (a, b) = (script(), script());
        let _a = network.bind("a", a.server()).await.unwrap();
        let _b = network.bind("b", b.server()).await.unwrap();
        let all = MethodConfig::new().hedging(policy(2));
        let config = ServiceConfig::builder().all(all).balance(RoundRobin::new());
        let channel = Channel::builder("both:///shop")
            .unwrap()
            .resolver(Both)
            .connector(network.connector("client"))
            .service_config(config.build().unwrap())
            .build(ChannelCredentials::insecure())
            .unwrap();
        channel.connect().unwrap();
        tokio::time::sleep(SECOND).await;

        let heard = Arc::new(Mutex::new(None));
        let hears = Arc::clone(&heard);
        let watched = channel.with_interceptor(move |call: &mut OutgoingCall| {
            let hears = Arc::clone(&hears);
            call.on_end(move |ended: &EndedCall<'_>| {
                *hears.lock().unwrap() = ended.peer().map(ToString::to_string);
            });
            Ok(())
        });
        let _ = get(&watched).await;
        let is_first = |script: &Script| {
            let said = script.calls()[0].metadata().clone();
            said.get("grpc-previous-rpc-attempts").is_none()
        };
        assert_ne!(is_first(&a), is_first(&b), "each has one attempt");
        let first = if is_first(&a) { "a" } else { "b" };
        assert_eq!(heard.lock().unwrap().as_deref(), Some(first));
    }
}
