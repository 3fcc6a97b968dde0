//! Servers that are asked for their health (gRFC A17), against scripted ones.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod support;

use std::future::IntoFuture;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use grpc_runtime::{
    Balance, Channel, ChannelCredentials, Code, ConnectivityState, Control, Http2Options, Method,
    PickFirst, Policy, Resolved, RoundRobin, ServerBuilder, ServiceConfig, Status, Subchannel,
    SubchannelState, UnaryCall,
};
use grpc_testing::{Reply, Script, no_leftovers};
use tokio::time::{Instant, sleep};

use self::support::Fleet;

const GET: Method = Method::unary("/shop.Orders/Get");
const WATCH: &str = "/grpc.health.v1.Health/Watch";

const SECOND: Duration = Duration::from_secs(1);

const SERVING: [u8; 2] = [8, 1];
const NOT_SERVING: [u8; 2] = [8, 2];
const SERVICE_UNKNOWN: [u8; 2] = [8, 3];

fn config(service: Option<&str>) -> ServiceConfig {
    let config = ServiceConfig::builder().balance(RoundRobin::new());
    match service {
        Some(service) => config.health_check_service(service).build().unwrap(),
        None => config.build().unwrap(),
    }
}

/// A server that answers calls, and says this of its health.
fn server(health: Reply) -> Script {
    Script::new()
        .on(GET.path(), Reply::message(&"a book".to_owned()))
        .on(WATCH, health)
}

fn says(states: &[[u8; 2]]) -> Reply {
    let reply = states.iter().fold(Reply::empty(), |reply, state| {
        reply.then_bytes(state.to_vec())
    });
    reply.then_hang()
}

async fn connect(servers: &[(&str, &Script)]) -> (Fleet, Channel) {
    let servers = servers
        .iter()
        .map(|(name, script)| (*name, script.server()));
    let (fleet, builder) = Fleet::of(servers, config(Some("shop"))).await;
    let channel = builder.build(ChannelCredentials::insecure()).unwrap();
    (fleet, channel)
}

fn get(channel: &Channel) -> UnaryCall<String> {
    UnaryCall::new(channel, GET, &"1".to_owned()).timeout(5 * SECOND)
}

fn count(script: &Script) -> usize {
    script.calls_to(GET.path()).len()
}

