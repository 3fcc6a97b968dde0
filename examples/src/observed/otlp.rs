//! Metrics for a collector, by OTLP: the stub is generated from its `.proto` files as any
//! other. The crate `opentelemetry-otlp` does the same over another gRPC implementation.

mod proto {
    grpc_runtime::include_proto!("otlp");
}

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use grpc_runtime::{Channel, ChannelError, tracing};
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::{
    AggregatedMetrics, Gauge, Histogram, Metric, MetricData, ResourceMetrics, Sum,
};
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;

use proto::opentelemetry::proto::collector::metrics::v1::{
    ExportMetricsServiceRequest, MetricsServiceStub,
};
use proto::opentelemetry::proto::{common::v1 as common, metrics::v1 as otlp, resource::v1};

/// The timeout of an export. Only the reader waits for it.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Sends the metrics that its reader has collected.
pub(crate) struct Exporter(MetricsServiceStub);

impl Exporter {
    /// The channel has no observers: metrics of sending metrics would never come to rest.
    pub(crate) fn new(address: &str) -> Result<Self, ChannelError> {
        Ok(Self(MetricsServiceStub::new(Channel::insecure(address)?)))
    }
}

impl PushMetricExporter for Exporter {
    /// Its reader calls it on a thread without a runtime, which is nothing to a channel.
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let sent = self.0.export(request(metrics)).timeout(TIMEOUT).await;
        let problem = match sent.map(|response| response.partial_success) {
            // A collector can accept some points and refuse others.
            Ok(Some(partial)) if partial.rejected_data_points > 0 => partial.error_message,
            Ok(_) => return Ok(()),
            Err(status) => status.to_string(),
        };
        // The reader does not report errors, so log this one. The next export contains the
        // lost sums.
        tracing::warn!(problem, "a collector did not take metrics");
        Err(OTelSdkError::InternalFailure(problem))
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }

    /// Sums since the program began, so that the next export makes up for a lost one.
    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}

fn request(metrics: &ResourceMetrics) -> ExportMetricsServiceRequest {
    let scopes = metrics.scope_metrics().map(|it| otlp::ScopeMetrics {
        scope: Some(scope(it.scope())),
        metrics: it.metrics().map(metric).collect(),
        schema_url: it.scope().schema_url().unwrap_or_default().to_owned(),
    });
    let of_resource = otlp::ResourceMetrics {
        resource: Some(resource(metrics.resource())),
        scope_metrics: scopes.collect(),
        schema_url: metrics
            .resource()
            .schema_url()
            .unwrap_or_default()
            .to_owned(),
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![of_resource],
    }
}

fn resource(resource: &Resource) -> v1::Resource {
    let attributes = resource.iter();
    v1::Resource {
        attributes: attributes
            .map(|(key, value)| attribute(key.as_str(), value))
            .collect(),
    }
}

fn scope(scope: &InstrumentationScope) -> common::InstrumentationScope {
    common::InstrumentationScope {
        name: scope.name().to_owned(),
        version: scope.version().unwrap_or_default().to_owned(),
        attributes: attributes(scope.attributes()),
    }
}

fn metric(metric: &Metric) -> otlp::Metric {
    otlp::Metric {
        name: metric.name().to_owned(),
        description: metric.description().to_owned(),
        unit: metric.unit().to_owned(),
        data: match metric.data() {
            AggregatedMetrics::F64(data) => of_data(data),
            AggregatedMetrics::I64(data) => of_data(data),
            AggregatedMetrics::U64(data) => of_data(data),
        },
    }
}

fn of_data<T: Number>(data: &MetricData<T>) -> Option<otlp::metric::Data> {
    match data {
        MetricData::Gauge(gauge) => Some(otlp::metric::Data::Gauge(of_gauge(gauge))),
        MetricData::Sum(sum) => Some(otlp::metric::Data::Sum(of_sum(sum))),
        MetricData::Histogram(it) => Some(otlp::metric::Data::Histogram(of_histogram(it))),
        // There are none unless a view asks for them.
        MetricData::ExponentialHistogram(_) => None,
    }
}

