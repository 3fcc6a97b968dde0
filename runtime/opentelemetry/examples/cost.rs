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
        return Metrics::builder()
            .disable(Instrument::all())
            .build(provider);
    }
    Metrics::new(provider)
}

/// Does nothing.
struct Idle;

impl Observer for Idle {}

/// The least time of an event, in nanoseconds for all its repetitions: a machine that does
/// something else beside takes longer, never less.
#[derive(Default)]
struct Least([[AtomicU64; 4]; 2]);

/// Tells another one of each event many times, and takes the time.
struct Repeats<O> {
    inner: O,
    least: Arc<Least>,
}

impl<O> Repeats<O> {
    fn again(&self, side: Side, event: usize, tell: impl Fn(&O)) {
        let began = Instant::now();
        for _ in 0..TIMES {
            tell(black_box(&self.inner));
        }
        let took = u64::try_from(began.elapsed().as_nanos()).unwrap();
        // From 0, which is none.
        let least = &self.least.0[side as usize][event];
        let shorter = |least| (least == 0 || took < least).then_some(took);
        let _ = least.fetch_update(Ordering::Relaxed, Ordering::Relaxed, shorter);
    }
}

impl<O: Observer> Observer for Repeats<O> {
    fn call_begun(&self, call: &BegunCall<'_>) -> Option<Box<dyn CallObserver>> {
        self.again(call.side(), 0, |it| {
            black_box(it.call_begun(black_box(call)));
        });
        None
    }

    fn attempt_begun(&self, attempt: &BegunAttempt<'_>) {
        self.again(Side::Client, 1, |it| it.attempt_begun(black_box(attempt)));
    }

    fn attempt_ended(&self, attempt: &EndedAttempt<'_>) {
        self.again(Side::Client, 2, |it| it.attempt_ended(black_box(attempt)));
    }

    fn call_ended(&self, call: &EndedCall<'_>) {
        self.again(call.side(), 3, |it| it.call_ended(black_box(call)));
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
    let least: Arc<Least> = Arc::default();
    let metrics = metrics();
    let repeats = || Repeats {
        inner: metrics.clone(),
        least: Arc::clone(&least),
    };
    let (channel, _server) = pair(repeats(), repeats()).await;
    calls(&channel, 5_000).await;
    for (name, side) in [("channel", Side::Client), ("server", Side::Server)] {
        let each = |event: &AtomicU64| event.load(Ordering::Relaxed) as f64 / f64::from(TIMES);
        let [call, attempt, attempt_end, end] = least.0[side as usize].each_ref().map(each);
        println!(
            "{name}: {:.0} ns a call for what its observer is told: {call:.1} as it begins, \
             {attempt:.1} and {attempt_end:.1} for its attempt, {end:.1} as it ends",
            call + attempt + attempt_end + end
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
