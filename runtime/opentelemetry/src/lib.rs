//! x
mod metrics;
mod traces;

pub use metrics::{Instrument, Metrics, MetricsBuilder, OptionalLabel, UnknownInstrument};
pub use traces::{GrpcTraceBin, Traces};
