//! Metrics of retried, hedged and transparently retried attempts: A66's instruments of
//! attempts, and A96's of calls.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod support;

use std::io;
use std::sync::Mutex;

use grpc_opentelemetry::{Instrument, Metrics, MetricsBuilder};
use grpc_runtime::{
    Address, ByteStream, Channel, ChannelCredentials, Code, Connector, HedgingPolicy, MethodConfig,
    RetryPolicy, Server, ServiceConfig, Status,
};
use grpc_testing::{Network, Reply, Script};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use support::{Collected, GET, MS, SECOND, service, text, unary};

const LABELS: &str = "grpc.method=shop.Orders/Get grpc.target=passthrough:///shop";

fn with_a96() -> MetricsBuilder {
    Metrics::builder().enable([
        Instrument::ClientCallRetries,
        Instrument::ClientCallTransparentRetries,
        Instrument::ClientCallHedges,
        Instrument::ClientCallRetryDelay,
    ])
}

fn busy() -> Reply {
    Reply::status(Status::unavailable("busy"))
}

fn book() -> Reply {
    Reply::message(&text("a book"))
}

/// What was collected of one call to a scripted server.
async fn collect(script: Script, method: MethodConfig, builder: MetricsBuilder) -> Collected {
    let collected = Collected::new(builder);
    let network = Network::new(7);
    let _host = network.bind("shop", script.server()).await.unwrap();
    let config = ServiceConfig::builder().all(method).build().unwrap();
    let channel = support::to_shop(&network)
        .service_config(config)
        .observe(collected.metrics.clone())
        .build(ChannelCredentials::insecure())
        .unwrap();
    assert_eq!(
        unary(&channel, "1").timeout(60 * SECOND).await.unwrap(),
        "a book"
    );
    tokio::time::sleep(SECOND).await;
    collected
}

/// The number of values in each of an instrument's series, by a label.
fn by_status(collected: &Collected, name: &str) -> Vec<(String, u64)> {
    let all = collected.all();
    let points = &all[name].2;
    let mut by: Vec<_> = points
        .iter()
        .map(|point| (point.labels["grpc.status"].clone(), point.count))
        .collect();
    by.sort();
    by
}

fn retries() -> (Script, MethodConfig) {
    let script = Script::new()
        .on(GET.path(), busy())
        .on(GET.path(), busy())
        .on(GET.path(), book());
    let policy = RetryPolicy::new([Code::Unavailable]).backoff(100 * MS, 1.0, 100 * MS);
    (script, MethodConfig::new().retry(policy))
}

#[tokio::test(start_paused = true)]
async fn retries_are_attempts_each_and_one_call() {
    let (script, method) = retries();
    let collected = collect(script, method, with_a96()).await;
    let started = collected.lines("grpc.client.attempt.started");
    assert_eq!(started, [format!("{{{LABELS}}} 3 3")]);
    let ends = [("OK".to_owned(), 1), ("UNAVAILABLE".to_owned(), 2)];
    assert_eq!(by_status(&collected, "grpc.client.attempt.duration"), ends);
    assert_eq!(
        by_status(&collected, "grpc.client.call.duration"),
        ends[..1]
    );
    let retries = collected.lines("grpc.client.call.retries");
    assert_eq!(retries, [format!("{{{LABELS}}} 1 2")]);
    let all = collected.all();
    let (unit, _, delay) = &all["grpc.client.call.retry_delay"];
    assert_eq!(
        (unit.as_str(), delay.len(), delay[0].bounds.len()),
        ("s", 1, 41)
    );
    // Two waits of 100 ms, a fifth more or less.
    assert!((0.16..=0.24).contains(&delay[0].sum), "{delay:?}");
    assert_eq!(all["grpc.client.call.retries"].0, "{retry}");
    assert_eq!(
        all["grpc.client.call.retries"].2[0].bounds,
        [1., 2., 3., 4., 5.]
    );
    // What there was none of is not told.
    assert!(!all.contains_key("grpc.client.call.hedges"));
    assert!(!all.contains_key("grpc.client.call.transparent_retries"));
}

