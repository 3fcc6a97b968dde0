//! What metrics cost a unary call, each side: the time of what an observer is told, and
//! whole calls with an observer that does nothing beside calls with metrics, in turns.
//!
//! `cargo run --release -p grpc-opentelemetry --example cost`

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "an example that measures"
)]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use grpc_opentelemetry::{Instrument, Metrics};
use grpc_runtime::{
    BegunAttempt, BegunCall, CallObserver, Channel, ChannelCredentials, Context, EndedAttempt,
    EndedCall, Method, Observer, Server, Service, Side, Status, UnaryCall,
};
use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};

const SAY: Method = Method::unary("/example.HelloService/SayHello");
/// How often an event is told again.
const TIMES: u32 = 1_000;

struct Greeter;

async fn say(_: &Greeter, name: String, _context: &mut Context) -> Result<String, Status> {
    Ok(name)
}

fn reader() -> PeriodicReader<InMemoryMetricExporter> {
    PeriodicReader::builder(InMemoryMetricExporter::default())
        .with_interval(Duration::from_secs(3600))
        .build()
}

fn metrics() -> Metrics {
    // The reader lives as long as its provider, which is as long as the program.
    let provider = Box::leak(Box::new(
        SdkMeterProvider::builder().with_reader(reader()).build(),
    ));
    if std::env::args().any(|argument| argument == "--none") {
        return Metrics::builder().disable(Instrument::ALL).build(provider);
    }
    Metrics::new(provider)
}

/// Does nothing.
struct Idle;

impl Observer for Idle {}

/// Tells another one of each event many times, and takes the time.
struct Repeats<O> {
    inner: O,
    spent: Arc<[AtomicU64; 2]>,
}

impl<O> Repeats<O> {
    fn again(&self, side: Side, tell: impl Fn(&O)) {
        let began = Instant::now();
        for _ in 0..TIMES {
            tell(black_box(&self.inner));
        }
        let spent = u64::try_from(began.elapsed().as_nanos()).unwrap();
        self.spent[side as usize].fetch_add(spent, Ordering::Relaxed);
    }
}

impl<O: Observer> Observer for Repeats<O> {
    fn call_begun(&self, call: &BegunCall<'_>) -> Option<Box<dyn CallObserver>> {
        self.again(call.side(), |it| {
            black_box(it.call_begun(black_box(call)));
        });
        None
    }

    fn attempt_begun(&self, attempt: &BegunAttempt<'_>) {
        self.again(Side::Client, |it| it.attempt_begun(black_box(attempt)));
    }

    fn attempt_ended(&self, attempt: &EndedAttempt<'_>) {
        self.again(Side::Client, |it| it.attempt_ended(black_box(attempt)));
    }

    fn call_ended(&self, call: &EndedCall<'_>) {
        self.again(call.side(), |it| it.call_ended(black_box(call)));
    }
}

fn service() -> Service {
    let service = Service::builder("example.HelloService", Arc::new(Greeter));
    service.unary(SAY, say).build()
}

/// A channel and its server, in one process, that the observers watch.
async fn pair(server: impl Observer, channel: impl Observer) -> (Channel, Server) {
    let server = Server::builder()
        .observe(server)
        .add_service(service())
        .listen("127.0.0.1:0")
        .start()
        .await
        .unwrap();
    let channel = Channel::builder(&server.addresses()[0])
        .unwrap()
        .observe(channel)
        .build(ChannelCredentials::insecure())
        .unwrap();
    (channel, server)
}

/// The time of so many calls, a hundred at once.
async fn calls(channel: &Channel, number: u32) -> Duration {
    let began = Instant::now();
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let channel = channel.clone();
            tokio::spawn(async move {
                for _ in 0..number / 100 {
                    let call = UnaryCall::<String>::new(&channel, SAY, &"ada".to_owned());
                    black_box(call.await.unwrap());
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    began.elapsed()
}

async fn events() {
    let spent: Arc<[AtomicU64; 2]> = Arc::default();
    let metrics = metrics();
    let repeats = || Repeats {
        inner: metrics.clone(),
        spent: Arc::clone(&spent),
    };
    let (channel, _server) = pair(repeats(), repeats()).await;
    calls(&channel, 1_000).await;
    let mut rounds: [Vec<f64>; 2] = Default::default();
    for _ in 0..9 {
        for side in &*spent {
            side.store(0, Ordering::Relaxed);
        }
        calls(&channel, 1_000).await;
        for (side, times) in spent.iter().zip(&mut rounds) {
            let each = f64::from(TIMES) * 1_000.0;
            times.push(side.load(Ordering::Relaxed) as f64 / each);
        }
    }
    for (name, mut times) in ["channel", "server"].into_iter().zip(rounds) {
        times.sort_by(f64::total_cmp);
        println!(
            "{name}: {:.1} ns a call for what its observer is told (best {:.1})",
            times[times.len() / 2],
            times[0]
        );
    }
}

async fn whole_calls() {
    let (idle, _idle_server) = pair(Idle, Idle).await;
    let metrics = metrics();
    let (counted, _server) = pair(metrics.clone(), metrics).await;
    calls(&idle, 20_000).await;
    calls(&counted, 20_000).await;
    let mut ratios = Vec::new();
    let mut differences = Vec::new();
    for _ in 0..25 {
        let without = calls(&idle, 20_000).await.as_secs_f64();
        let with = calls(&counted, 20_000).await.as_secs_f64();
        ratios.push(with / without);
        differences.push((with - without) * 1e9 / 20_000.0);
    }
    ratios.sort_by(f64::total_cmp);
    differences.sort_by(f64::total_cmp);
    println!(
        "whole calls, both sides on one thread: with metrics / with an observer that does \
         nothing = {:.3}, {:.0} ns (median of 25 pairs)",
        ratios[12], differences[12]
    );
}

/// The time of one record by what the provider binds.
fn floor() {
    let (reader, labels) = (reader(), [KeyValue::new("grpc.method", "a/b")]);
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    let meter = provider.meter("floor");
    let buckets = Instrument::ServerCallDuration.buckets().to_vec();
    let times = meter.f64_histogram("times").with_boundaries(buckets);
    let (times, counter) = (times.build().bind(&labels), meter.u64_counter("counter"));
    let counter = counter.build().bind(&labels);
    let time = |record: &dyn Fn()| {
        let took = (0..20).map(|_| {
            let began = Instant::now();
            (0..100_000).for_each(|_| record());
            began.elapsed().as_secs_f64() * 1e4
        });
        took.fold(f64::MAX, f64::min)
    };
    let counter = time(&|| counter.add(black_box(1)));
    let histogram = time(&|| times.record(black_box(0.000_234)));
    println!(
        "the SDK's own part: {counter:.1} ns to count and {histogram:.1} ns for a histogram, so \
         {:.0} ns for a channel's call (1 and 4) and {:.0} ns for a server's (1 and 3)",
        counter + 4.0 * histogram,
        counter + 3.0 * histogram
    );
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    floor();
    events().await;
    whole_calls().await;
}
