//! Shared by the tests: a service that answers as the request asks, and the metrics
//! collected of its calls.

#![allow(dead_code, reason = "not every test needs all of it")]
#![allow(clippy::cast_precision_loss, reason = "small numbers")]

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use grpc_opentelemetry::{Metrics, MetricsBuilder};
use grpc_runtime::{
    Channel, ChannelBuilder, Context, Method, Receiver, Sender, Service, Status, UnaryCall,
};
use grpc_testing::Network;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, Metric, MetricData};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};

pub(crate) const GET: Method = Method::unary("/shop.Orders/Get");
pub(crate) const LIST: Method = Method::server_streaming("/shop.Orders/List");
pub(crate) const IMPORT: Method = Method::client_streaming("/shop.Orders/Import");
pub(crate) const CHAT: Method = Method::bidi_streaming("/shop.Orders/Chat");
pub(crate) const MISSING: Method = Method::unary("/shop.Orders/Missing");

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn text(text: &str) -> String {
    text.to_owned()
}

/// Does what the request says.
pub(crate) struct Obeys;

async fn obey(order: &str) -> Result<(), Status> {
    match order {
        "fail" => Err(Status::not_found("no such order")),
        "panic" => panic!("this panic is part of a test"),
        "wait" => pending().await,
        "rest" => {
            tokio::time::sleep(30 * MS).await;
            Ok(())
        }
        _ => Ok(()),
    }
}

async fn get(_: &Obeys, order: String, _context: &mut Context) -> Result<String, Status> {
    obey(&order).await?;
    Ok(order)
}

async fn list(
    _: &Obeys,
    order: String,
    replies: &mut Sender<String>,
    _context: &mut Context,
) -> Result<(), Status> {
    for _ in 0..3 {
        replies.send(text("a book")).await?;
    }
    obey(&order).await
}

async fn import(
    _: &Obeys,
    orders: &mut Receiver<String>,
    _context: &mut Context,
) -> Result<String, Status> {
    while let Some(order) = orders.next().await? {
        obey(&order).await?;
    }
    Ok(text("done"))
}

async fn chat(
    _: &Obeys,
    orders: &mut Receiver<String>,
    replies: &mut Sender<String>,
    _context: &mut Context,
) -> Result<(), Status> {
    while let Some(order) = orders.next().await? {
        obey(&order).await?;
        replies.send(order).await?;
    }
    Ok(())
}

pub(crate) fn service() -> Service {
    Service::builder("shop.Orders", Arc::new(Obeys))
        .unary(GET, get)
        .server_streaming(LIST, list)
        .client_streaming(IMPORT, import)
        .bidi_streaming(CHAT, chat)
        .build()
}

/// A channel to the server `shop` of a network.
pub(crate) fn to_shop(network: &Network) -> ChannelBuilder {
    let builder = Channel::builder("passthrough:///shop").unwrap();
    builder.connector(network.connector("client"))
}

pub(crate) fn unary(channel: &Channel, order: &str) -> UnaryCall<String> {
    UnaryCall::new(channel, GET, &text(order)).timeout(SECOND)
}

/// One series, as it was collected.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) labels: BTreeMap<String, String>,
    /// Of a histogram how many values there were.
    pub(crate) count: u64,
    pub(crate) sum: f64,
    pub(crate) bounds: Vec<f64>,
    /// How many values each of its buckets has.
    pub(crate) buckets: Vec<u64>,
}

/// Metrics, and a provider whose exporter keeps all in memory.
pub(crate) struct Collected {
    pub(crate) provider: SdkMeterProvider,
    exporter: InMemoryMetricExporter,
    pub(crate) metrics: Metrics,
}

impl Collected {
    pub(crate) fn new(builder: MetricsBuilder) -> Self {
        let exporter = InMemoryMetricExporter::default();
        let reader = PeriodicReader::builder(exporter.clone())
            .with_interval(3600 * SECOND)
            .build();
        let provider = SdkMeterProvider::builder().with_reader(reader).build();
        Self {
            metrics: builder.build(&provider),
            provider,
            exporter,
        }
    }

