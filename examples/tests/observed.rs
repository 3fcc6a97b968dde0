//! The example `observed`: what it prints, what a collector is sent and what the access log
//! has are of the same calls, each of which is there once.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod program;

mod proto {
    grpc_runtime::include_proto!("otlp");
}

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use bytes::Bytes;
use grpc_opentelemetry::{Instrument, Metrics};
use grpc_runtime::prost::Message;
use grpc_runtime::{Channel, ChannelCredentials, Context, Server, ServerBuilder, Status};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{MetricExporter, WithHttpConfig};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use serde_json::Value;

use program::Program;
use proto::opentelemetry::proto::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
    MetricsServiceServer, MetricsServiceServicer, MetricsServiceStub,
};
use proto::opentelemetry::proto::common::v1::{KeyValue, any_value};
use proto::opentelemetry::proto::metrics::v1::{AggregationTemporality, metric, number_data_point};

const CALLS: u64 = 50;
/// The example makes as many calls of each kind.
const FIFTH: u64 = CALLS / 5;

const DURATION: &str = "grpc.server.call.duration";

/// A collector.
struct Collector {
    requests: Mutex<Sender<ExportMetricsServiceRequest>>,
    answer: ExportMetricsServiceResponse,
}

impl MetricsServiceServicer for Collector {
    async fn export(
        &self,
        request: ExportMetricsServiceRequest,
        _context: &mut Context,
    ) -> Result<ExportMetricsServiceResponse, Status> {
        self.requests.lock().unwrap().send(request).unwrap();
        Ok(self.answer.clone())
    }
}

/// The labels of a series.
type Labels = BTreeMap<String, String>;
/// By instrument and labels what was counted.
type Counts = BTreeMap<(String, Labels), u64>;

/// What the example printed, all of it.
fn printed(output: &str) -> Counts {
    let mut counts = Counts::new();
    for line in output.lines() {
        let object: Value = serde_json::from_str(line).unwrap();
        let name = object["name"].as_str().unwrap().to_owned();
        let attributes = object["attributes"].as_object().unwrap();
        let labels = attributes
            .iter()
            .map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned()))
            .collect();
        // Two are counters, the others histograms.
        let key = if name.ends_with(".started") {
            "value"
        } else {
            "count"
        };
        let count = object[key].as_u64().unwrap();
        assert_eq!(object.as_object().unwrap().len(), 3, "{line}");
        let before = counts.insert((name, labels), count);
        assert_eq!(before, None, "{line}");
    }
    counts
}

/// What the collector was sent.
fn collected(request: ExportMetricsServiceRequest) -> Counts {
    let mut counts = Counts::new();
    let resources = request.resource_metrics.into_iter();
    for scope in resources.flat_map(|it| it.scope_metrics) {
        assert_eq!(scope.scope.unwrap().name, "grpc-runtime");
        for metric in scope.metrics {
            let instrument: Instrument = metric.name.parse().unwrap();
            assert_eq!(metric.unit, instrument.unit());
            assert_eq!(metric.description, instrument.description());
            let mut add = |labels: &[KeyValue], count| {
                let key = (metric.name.clone(), labels_of(labels));
                assert_eq!(counts.insert(key, count), None);
            };
            match metric.data.unwrap() {
                metric::Data::Sum(sum) => {
                    assert!(sum.is_monotonic);
                    is_cumulative(sum.aggregation_temporality());
                    for point in sum.data_points {
                        assert!(point.start_time_unix_nano <= point.time_unix_nano);
                        let Some(number_data_point::Value::AsInt(value)) = point.value else {
                            panic!("no integer: {point:?}");
                        };
                        add(&point.attributes, value.try_into().unwrap());
                    }
                }
                metric::Data::Histogram(histogram) => {
                    is_cumulative(histogram.aggregation_temporality());
                    for point in histogram.data_points {
                        assert_eq!(point.explicit_bounds, instrument.buckets());
                        assert_eq!(point.bucket_counts.iter().sum::<u64>(), point.count);
                        assert!(point.max <= point.sum, "{point:?}");
                        add(&point.attributes, point.count);
                    }
                }
                metric::Data::Gauge(gauge) => panic!("gRPC has none: {gauge:?}"),
            }
        }
    }
    counts
}

fn is_cumulative(temporality: AggregationTemporality) {
    assert_eq!(temporality, AggregationTemporality::Cumulative);
}

fn labels_of(attributes: &[KeyValue]) -> Labels {
    let labels = attributes.iter().map(|it| {
        let value = it.value.clone().unwrap().value;
        let Some(any_value::Value::StringValue(value)) = value else {
            panic!("no text: {it:?}");
        };
        (it.key.clone(), value)
    });
    labels.collect()
}

