//! Unit tests of `series`.

use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::metrics::{MeterProvider, SyncInstrument};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};

use super::*;

/// A provider's own, which knows nothing of bound instruments.
struct Plain(AtomicU64);

impl SyncInstrument<u64> for Plain {
    fn measure(&self, value: u64, labels: &[KeyValue]) {
        assert_eq!(labels, [KeyValue::new("grpc.method", "a.B/C")]);
        self.0.fetch_add(value, Ordering::Relaxed);
    }
}

fn labels() -> Labels {
    Labels {
        method: Some("a.B/C".into()),
        target: None,
    }
}

fn of(labels: &Labels) -> SeriesLabels<'_> {
    SeriesLabels {
        labels,
        names: Names::Grpc,
        code: None,
    }
}

#[test]
fn the_sdk_binds() {
    let reader = PeriodicReader::builder(InMemoryMetricExporter::default()).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    let meter = provider.meter("test");
    let (counter, labels) = (meter.u64_counter("c").build(), labels());
    let series = CounterSeries::of(Some(&counter), of(&labels));
    assert!(matches!(series, CounterSeries::Bound(_)));
    let histogram = meter.f64_histogram("h").build();
    let series = HistogramSeries::of(Some(&histogram), of(&labels));
    assert!(matches!(series, HistogramSeries::Bound(_)));
}

#[test]
fn what_a_provider_cannot_bind_is_not_lost() {
    let (plain, labels) = (Arc::new(Plain(AtomicU64::new(0))), labels());
    let counter = Counter::new(plain.clone());
    let series = CounterSeries::of(Some(&counter), of(&labels));
    series.add(2);
    let histogram = Histogram::new(plain.clone());
    let series = HistogramSeries::of(Some(&histogram), of(&labels));
    series.record(5);
    assert_eq!(plain.0.load(Ordering::Relaxed), 7);
}
