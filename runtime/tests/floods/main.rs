//! Each limit of a server under a flood, over real sockets: what is beyond it is refused with
//! the code that `ServerLimits` documents, and all calls of a victim succeed.
//! `FLOOD_SECONDS=60` floods each for as long, and judges how long the victim's calls take
//! too, which needs `--release` and a machine that does nothing else; half a second is the
//! short form.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests"
)]

mod calls;
mod frames;
#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "floods need a part of it")]
mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use grpc_runtime::{
    CallLimit, Channel, Code, Context, DeadlinePolicy, Http2Options, MethodLimits, Sender, Server,
    ServerBuilder, ServerLimits, Service, Status,
};
use h2::Reason;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use calls::Hoard;
use frames::Frames;
use support::{ELSEWHERE, Echo, EchoServicer, EchoStub, UNARY, service};

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);
/// How much longer than without a flood the slowest hundredth of the victim's calls may
/// take.
const MOST: u32 = 5;
/// What is taken for the time without a flood where that is less: the system stops any call
/// for as long now and then.
const NOISE: Duration = Duration::from_millis(5);
/// A flood is made anew, as often at the most, where the victim's calls took too long.
const TRIES: usize = 3;
/// The flood's connections, and its calls at once on each.
const CONNECTIONS: usize = 4;
const CALLS: usize = 16;
/// After a refusal, so that a flood does not take the machine from its victim instead.
const BREATH: Duration = Duration::from_millis(20);

/// Unary calls are the flood's and take their time; the victim's are streams.
struct Shop;

impl EchoServicer for Shop {
    async fn unary(&self, request: Echo, _context: &mut Context) -> Result<Echo, Status> {
        sleep(Duration::from_millis(5)).await;
        Ok(request)
    }

    async fn expand(
        &self,
        request: Echo,
        replies: &mut Sender<Echo>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        replies.send(request).await
    }
}

/// How long a flood of the long form is; `None` for the short form.
fn long() -> Option<Duration> {
    let seconds = std::env::var("FLOOD_SECONDS").ok()?;
    let seconds = seconds.parse().expect("a number of seconds");
    Some(Duration::from_secs_f64(seconds))
}

/// The time within which 99 of 100 calls of the victim ended; all have to succeed.
async fn victim(stub: &EchoStub, length: Duration) -> Duration {
    let mut times = Vec::new();
    let end = Instant::now() + length;
    while Instant::now() < end {
        let began = Instant::now();
        let mut replies = stub.expand(Echo::number(7)).timeout(BOUND).start();
        assert_eq!(replies.next().await.unwrap().unwrap().number, 7);
        assert!(replies.next().await.unwrap().is_none());
        times.push(began.elapsed());
        sleep(Duration::from_millis(1)).await;
    }
    times.sort_unstable();
    times[times.len() * 99 / 100]
}

/// What a flood is made of.
#[derive(Clone, Copy)]
enum Flood {
    Calls(fn(&EchoStub) -> grpc_runtime::UnaryCall<Echo>),
    Connections,
    Frames(Frames),
    Hoard(Hoard),
}

/// What a server under a flood has of limits.
type Limit = Arc<dyn Fn(ServerBuilder) -> ServerBuilder>;

type Codes = BTreeMap<String, usize>;

/// What became of several floods.
async fn sum(floods: Vec<JoinHandle<Codes>>) -> Codes {
    let mut all = Codes::new();
    for flood in floods {
        for (code, count) in flood.await.unwrap() {
            *all.entry(code).or_default() += count;
        }
    }
    all
}

async fn calls(
    address: String,
    make: fn(&EchoStub) -> grpc_runtime::UnaryCall<Echo>,
    goes_on: Arc<AtomicBool>,
) -> Codes {
    let mut callers = Vec::new();
    for _ in 0..CONNECTIONS {
        let stub = EchoStub(Channel::insecure(&address).unwrap());
        for _ in 0..CALLS {
            let (stub, goes_on) = (stub.clone(), Arc::clone(&goes_on));
            callers.push(tokio::spawn(async move {
                let mut codes = Codes::new();
                while goes_on.load(Ordering::Relaxed) {
                    let ended = make(&stub).await;
                    let code = ended.map_or_else(|status| status.code(), |_| Code::Ok);
                    *codes.entry(format!("{code:?}")).or_default() += 1;
                    if code != Code::Ok {
                        sleep(BREATH).await;
                    }
                }
                codes
            }));
        }
    }
    sum(callers).await
}

