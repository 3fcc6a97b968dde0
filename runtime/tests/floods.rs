//! Each limit of a server under a flood, over real sockets: what is beyond it is refused with
//! the code that `ServerLimits` documents, and all calls of a victim succeed.
//! `FLOOD_SECONDS=60` floods each for as long, and judges how long the victim's calls take
//! too, which needs a machine that does nothing else; half a second is the short form.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests"
)]

#[path = "support/mod.rs"]
#[allow(dead_code, reason = "floods need a part of it")]
mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use grpc_runtime::{
    CallLimit, Channel, Code, Context, DeadlinePolicy, MethodLimits, Sender, Server, ServerLimits,
    Service, Status,
};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::{sleep, timeout};

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
}

type Codes = BTreeMap<String, usize>;

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
    let mut all = Codes::new();
    for caller in callers {
        for (code, count) in caller.await.unwrap() {
            *all.entry(code).or_default() += count;
        }
    }
    all
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

/// Floods a server that has these limits; returns what became of the flood, and how long
/// the victim's calls took without it and with it.
fn flooded(limits: ServerLimits, flood: Flood) -> (Codes, Duration, Duration) {
    // The server, the flood and the victim share a machine, and no thread.
    let (serves, floods, suffers) = (runtime(), runtime(), runtime());
    let server = serves.block_on(async {
        // A service that has no victims.
        let elsewhere = Service::builder("test.Elsewhere", Arc::new(Shop));
        let builder = Server::builder()
            .add_service(service(Shop))
            .add_service(elsewhere.unary(ELSEWHERE, Shop::unary).build())
            .limits(limits);
        builder.listen("127.0.0.1:0").start().await.unwrap()
    });
    let address = server.addresses()[0].clone();
    let stub = EchoStub(Channel::insecure(&address).unwrap());
    let length = long().unwrap_or(Duration::from_millis(500));
    let alone = suffers.block_on(victim(&stub, length));
    let goes_on = Arc::new(AtomicBool::new(true));
    let flooding = match flood {
        Flood::Calls(make) => floods.spawn(calls(address, make, Arc::clone(&goes_on))),
        Flood::Connections => floods.spawn(connections(address, Arc::clone(&goes_on))),
    };
    let flooded = suffers.block_on(victim(&stub, length));
    goes_on.store(false, Ordering::Relaxed);
    let codes = floods.block_on(async { timeout(BOUND, flooding).await.unwrap().unwrap() });
    (codes, alone, flooded)
}

fn flood(name: &str, limits: &ServerLimits, flood: Flood) -> Codes {
    for _ in 0..TRIES {
        let (codes, alone, flooded) = flooded(limits.clone(), flood);
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

#[test]
fn what_floods_a_limit_is_refused_and_a_victims_calls_go_on() {
    let method = |limits| ServerLimits::new().method(UNARY.path(), limits);
    let calls = |limit| MethodLimits::new().calls(limit);
    let least = DeadlinePolicy::new().at_least(Duration::from_secs(10));
    let room = calls(CallLimit::new(8).queue(8));
    for (name, limits, made, refused, served) in [
        (
            "connections",
            ServerLimits::new().connections(4),
            Flood::Connections,
            "Closed",
            Some("Open"),
        ),
        (
            "connections of an address",
            ServerLimits::new().connections_per_peer(4),
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
            ServerLimits::new().service("test.Elsewhere", room.clone()),
            Flood::Calls(plain_elsewhere),
            "ResourceExhausted",
            Some("Ok"),
        ),
        (
            // Where the victim's method has room left by the other's limit.
            "calls of the server",
            method(room).calls(CallLimit::new(16)),
            Flood::Calls(plain),
            "ResourceExhausted",
            Some("Ok"),
        ),
        (
            "the least time of a call",
            method(MethodLimits::new().deadlines(least)),
            Flood::Calls(hasty),
            "DeadlineExceeded",
            None,
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
        let codes = flood(name, &limits, made);
        let known = [Some(refused), served];
        assert!(codes.contains_key(refused), "{name}: {codes:?}");
        assert!(
            codes.keys().all(|code| known.contains(&Some(code))),
            "{name}: {codes:?}"
        );
    }
    // A flood on connections that are renewed is served, and nobody notices.
    let renewed = ServerLimits::new().calls_per_connection(100);
    let codes = flood("calls of a connection", &renewed, Flood::Calls(plain));
    assert_eq!(codes.keys().collect::<Vec<_>>(), ["Ok"], "{codes:?}");
}