fn of_gauge<T: Number>(gauge: &Gauge<T>) -> otlp::Gauge {
    let points = gauge.data_points().map(|point| otlp::NumberDataPoint {
        attributes: attributes(point.attributes()),
        start_time_unix_nano: gauge.start_time().map_or(0, nanos),
        time_unix_nano: nanos(gauge.time()),
        value: Some(point.value().exact()),
    });
    otlp::Gauge {
        data_points: points.collect(),
    }
}

fn of_sum<T: Number>(sum: &Sum<T>) -> otlp::Sum {
    let points = sum.data_points().map(|point| otlp::NumberDataPoint {
        attributes: attributes(point.attributes()),
        start_time_unix_nano: nanos(sum.start_time()),
        time_unix_nano: nanos(sum.time()),
        value: Some(point.value().exact()),
    });
    otlp::Sum {
        data_points: points.collect(),
        aggregation_temporality: temporality(sum.temporality()).into(),
        is_monotonic: sum.is_monotonic(),
    }
}

fn of_histogram<T: Number>(histogram: &Histogram<T>) -> otlp::Histogram {
    let points = histogram
        .data_points()
        .map(|point| otlp::HistogramDataPoint {
            attributes: attributes(point.attributes()),
            start_time_unix_nano: nanos(histogram.start_time()),
            time_unix_nano: nanos(histogram.time()),
            count: point.count(),
            sum: Some(point.sum().double()),
            bucket_counts: point.bucket_counts().collect(),
            explicit_bounds: point.bounds().collect(),
            min: point.min().map(Number::double),
            max: point.max().map(Number::double),
        });
    otlp::Histogram {
        data_points: points.collect(),
        aggregation_temporality: temporality(histogram.temporality()).into(),
    }
}

/// The number types of the SDK.
trait Number: Copy {
    /// Of points that are one number.
    fn exact(self) -> otlp::number_data_point::Value;
    /// Of histograms, whose sums OTLP has in no other type.
    fn double(self) -> f64;
}

impl Number for f64 {
    fn exact(self) -> otlp::number_data_point::Value {
        otlp::number_data_point::Value::AsDouble(self)
    }

    fn double(self) -> f64 {
        self
    }
}

impl Number for i64 {
    fn exact(self) -> otlp::number_data_point::Value {
        otlp::number_data_point::Value::AsInt(self)
    }

    #[expect(clippy::cast_precision_loss, reason = "a sum to be looked at")]
    fn double(self) -> f64 {
        self as f64
    }
}

impl Number for u64 {
    /// OTLP's integers are signed.
    fn exact(self) -> otlp::number_data_point::Value {
        otlp::number_data_point::Value::AsInt(i64::try_from(self).unwrap_or(i64::MAX))
    }

    #[expect(clippy::cast_precision_loss, reason = "a sum to be looked at")]
    fn double(self) -> f64 {
        self as f64
    }
}

fn attributes<'a>(attributes: impl Iterator<Item = &'a KeyValue>) -> Vec<common::KeyValue> {
    attributes
        .map(|it| attribute(it.key.as_str(), &it.value))
        .collect()
}

fn attribute(key: &str, value: &Value) -> common::KeyValue {
    use common::any_value::Value as Any;

    let value = match value {
        Value::Bool(value) => Any::BoolValue(*value),
        Value::I64(value) => Any::IntValue(*value),
        Value::F64(value) => Any::DoubleValue(*value),
        other => Any::StringValue(other.as_str().into_owned()),
    };
    common::KeyValue {
        key: key.to_owned(),
        value: Some(common::AnyValue { value: Some(value) }),
    }
}

fn temporality(temporality: Temporality) -> otlp::AggregationTemporality {
    match temporality {
        Temporality::Delta => otlp::AggregationTemporality::Delta,
        _ => otlp::AggregationTemporality::Cumulative,
    }
}

fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
