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
    /// A provider without support for bound instruments (also `opentelemetry_sdk` without
    /// its feature for them) silently drops records of bound ones. A provider that binds
    /// keeps the labels, so the text of the method has one more owner afterwards. A provider
    /// that had equal labels before, from other metrics, may not keep these: then they are
    /// not bound here, and a record costs more.
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
mod tests;