async fn until(channel: &Channel, state: ConnectivityState) {
    let mut states = channel.watch_state();
    let within = tokio::time::timeout(100 * SECOND, states.wait_for(state));
    assert!(within.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn calls_go_to_who_serves() {
    let (good, bad) = (server(says(&[SERVING])), server(says(&[NOT_SERVING])));
    let (fleet, channel) = connect(&[("a", &good), ("b", &bad)]).await;
    for _ in 0..10 {
        assert_eq!(get(&channel).await.unwrap(), "a book");
    }
    assert_eq!((count(&good), count(&bad)), (10, 0));
    let asked: Vec<String> = bad.calls_to(WATCH)[0].requests().unwrap();
    assert_eq!(asked, ["shop"]);
    drop(channel);
    no_leftovers(&fleet.network, SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn calls_follow_what_a_server_says_later_and_its_connection_stays() {
    let moves = Reply::bytes(SERVING.to_vec())
        .then_delay(5 * SECOND)
        .then_bytes(NOT_SERVING.to_vec())
        .then_delay(5 * SECOND)
        .then_bytes(SERVING.to_vec())
        .then_hang();
    let only = server(moves);
    let (fleet, channel) = connect(&[("a", &only)]).await;
    get(&channel).await.unwrap();
    sleep(6 * SECOND).await;
    let status = get(&channel).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    let text = status.message();
    assert!(
        text.contains("\"shop\" on the server is NOT_SERVING"),
        "{text}"
    );
    assert!(text.contains('a'), "{text}");
    let began = Instant::now();
    get(&channel)
        .wait_for_ready()
        .timeout(60 * SECOND)
        .await
        .unwrap();
    assert!(began.elapsed() > 3 * SECOND);
    get(&channel).await.unwrap();
    assert_eq!(fleet.network.link("client", "a").connections_made(), 1);
}

/// One connection, and what its policy hears of it.
#[derive(Clone, Default)]
struct Hears(Arc<Mutex<Vec<String>>>, Option<Subchannel>);

impl Balance for Hears {
    fn name(&self) -> &'static str {
        "hears"
    }

    fn policy(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

impl Policy for Hears {
    fn update(&mut self, resolved: Resolved, control: &mut Control<'_>) -> Result<(), Status> {
        for endpoint in resolved.endpoints {
            let subchannel = control.subchannel(endpoint);
            subchannel.connect();
            self.1 = Some(subchannel);
        }
        Ok(())
    }

    fn resolution_failed(&mut self, _status: Status, _control: &mut Control<'_>) {}

    fn changed(
        &mut self,
        _subchannel: &Subchannel,
        state: SubchannelState,
        _control: &mut Control<'_>,
    ) {
        let word = match state {
            SubchannelState::Idle => "idle",
            SubchannelState::Connecting => "connecting",
            SubchannelState::Ready(_) => "ready",
            SubchannelState::TransientFailure(_) => "failing",
            _ => "another",
        };
        self.0.lock().unwrap().push(word.to_owned());
    }

    fn connect(&mut self, _control: &mut Control<'_>) {}
}

#[tokio::test(start_paused = true)]
async fn a_server_that_repeats_itself_is_heard_once() {
    let repeats = [
        SERVING,
        SERVING,
        NOT_SERVING,
        NOT_SERVING,
        SERVICE_UNKNOWN,
        SERVING,
        SERVING,
    ];
    let says = repeats.iter().fold(Reply::empty(), |reply, state| {
        reply.then_bytes(state.to_vec()).then_delay(SECOND)
    });
    let only = server(says.then_hang());
    let hears = Hears::default();
    let config = ServiceConfig::builder().balance(hears.clone());
    let config = config.health_check_service("shop").build().unwrap();
    let (_fleet, builder) = Fleet::of([("a", only.server())], config).await;
    let channel = builder.build(ChannelCredentials::insecure()).unwrap();
    let call = tokio::spawn(get(&channel).timeout(60 * SECOND).into_future());
    sleep(10 * SECOND).await;
    let heard = hears.0.lock().unwrap().join(", ");
    // Connecting once more, as its health is not known yet.
    assert_eq!(
        heard,
        "connecting, connecting, ready, failing, failing, ready"
    );
    call.abort();
}

#[tokio::test(start_paused = true)]
async fn calls_wait_for_the_first_answer() {
    let slow = server(says(&[SERVING]).delay(3 * SECOND));
    let (_fleet, channel) = connect(&[("a", &slow)]).await;
    let began = Instant::now();
    get(&channel).await.unwrap();
    assert!(began.elapsed() >= 3 * SECOND);
    let silent = server(Reply::hang());
    let (_fleet, channel) = connect(&[("a", &silent)]).await;
    let status = get(&channel).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(channel.state(), ConnectivityState::Connecting);
}

#[tokio::test(start_paused = true)]
async fn one_that_has_no_health_serves_and_is_asked_once() {
    let plain = Script::new().on(GET.path(), Reply::message(&"a book".to_owned()));
    let refuses = server(Reply::status(Status::unimplemented("no health here")));
    for script in [&plain, &refuses] {
        let (_fleet, channel) = connect(&[("a", script)]).await;
        for _ in 0..10 {
            get(&channel).await.unwrap();
            sleep(60 * SECOND).await;
        }
    }
    assert_eq!(refuses.calls_to(WATCH).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_the_server_does_not_know_has_no_calls() {
    let other = server(says(&[SERVICE_UNKNOWN]));
    let (_fleet, channel) = connect(&[("a", &other)]).await;
    let text = get(&channel).await.unwrap_err().to_string();
    assert!(text.contains("SERVICE_UNKNOWN"), "{text}");
}

/// However it ends, OK among the ways, and also where it had told something.
#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_counts_as_a_failure_and_is_begun_again_after_a_while() {
    let garbage = Reply::bytes(vec![0xff; 9]).then_hang();
    for ends in [
        Reply::empty(),
        Reply::status(Status::unavailable("not yet")),
        garbage,
    ] {
        let script = server(ends);
        let (_fleet, channel) = connect(&[("a", &script)]).await;
        let status = get(&channel).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        let text = status.message();
        assert!(text.contains("watches the health of \"shop\""), "{text}");
        sleep(600 * SECOND).await;
        // 1 s, 1.6 s, 2.56 s, … up to 120 s.
        let asked = script.calls_to(WATCH).len();
        assert!((10..=17).contains(&asked), "{asked}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_told_something_is_begun_again_after_the_first_wait() {
    let ends = Reply::bytes(SERVING.to_vec()).then_status(Status::unavailable("over"));
    let script = server(ends);
    let (_fleet, channel) = connect(&[("a", &script)]).await;
    get(&channel).wait_for_ready().await.unwrap_or_default();
    sleep(600 * SECOND).await;
    let asked = script.calls_to(WATCH).len();
    assert!((480..=760).contains(&asked), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn the_service_may_be_another_or_none_while_the_channel_lives() {
    // Of the first service it serves; of others it does not.
    let script = server(says(&[SERVING])).on(WATCH, says(&[NOT_SERVING]));
    let (fleet, channel) = connect(&[("a", &script)]).await;
    get(&channel).await.unwrap();
    // The same again is no change.
    fleet.configs.send_replace(config(Some("shop")));
    sleep(SECOND).await;
    get(&channel).await.unwrap();
    assert_eq!(script.calls_to(WATCH).len(), 1);

    fleet.configs.send_replace(config(Some("other")));
    sleep(SECOND).await;
    assert_eq!(get(&channel).await.unwrap_err().code(), Code::Unavailable);
    let watches = script.calls_to(WATCH);
    assert_eq!(watches.len(), 2);
    assert_eq!(
        watches[0].code(),
        Some(Code::Cancelled),
        "the first is over"
    );

    fleet.configs.send_replace(config(None));
    sleep(SECOND).await;
    get(&channel).await.unwrap();
    assert_eq!(script.calls_to(WATCH)[1].code(), Some(Code::Cancelled));

    // One that serves is not doubted before it answers.
    fleet.configs.send_replace(config(Some("shop")));
    sleep(SECOND).await;
    assert_eq!(get(&channel).await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(fleet.network.link("client", "a").connections_made(), 1);
}

/// A watch is no call that a server has to wait for.
#[tokio::test(start_paused = true)]
async fn a_server_that_leaves_need_not_wait_for_the_watch() {
    let script = server(says(&[SERVING]));
    let (mut fleet, channel) = connect(&[("a", &script)]).await;
    get(&channel).await.unwrap();
    let began = Instant::now();
    let report = fleet.hosts.remove(0).shutdown(60 * SECOND).await;
    assert!(began.elapsed() < SECOND, "{:?} {report:?}", began.elapsed());
    let again = fleet.network.bind("a", script.server()).await.unwrap();
    get(&channel).wait_for_ready().await.unwrap();
    assert_eq!(script.calls_to(WATCH).len(), 2, "anew on each connection");
    drop(again);
}

#[tokio::test(start_paused = true)]
async fn pick_first_has_no_health_to_look_at() {
    let script = server(says(&[NOT_SERVING]));
    let config = ServiceConfig::builder()
        .balance(PickFirst::new())
        .health_check_service("shop")
        .build();
    let (_fleet, builder) = Fleet::of([("a", script.server())], config.unwrap()).await;
    let channel = builder.build(ChannelCredentials::insecure()).unwrap();
    get(&channel).await.unwrap();
    assert_eq!(script.calls_to(WATCH).len(), 0);
}

/// A channel that nobody holds is gone, however long its servers would be watched.
#[tokio::test(start_paused = true)]
async fn a_channel_ends_with_its_watches() {
    let script = Script::new()
        .on(GET.path(), Reply::message(&"a book".to_owned()))
        .on(GET.path(), Reply::hang())
        .on(WATCH, says(&[SERVING]));
    let (fleet, channel) = connect(&[("a", &script), ("b", &script)]).await;
    get(&channel).await.unwrap();
    let call = tokio::spawn(get(&channel).into_future());
    sleep(SECOND).await;
    drop(channel);
    let status = call.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "it had its time");
    no_leftovers(&fleet.network, SECOND).await;
}

/// The channel is back to ready once the server is well, though no call asks.
#[tokio::test(start_paused = true)]
async fn the_channels_state_is_that_of_the_health() {
    let moves = Reply::bytes(NOT_SERVING.to_vec())
        .then_delay(5 * SECOND)
        .then_bytes(SERVING.to_vec())
        .then_hang();
    let script = server(moves);
    let (_fleet, channel) = connect(&[("a", &script)]).await;
    channel.connect().unwrap();
    until(&channel, ConnectivityState::TransientFailure).await;
    until(&channel, ConnectivityState::Ready).await;
}

fn limited(script: &Script, streams: u32) -> ServerBuilder {
    let mut options = Http2Options::default();
    options.max_concurrent_streams = streams;
    script.server().http2(options)
}

/// In whatever way the room came: calls that are cancelled here leave without a word of
/// the server's.
#[tokio::test(start_paused = true)]
async fn a_watch_that_had_no_room_begins_once_there_is_some() {
    let ends = Reply::bytes(SERVING.to_vec())
        .then_delay(SECOND / 5)
        .then_status(Status::unavailable("over"));
    let script = Script::new()
        .on(GET.path(), Reply::hang())
        .on(GET.path(), Reply::hang())
        .on(GET.path(), Reply::message(&"a book".to_owned()))
        .on(WATCH, ends)
        .on(WATCH, says(&[SERVING]));
    let (_fleet, builder) = Fleet::of([("a", limited(&script, 2))], config(Some("shop"))).await;
    let channel = builder.build(ChannelCredentials::insecure()).unwrap();
    let hanging = [(); 2].map(|()| tokio::spawn(get(&channel).timeout(600 * SECOND).into_future()));
    sleep(10 * SECOND).await;
    assert_eq!(
        script.calls_to(GET.path()).len(),
        2,
        "both streams are theirs"
    );
    assert_eq!(channel.state(), ConnectivityState::TransientFailure);
    for call in hanging {
        call.abort();
    }
    sleep(SECOND).await;
    get(&channel).await.unwrap();
}

/// A server that permits one stream has none for calls.
#[tokio::test(start_paused = true)]
async fn a_channel_ends_though_its_watch_has_the_only_stream() {
    let script = server(says(&[SERVING]));
    let (fleet, builder) = Fleet::of([("a", limited(&script, 1))], config(Some("shop"))).await;
    let channel = builder.build(ChannelCredentials::insecure()).unwrap();
    assert_eq!(
        get(&channel).await.unwrap_err().code(),
        Code::DeadlineExceeded
    );
    let call = tokio::spawn(get(&channel).into_future());
    sleep(SECOND).await;
    call.abort();
    drop(channel);
    no_leftovers(&fleet.network, 10 * SECOND).await;
}