    /// Each instrument that has a value: its name, unit, description, and its series.
    pub(crate) fn all(&self) -> BTreeMap<String, (String, String, Vec<Point>)> {
        self.exporter.reset();
        self.provider.force_flush().unwrap();
        let finished = self.exporter.get_finished_metrics().unwrap();
        let last = finished.last();
        let scopes = last.iter().flat_map(|it| it.scope_metrics());
        let mut all = BTreeMap::new();
        for scope in scopes {
            assert_eq!(scope.scope().name(), "grpc-runtime");
            assert_eq!(scope.scope().version(), Some(env!("CARGO_PKG_VERSION")));
            for metric in scope.metrics() {
                let about = (metric.unit().into(), metric.description().into());
                let before =
                    all.insert(metric.name().to_owned(), (about.0, about.1, points(metric)));
                assert!(before.is_none(), "{} twice", metric.name());
            }
        }
        all
    }

    /// The series of an instrument, in a line each: `{labels} count sum`.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        let all = self.all();
        let points = all.get(name).map_or(&[][..], |(_, _, points)| points);
        let mut lines: Vec<_> = points.iter().map(line).collect();
        lines.sort();
        lines
    }

    /// The values of one label over all instruments.
    pub(crate) fn values(&self, label: &str) -> Vec<String> {
        let all = self.all();
        let points = all.values().flat_map(|(_, _, points)| points);
        let values = points.filter_map(|point| point.labels.get(label).cloned());
        let mut values: Vec<_> = values.collect();
        values.sort();
        values.dedup();
        values
    }
}

fn line(point: &Point) -> String {
    let labels: Vec<_> = point
        .labels
        .iter()
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    // Times are told to the millisecond.
    let sum = (point.sum * 1e3).round() / 1e3;
    format!("{{{}}} {} {sum}", labels.join(" "), point.count)
}

fn points(metric: &Metric) -> Vec<Point> {
    match metric.data() {
        AggregatedMetrics::F64(MetricData::Histogram(histogram)) => {
            let points = histogram.data_points().map(|point| Point {
                labels: labels(point.attributes()),
                count: point.count(),
                sum: point.sum(),
                bounds: point.bounds().collect(),
                buckets: point.bucket_counts().collect(),
            });
            points.collect()
        }
        AggregatedMetrics::U64(MetricData::Histogram(histogram)) => {
            let points = histogram.data_points().map(|point| Point {
                labels: labels(point.attributes()),
                count: point.count(),
                sum: point.sum() as f64,
                bounds: point.bounds().collect(),
                buckets: point.bucket_counts().collect(),
            });
            points.collect()
        }
        AggregatedMetrics::U64(MetricData::Sum(sum)) => {
            assert!(sum.is_monotonic());
            let points = sum.data_points().map(|point| Point {
                labels: labels(point.attributes()),
                count: point.value(),
                sum: point.value() as f64,
                bounds: Vec::new(),
                buckets: Vec::new(),
            });
            points.collect()
        }
        AggregatedMetrics::I64(MetricData::Sum(sum)) => {
            assert!(!sum.is_monotonic());
            let points = sum.data_points().map(|point| Point {
                labels: labels(point.attributes()),
                count: point.value().unsigned_abs(),
                sum: point.value() as f64,
                bounds: Vec::new(),
                buckets: Vec::new(),
            });
            points.collect()
        }
        other => panic!("{}: {other:?}", metric.name()),
    }
}

fn labels<'a>(
    labels: impl Iterator<Item = &'a opentelemetry::KeyValue>,
) -> BTreeMap<String, String> {
    labels
        .map(|label| (label.key.to_string(), label.value.to_string()))
        .collect()
}
