//! Metrics as lines of JSON, for people and scripts: one for each instrument and set of
//! labels.

use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::metrics::data::{
    AggregatedMetrics, MetricData, ResourceMetrics, ScopeMetrics,
};
use serde_json::json;

/// For a counter a line has its `value`, for a histogram the `count` of its measurements:
///
/// ```json
/// {"name":"grpc.server.call.started","attributes":{"grpc.method":"other"},"value":4}
/// ```
pub(crate) fn lines(metrics: &ResourceMetrics) -> Vec<String> {
    let mut lines = Vec::new();
    for metric in metrics.scope_metrics().flat_map(ScopeMetrics::metrics) {
        let series = match metric.data() {
            AggregatedMetrics::F64(data) => series(data),
            AggregatedMetrics::I64(data) => series(data),
            AggregatedMetrics::U64(data) => series(data),
        };
        let name = json!(metric.name());
        for (attributes, kind, number) in series {
            lines.push(format!(
                r#"{{"name":{name},"attributes":{attributes},"{kind}":{number}}}"#
            ));
        }
    }
    // The SDK has them in no order.
    lines.sort();
    lines
}

/// The labels of each series, the name of its number, and the number.
type Series = (serde_json::Value, &'static str, serde_json::Value);

fn series<T: Copy + Into<serde_json::Value>>(data: &MetricData<T>) -> Vec<Series> {
    match data {
        MetricData::Sum(sum) => sum
            .data_points()
            .map(|it| (labels(it.attributes()), "value", it.value().into()))
            .collect(),
        MetricData::Histogram(histogram) => histogram
            .data_points()
            .map(|it| (labels(it.attributes()), "count", it.count().into()))
            .collect(),
        // gRPC's instruments are all counters and histograms.
        MetricData::Gauge(_) | MetricData::ExponentialHistogram(_) => Vec::new(),
    }
}

fn labels<'a>(attributes: impl Iterator<Item = &'a KeyValue>) -> serde_json::Value {
    let labels = attributes.map(|it| {
        let value = match &it.value {
            Value::Bool(value) => json!(value),
            Value::I64(value) => json!(value),
            Value::F64(value) => json!(value),
            other => json!(other.as_str()),
        };
        (it.key.to_string(), value)
    });
    serde_json::Value::Object(labels.collect())
}
