//! An instrument with its labels: what one set of labels is counted by. A record takes no
//! look at the labels where the provider can bind them.

use std::sync::Arc;

use grpc_runtime::Code;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{BoundCounter, BoundHistogram, Counter, Histogram};

use super::labels::{Labels, Names};

/// The labels of one series.
#[derive(Clone, Copy)]
pub(crate) struct SeriesLabels<'a> {
    pub(crate) labels: &'a Labels,
    pub(crate) names: Names,
    pub(crate) code: Option<Code>,
}

impl SeriesLabels<'_> {
    /// The labels; and what `bind` gives for them, if it binds.
    ///
    /// What a provider cannot bind it drops without a word: one that does not know of
    /// bound instruments, and opentelemetry_sdk without its feature for them. Who does
    /// bind keeps the labels, so the text of the method has then an owner more. A provider
    /// that had the labels before, from other metrics, needs not keep these: then they are
    /// not bound here, and a record is dearer.
    fn bind<B>(self, bind: impl FnOnce(&[KeyValue]) -> B) -> (Vec<KeyValue>, Option<B>) {
        let method = self.labels.method(self.names);
        let labels = self.labels.set(self.names, Arc::clone(&method), self.code);
        let owners = Arc::strong_count(&method);
        let bound = bind(&labels);
        let is_kept = Arc::strong_count(&method) > owners;
        (labels, is_kept.then_some(bound))
    }
}

/// Of a counter.
pub(crate) enum CounterSeries {
    Off,
    Bound(BoundCounter<u64>),
    Labelled(Counter<u64>, Vec<KeyValue>),
}

impl CounterSeries {
    pub(crate) fn of(counter: Option<&Counter<u64>>, labels: SeriesLabels<'_>) -> Self {
        let Some(counter) = counter else {
            return Self::Off;
        };
        match labels.bind(|labels| counter.bind(labels)) {
            (_, Some(bound)) => Self::Bound(bound),
            (labels, None) => Self::Labelled(counter.clone(), labels),
        }
    }

    #[inline]
    pub(crate) fn add(&self, value: u64) {
        match self {
            Self::Off => {}
            Self::Bound(counter) => counter.add(value),
            Self::Labelled(counter, labels) => counter.add(value, labels),
        }
    }
}

/// Of a histogram.
pub(crate) enum HistogramSeries<T> {
    Off,
    Bound(BoundHistogram<T>),
    Labelled(Histogram<T>, Vec<KeyValue>),
}

impl<T> HistogramSeries<T> {
    pub(crate) fn of(histogram: Option<&Histogram<T>>, labels: SeriesLabels<'_>) -> Self
    where
        T: Clone,
    {
        let Some(histogram) = histogram else {
            return Self::Off;
        };
        match labels.bind(|labels| histogram.bind(labels)) {
            (_, Some(bound)) => Self::Bound(bound),
            (labels, None) => Self::Labelled(histogram.clone(), labels),
        }
    }

    #[inline]
    pub(crate) fn record(&self, value: T) {
        match self {
            Self::Off => {}
            Self::Bound(histogram) => histogram.record(value),
            Self::Labelled(histogram, labels) => histogram.record(value, labels),
        }
    }
}

#[cfg(test)]
mod tests {
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
}