/// Of one instrument, what was counted by this label.
fn by(counts: &Counts, instrument: &str, label: &str) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for ((name, labels), count) in counts {
        if name == instrument {
            *sums.entry(labels[label].clone()).or_default() += count;
        }
    }
    sums
}

fn table<const N: usize>(rows: [(&str, u64); N]) -> BTreeMap<String, u64> {
    rows.map(|(name, count)| (name.to_owned(), count)).into()
}

/// By code how many lines of the access log there are, each of which is one of the server's.
fn logged(errors: &str) -> BTreeMap<String, u64> {
    let mut codes = BTreeMap::new();
    for line in errors.lines() {
        if line.split(' ').nth(1) == Some("server") {
            let (_, code) = line.split_once(" code=").unwrap();
            let (code, _) = code.split_once(' ').unwrap();
            *codes.entry(code.to_owned()).or_default() += 1;
        }
    }
    codes
}

/// What the example did with a collector.
struct Run {
    output: String,
    errors: String,
    ended_well: bool,
    requests: Receiver<ExportMetricsServiceRequest>,
}

/// Starts a collector that gives this answer; what it is sent.
async fn collect(
    builder: ServerBuilder,
    answer: ExportMetricsServiceResponse,
) -> (Server, Receiver<ExportMetricsServiceRequest>) {
    let (sender, requests) = channel();
    let collector = Collector {
        requests: Mutex::new(sender),
        answer,
    };
    let builder = builder.add_service(MetricsServiceServer::new(collector));
    let server = builder.listen("127.0.0.1:0").start().await.unwrap();
    (server, requests)
}

/// Runs the example with a collector that gives this answer.
async fn run_with_collector(answer: ExportMetricsServiceResponse) -> Run {
    let (server, requests) = collect(Server::builder(), answer).await;
    let address = server.addresses()[0].clone();
    let run = move || {
        let calls = CALLS.to_string();
        Program::start("observed", &["--calls", &calls, "--otlp", &address]).finish()
    };
    let (output, errors, ended_well) = tokio::task::spawn_blocking(run).await.unwrap();
    Run {
        output,
        errors,
        ended_well,
        requests,
    }
}

#[tokio::test]
async fn observed_counts_each_call_once_and_a_collector_is_sent_the_same() {
    let run = run_with_collector(ExportMetricsServiceResponse::default()).await;
    assert!(run.ended_well, "{}", run.errors);
    let (counts, errors) = (printed(&run.output), run.errors);

    let names: BTreeSet<_> = counts.keys().map(|(name, _)| name.as_str()).collect();
    let of_a66 = Instrument::all().filter(|it| it.is_on_by_default());
    assert_eq!(names, of_a66.map(Instrument::name).collect());

    // To their caller, calls end as they were meant to.
    let as_meant = table([
        ("CANCELLED", FIFTH),
        ("DEADLINE_EXCEEDED", FIFTH),
        ("INVALID_ARGUMENT", FIFTH),
        ("OK", FIFTH),
        ("UNIMPLEMENTED", FIFTH),
    ]);
    // The server does not have all the methods that its client calls.
    let called = table([
        ("example.HelloService/LotsOfReplies", FIFTH),
        ("example.HelloService/SayGoodbye", FIFTH),
        ("example.HelloService/SayHello", 3 * FIFTH),
    ]);
    let served = table([
        ("example.HelloService/LotsOfReplies", FIFTH),
        ("example.HelloService/SayHello", 3 * FIFTH),
        ("other", FIFTH),
    ]);
    for name in names {
        let methods = by(&counts, name, "grpc.method");
        let side = name.strip_prefix("grpc.").unwrap();
        if side.starts_with("client.") {
            assert_eq!(methods, called, "{name}");
        } else {
            assert_eq!(methods, served, "{name}");
        }
        if side.starts_with("client.") && !name.ends_with(".started") {
            assert_eq!(by(&counts, name, "grpc.status"), as_meant, "{name}");
        }
    }

    // A server may hear that its client gave up before it sees itself that time is over.
    let mut codes = by(&counts, DURATION, "grpc.status");
    assert_eq!(logged(&errors), codes, "{errors}");
    assert_eq!(codes.values().sum::<u64>(), CALLS);
    let too_late = codes.remove("DEADLINE_EXCEEDED").unwrap_or_default();
    *codes.get_mut("CANCELLED").unwrap() += too_late;
    let as_seen = table([
        ("CANCELLED", 2 * FIFTH),
        ("INVALID_ARGUMENT", FIFTH),
        ("OK", FIFTH),
        ("UNIMPLEMENTED", FIFTH),
    ]);
    assert_eq!(codes, as_seen);

    // The last one has the sums of all calls; one a minute comes before.
    let last = run.requests.try_iter().last().unwrap();
    assert_eq!(collected(last), counts);
}