#[tokio::test(start_paused = true)]
async fn what_is_off_tells_nothing_and_so_does_a_call_with_one_attempt() {
    let (script, method) = retries();
    let by_default = collect(script, method, Metrics::builder()).await;
    assert_eq!(by_default.all().len(), 5);
    let (script, method) = retries();
    let one = Metrics::builder()
        .disable(Instrument::all())
        .enable(["grpc.client.call.retries".parse().unwrap()]);
    let one = collect(script, method, one).await;
    assert_eq!(
        one.all().into_keys().collect::<Vec<_>>(),
        ["grpc.client.call.retries"]
    );
    let script = Script::new().on(GET.path(), book());
    let single = collect(script, MethodConfig::new(), with_a96()).await;
    assert_eq!(single.all().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn hedges_are_attempts_each_and_the_losers_are_cancelled() {
    let script = Script::new()
        .on(GET.path(), Reply::hang())
        .on(GET.path(), book());
    let method = MethodConfig::new().hedging(HedgingPolicy::new(100 * MS).max_attempts(3));
    let collected = collect(script, method, with_a96()).await;
    let started = collected.lines("grpc.client.attempt.started");
    assert_eq!(started, [format!("{{{LABELS}}} 2 2")]);
    let ends = [("CANCELLED".to_owned(), 1), ("OK".to_owned(), 1)];
    assert_eq!(by_status(&collected, "grpc.client.attempt.duration"), ends);
    let hedges = collected.lines("grpc.client.call.hedges");
    assert_eq!(hedges, [format!("{{{LABELS}}} 1 1")]);
    let all = collected.all();
    assert_eq!(all["grpc.client.call.hedges"].0, "{hedge}");
    assert!(!all.contains_key("grpc.client.call.retries"));
    assert!(!all.contains_key("grpc.client.call.retry_delay"));
}

/// The first connection is to a server that leaves without a look at its calls.
struct Leaves(Mutex<u32>, Server);

impl Connector for Leaves {
    async fn connect(&self, _address: &Address) -> io::Result<ByteStream> {
        let (near, far) = tokio::io::duplex(64 << 10);
        let number = {
            let mut number = self.0.lock().unwrap();
            *number += 1;
            *number
        };
        if number == 1 {
            tokio::spawn(leave(far));
        } else {
            self.1.serve_stream(ByteStream::new(far, "a pipe"));
        }
        Ok(ByteStream::new(near, "a pipe"))
    }
}

/// The type of a frame.
const HEADERS: u8 = 1;

/// SETTINGS; once a call has come, GOAWAY with the last stream 0.
async fn leave(mut peer: DuplexStream) -> io::Result<()> {
    peer.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await?;
    let mut preface = [0; 24];
    peer.read_exact(&mut preface).await?;
    loop {
        let mut head = [0; 9];
        peer.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        peer.read_exact(&mut payload).await?;
        if head[3] == HEADERS {
            break;
        }
    }
    let go_away = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    peer.write_all(&go_away).await?;
    // Until the other end leaves.
    while peer.read(&mut [0; 64]).await? > 0 {}
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_no_server_looked_at_is_repeated_transparently() {
    let collected = Collected::new(with_a96());
    let server = Server::builder().add_service(service()).listen_nowhere();
    let server = server.start().await.unwrap();
    let channel = Channel::builder("passthrough:///shop")
        .unwrap()
        .connector(Leaves(Mutex::new(0), server))
        .observe(collected.metrics.clone())
        .build(ChannelCredentials::insecure())
        .unwrap();
    assert_eq!(unary(&channel, "go").await.unwrap(), "go");
    let started = collected.lines("grpc.client.attempt.started");
    assert_eq!(started, [format!("{{{LABELS}}} 2 2")]);
    let ends = [("OK".to_owned(), 1), ("UNAVAILABLE".to_owned(), 1)];
    assert_eq!(by_status(&collected, "grpc.client.attempt.duration"), ends);
    let retries = collected.lines("grpc.client.call.transparent_retries");
    assert_eq!(retries, [format!("{{{LABELS}}} 1 1")]);
    let all = collected.all();
    let (unit, _, points) = &all["grpc.client.call.transparent_retries"];
    assert_eq!(unit, "{transparent_retry}");
    assert_eq!(points[0].bounds, [1., 2., 3., 4., 5., 10.]);
    assert!(!all.contains_key("grpc.client.call.retries"));
}