/// Connections that are opened, and kept where they are let in.
async fn connections(address: String, goes_on: Arc<AtomicBool>) -> Codes {
    let (mut kept, mut codes) = (Vec::new(), Codes::new());
    while goes_on.load(Ordering::Relaxed) {
        for _ in 0..CONNECTIONS {
            let mut stream = TcpStream::connect(&address).await.unwrap();
            let mut byte = [0];
            let read = timeout(BOUND, stream.read(&mut byte)).await.unwrap();
            let is_closed = read.map_or(true, |bytes| bytes == 0);
            let what = if is_closed { "Closed" } else { "Open" };
            *codes.entry(what.to_owned()).or_default() += 1;
            if !is_closed {
                kept.push(stream);
            }
        }
        sleep(BREATH).await;
    }
    codes
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

/// Floods a server that has this limit; returns what became of the flood, and how long
/// the victim's calls took without it and with it.
fn flooded(limit: &Limit, flood: Flood) -> (Codes, Duration, Duration) {
    // The server, the flood and the victim share a machine, and no thread.
    let (serves, floods, suffers) = (runtime(), runtime(), runtime());
    let server = serves.block_on(async {
        // A service that has no victims.
        let elsewhere = Service::builder("test.Elsewhere", Arc::new(Shop));
        let builder = Server::builder()
            .add_service(service(Shop))
            .add_service(elsewhere.unary(ELSEWHERE, Shop::unary).build())
            .listen("127.0.0.1:0");
        limit(builder).start().await.unwrap()
    });
    let address = server.addresses()[0].clone();
    let stub = EchoStub(Channel::insecure(&address).unwrap());
    let length = long().unwrap_or(Duration::from_millis(500));
    let alone = suffers.block_on(victim(&stub, length));
    let goes_on = Arc::new(AtomicBool::new(true));
    let flooding = match flood {
        Flood::Calls(make) => floods.spawn(calls(address, make, Arc::clone(&goes_on))),
        Flood::Connections => floods.spawn(connections(address, Arc::clone(&goes_on))),
        Flood::Frames(frames) => floods.spawn(frames.flood(address, Arc::clone(&goes_on))),
        Flood::Hoard(hoard) => floods.spawn(hoard.flood(address, Arc::clone(&goes_on))),
    };
    let flooded = suffers.block_on(victim(&stub, length));
    goes_on.store(false, Ordering::Relaxed);
    let codes = floods.block_on(async { timeout(BOUND, flooding).await.unwrap().unwrap() });
    (codes, alone, flooded)
}

/// Floods it, and judges how long the victim's calls took.
fn flood(name: &str, limit: &Limit, flood: Flood) -> Codes {
    for _ in 0..TRIES {
        let (codes, alone, flooded) = flooded(limit, flood);
        println!("{name}: {alone:?} alone, {flooded:?} flooded; {codes:?}");
        if long().is_none() || flooded <= MOST * alone.max(NOISE) {
            return codes;
        }
    }
    panic!("{name}: 99 of 100 calls of the victim took too long under the flood");
}

fn plain(stub: &EchoStub) -> grpc_runtime::UnaryCall<Echo> {
    stub.unary(Echo::default()).timeout(BOUND)
}

fn hasty(stub: &EchoStub) -> grpc_runtime::UnaryCall<Echo> {
    stub.unary(Echo::default()).timeout(Duration::from_secs(1))
}

fn plain_elsewhere(stub: &EchoStub) -> grpc_runtime::UnaryCall<Echo> {
    stub.call(ELSEWHERE, Echo::default()).timeout(BOUND)
}

fn large(stub: &EchoStub) -> grpc_runtime::UnaryCall<Echo> {
    stub.unary(Echo::data(20_000)).timeout(BOUND)
}

fn limits(limits: ServerLimits) -> Limit {
    Arc::new(move |builder| builder.limits(limits.clone()))
}

fn method(limits_of_it: MethodLimits) -> Limit {
    limits(ServerLimits::new().method(UNARY.path(), limits_of_it))
}

fn http2(change: fn(&mut Http2Options)) -> Limit {
    Arc::new(move |builder| {
        let mut options = Http2Options::default();
        change(&mut options);
        builder.http2(options)
    })
}

/// Each flood has one of these codes at least once, and no other than these.
fn end_as(name: &str, limit: &Limit, made: Flood, refused: &str, served: Option<&str>) {
    let codes = flood(name, limit, made);
    let known = [Some(refused), served];
    assert!(codes.contains_key(refused), "{name}: {codes:?}");
    assert!(
        codes.keys().all(|code| known.contains(&Some(code))),
        "{name}: {codes:?}"
    );
}

#[test]
fn what_floods_a_limit_is_refused_and_a_victims_calls_go_on() {
    let calls = |limit| MethodLimits::new().calls(limit);
    let deadlines = |policy| method(MethodLimits::new().deadlines(policy));
    let room = calls(CallLimit::new(8).queue(8));
    for (name, limit, made, refused, served) in [
        (
            "connections",
            limits(ServerLimits::new().connections(4)),
            Flood::Connections,
            "Closed",
            Some("Open"),
        ),
        (
            "connections of an address",
            limits(ServerLimits::new().connections_per_peer(4)),
            Flood::Connections,
            "Closed",
            Some("Open"),
        ),
        (
            "calls of a method",
            method(room.clone()),
            Flood::Calls(plain),
            "ResourceExhausted",
            Some("Ok"),
        ),
        (
            "calls of a method, to be made elsewhere",
            method(calls(CallLimit::new(8).unavailable())),
            Flood::Calls(plain),
            "Unavailable",
            Some("Ok"),
        ),
        (
            "calls of a service",
            limits(ServerLimits::new().service("test.Elsewhere", room.clone())),
            Flood::Calls(plain_elsewhere),
            "ResourceExhausted",
            Some("Ok"),
        ),
        (
            // Where the victim's method has room left by the other's limit.
            "calls of the server",
            limits(
                ServerLimits::new()
                    .method(UNARY.path(), room)
                    .calls(CallLimit::new(16)),
            ),
            Flood::Calls(plain),
            "ResourceExhausted",
            Some("Ok"),
        ),
        (
            "the least time of a call",
            deadlines(DeadlinePolicy::new().at_least(Duration::from_secs(10))),
            Flood::Calls(hasty),
            "DeadlineExceeded",
            None,
        ),
        (
            "the most time of a call",
            deadlines(DeadlinePolicy::new().at_most(Duration::from_millis(1))),
            Flood::Calls(plain),
            "DeadlineExceeded",
            // On a machine that is slow to look at deadlines.
            Some("Ok"),
        ),
        (
            "the size of a method's requests",
            method(MethodLimits::new().max_receive_message_size(10_000)),
            Flood::Calls(large),
            "ResourceExhausted",
            None,
        ),
        (
            "the size of a method's responses",
            method(MethodLimits::new().max_send_message_size(10_000)),
            Flood::Calls(large),
            "ResourceExhausted",
            None,
        ),
    ] {
        end_as(name, &limit, made, refused, served);
    }
}

/// What a client sees of these is a connection that waits or is made anew.
#[test]
fn what_floods_a_connection_is_served_and_a_victims_calls_go_on() {
    for (name, limit) in [
        (
            "calls of a connection",
            limits(ServerLimits::new().calls_per_connection(100)),
        ),
        (
            "calls at once on a connection",
            http2(|options| options.max_concurrent_streams = 4),
        ),
    ] {
        end_as(name, &limit, Flood::Calls(plain), "Ok", None);
    }
}

#[test]
fn who_floods_with_frames_is_sent_away_and_a_victims_calls_go_on() {
    for (name, limit, made, told) in [
        (
            "calls that are reset",
            http2(|options| options.reset_burst = 100),
            Frames::Resets,
            Reason::ENHANCE_YOUR_CALM,
        ),
        (
            "frames without content",
            http2(|options| options.control_burst = 1_000),
            Frames::Settings,
            Reason::ENHANCE_YOUR_CALM,
        ),
        (
            "PINGs",
            http2(|_| ()),
            Frames::Pings,
            Reason::ENHANCE_YOUR_CALM,
        ),
        (
            "the time of a handshake",
            http2(|options| options.handshake_timeout = Duration::from_millis(100)),
            Frames::Nothing,
            Reason::SETTINGS_TIMEOUT,
        ),
        (
            "the time of a call's head",
            http2(|options| options.header_timeout = Duration::from_millis(100)),
            Frames::UnfinishedHead,
            Reason::ENHANCE_YOUR_CALM,
        ),
    ] {
        end_as(name, &limit, Flood::Frames(made), told.description(), None);
    }
}

/// What a client holds without ending its call is refused to others, but for the victim.
#[test]
fn what_floods_the_memory_for_calls_is_refused_and_a_victims_calls_go_on() {
    for (name, limit, made, served) in [
        (
            "metadata of a call",
            http2(|options| options.max_header_list_size = 8 << 10),
            Hoard::Head(10_000),
            None,
        ),
        (
            "memory for metadata",
            Arc::new(|builder: ServerBuilder| {
                let mut options = Http2Options::default();
                options.max_header_list_size = 256 << 10;
                builder.memory_limit(16 << 20).http2(options)
            }) as Limit,
            Hoard::Head(200_000),
            Some("held"),
        ),
        (
            "memory for responses",
            Arc::new(|builder: ServerBuilder| builder.memory_limit(16 << 20)),
            Hoard::Response(300_000),
            Some("held"),
        ),
    ] {
        end_as(
            name,
            &limit,
            Flood::Hoard(made),
            "ResourceExhausted",
            served,
        );
    }
}
