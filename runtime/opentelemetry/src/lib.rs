//! OpenTelemetry of grpc-runtime's calls. It reaches the runtime through its public API
//! alone, and what is collected through providers that it is given.
//!
#![doc = include_str!("../README.md")]
// docs.rs documents what a feature brings as such.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod metrics;
mod traces;

pub use metrics::{Instrument, Metrics, MetricsBuilder, OptionalLabel, UnknownInstrument};
pub use traces::{GrpcTraceBin, Traces};
