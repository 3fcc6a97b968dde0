//! Metrics.
mod metrics;
pub use metrics::{Instrument, Metrics, MetricsBuilder, OptionalLabel, UnknownInstrument};