#[test]
fn observed_has_a_span_for_each_call_on_both_sides_in_which_handlers_log() {
    let calls = CALLS.to_string();
    let (_, errors, _) = Program::start("observed", &["--calls", &calls]).finish();
    let closed = |target| {
        let of_target = |line: &&str| line.contains(target) && line.contains(" close ");
        errors.lines().filter(of_target).count() as u64
    };
    assert_eq!(closed("grpc_runtime::client: "), CALLS, "{errors}");
    // A call of no method that is there has none.
    assert_eq!(closed("grpc_runtime::server: "), CALLS - FIFTH, "{errors}");
    let greeted = |line: &&str| line.contains("greeted name=\"Ada\"") && line.contains("call{");
    let greeted = errors.lines().filter(greeted);
    assert_eq!(greeted.count() as u64, FIFTH, "{errors}");
}

#[tokio::test]
async fn observed_tells_that_a_collector_does_not_take_its_metrics_and_prints_them() {
    let problem = ExportMetricsPartialSuccess {
        rejected_data_points: 1,
        error_message: "the disk is full".to_owned(),
    };
    let answer = ExportMetricsServiceResponse {
        partial_success: Some(problem),
    };
    let run = run_with_collector(answer).await;
    assert!(!run.ended_well);
    let told = "a collector did not take metrics problem=\"the disk is full\"";
    assert!(run.errors.contains(told), "{}", run.errors);
    let calls = by(&printed(&run.output), DURATION, "grpc.method");
    assert_eq!(calls.values().sum::<u64>(), CALLS);
}

/// The way of OpenTelemetry's own exporter to a collector: the body of its request by HTTP
/// is the message of a call.
#[derive(Debug)]
struct ByCalls(Channel);

#[async_trait::async_trait]
impl HttpClient for ByCalls {
    async fn send_bytes(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, HttpError> {
        let message = ExportMetricsServiceRequest::decode(request.into_body())?;
        let stub = MetricsServiceStub::new(self.0.clone());
        let response = stub.export(message).await?;
        Ok(http::Response::new(response.encode_to_vec().into()))
    }
}

#[tokio::test]
async fn opentelemetrys_own_exporter_sends_the_metrics_too() {
    let answer = ExportMetricsServiceResponse::default;
    let (collector, requests) = collect(Server::builder(), answer()).await;
    let exporter = MetricExporter::builder()
        .with_http()
        .with_http_client(ByCalls(
            Channel::insecure(&collector.addresses()[0]).unwrap(),
        ))
        .build()
        .unwrap();
    let provider = SdkMeterProvider::builder().with_periodic_exporter(exporter);
    let provider = provider.build();
    let metrics = Metrics::new(&provider);

    // Calls of another server's.
    let observed = Server::builder().observe(metrics.clone());
    let (server, _kept) = collect(observed, answer()).await;
    let channel = Channel::builder(&server.addresses()[0])
        .unwrap()
        .observe(metrics)
        .build(ChannelCredentials::insecure())
        .unwrap();
    let stub = MetricsServiceStub::new(channel);
    for _ in 0..CALLS {
        let request = ExportMetricsServiceRequest::default();
        stub.export(request).await.unwrap();
    }
    server.shutdown(Duration::from_secs(5)).await;
    let flushed = tokio::task::spawn_blocking(move || provider.shutdown());
    flushed.await.unwrap().unwrap();

    let counts = collected(requests.try_iter().last().unwrap());
    let names: BTreeSet<_> = counts.keys().map(|(name, _)| name.as_str()).collect();
    let of_a66 = Instrument::all().filter(|it| it.is_on_by_default());
    assert_eq!(names, of_a66.map(Instrument::name).collect());
    let export = "opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
    for name in names {
        let methods = by(&counts, name, "grpc.method");
        assert_eq!(methods, table([(export, CALLS)]), "{name}");
        if !name.ends_with(".started") {
            assert_eq!(by(&counts, name, "grpc.status"), table([("OK", CALLS)]));
        }
    }
}

#[test]
fn observed_refuses_what_it_does_not_know() {
    for arguments in [&["--call", "3"][..], &["--calls"], &["--calls", "few"]] {
        let (output, errors, ended_well) = Program::start("observed", arguments).finish();
        assert!(!ended_well && output.is_empty(), "{arguments:?}: {errors}");
    }
}
