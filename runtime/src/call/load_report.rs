//! What a server reports of its load with a call (gRFC A51), and its way through the
//! call's trailers.

use std::collections::BTreeMap;

use prost::Message;

use crate::metadata::Metadata;

/// The trailing metadata that carry a report.
const KEY: &str = "endpoint-load-metrics-bin";

/// What a server reports of its load with a call (gRFC A51): the message
/// `xds.data.orca.v3.OrcaLoadReport`. A handler fills it in by
/// [`Context::load`](crate::Context::load);
/// [`WeightedRoundRobin`](crate::WeightedRoundRobin) reads it, and everybody else by
/// [`from_metadata`](Self::from_metadata).
///
/// The runtime measures nothing: a server sets what it knows.
/// [`WeightedRoundRobin`](crate::WeightedRoundRobin) needs [calls a second](Self::set_qps)
/// and the use of the [application](Self::set_application_utilization) or of the
/// [processors](Self::set_cpu_utilization), both above 0.
///
/// A rate or a share that cannot be is left out: one that is negative or no number, and a
/// share above 1. Costs and named metrics are taken as they are.
///
/// ```
/// use grpc_runtime::{LoadReport, Metadata};
///
/// fn is_busy(trailing_metadata: &Metadata) -> bool {
///     let report = LoadReport::from_metadata(trailing_metadata);
///     report.is_some_and(|report| report.cpu_utilization() > 0.9)
/// }
/// ```
#[derive(Clone, PartialEq, Message)]
pub struct LoadReport {
    #[prost(double, tag = "1")]
    cpu_utilization: f64,
    #[prost(double, tag = "2")]
    memory_utilization: f64,
    #[prost(btree_map = "string, double", tag = "4")]
    request_costs: BTreeMap<String, f64>,
    #[prost(btree_map = "string, double", tag = "5")]
    utilizations: BTreeMap<String, f64>,
    #[prost(double, tag = "6")]
    qps: f64,
    #[prost(double, tag = "7")]
    eps: f64,
    #[prost(btree_map = "string, double", tag = "8")]
    named_metrics: BTreeMap<String, f64>,
    #[prost(double, tag = "9")]
    application_utilization: f64,
}

/// Sets a field unless the value cannot be.
fn set(field: &mut f64, value: f64, most: f64) {
    if (0.0..=most).contains(&value) && value.is_finite() {
        *field = value;
    }
}

impl LoadReport {
    /// One that says nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The report in a call's trailing metadata, if there is one.
    pub fn from_metadata(metadata: &Metadata) -> Option<Self> {
        Self::decode(metadata.get_bin(KEY)?).ok()
    }

    /// Puts the report into a call's trailing metadata, in place of one that is there.
    pub fn write(&self, metadata: &mut Metadata) {
        // The key is a good one.
        let _ = metadata.insert_bin(KEY, self.encode_to_vec());
    }

    /// Says how much of its processors the server uses; above 1 where it may use more
    /// than it asked for.
    pub fn set_cpu_utilization(&mut self, value: f64) -> &mut Self {
        set(&mut self.cpu_utilization, value, f64::MAX);
        self
    }

    /// Says how much of its memory the server uses, from 0 to 1.
    pub fn set_memory_utilization(&mut self, value: f64) -> &mut Self {
        set(&mut self.memory_utilization, value, 1.0);
        self
    }

    /// Says how busy the server is in a measure of its own, where 1 is what it should
    /// be at most. Balancing goes by it rather than by the processors' use.
    pub fn set_application_utilization(&mut self, value: f64) -> &mut Self {
        set(&mut self.application_utilization, value, f64::MAX);
        self
    }

    /// Says how many calls a second the server has. Without it
    /// [`WeightedRoundRobin`](crate::WeightedRoundRobin) has no use for the report.
    pub fn set_qps(&mut self, value: f64) -> &mut Self {
        set(&mut self.qps, value, f64::MAX);
        self
    }

    /// Says how many of its calls fail a second.
    pub fn set_eps(&mut self, value: f64) -> &mut Self {
        set(&mut self.eps, value, f64::MAX);
        self
    }

    /// Says what this call has cost of something, in whatever unit.
    pub fn set_request_cost(&mut self, name: impl Into<String>, value: f64) -> &mut Self {
        self.request_costs.insert(name.into(), value);
        self
    }

    /// Says how much of something the server uses, from 0 to 1.
    pub fn set_utilization(&mut self, name: impl Into<String>, value: f64) -> &mut Self {
        if (0.0..=1.0).contains(&value) {
            self.utilizations.insert(name.into(), value);
        }
        self
    }

    /// Says anything else that is a number.
    pub fn set_named_metric(&mut self, name: impl Into<String>, value: f64) -> &mut Self {
        self.named_metrics.insert(name.into(), value);
        self
    }

    /// How much of its processors the server uses; 0 where it does not say.
    pub fn cpu_utilization(&self) -> f64 {
        self.cpu_utilization
    }

    /// How much of its memory the server uses; 0 where it does not say.
    pub fn memory_utilization(&self) -> f64 {
        self.memory_utilization
    }

    /// How busy the server is in a measure of its own; 0 where it does not say.
    pub fn application_utilization(&self) -> f64 {
        self.application_utilization
    }

    /// How many calls a second the server has; 0 where it does not say.
    pub fn qps(&self) -> f64 {
        self.qps
    }

    /// How many of its calls fail a second; 0 where it does not say.
    pub fn eps(&self) -> f64 {
        self.eps
    }

    /// What the call has cost of each thing.
    pub fn request_costs(&self) -> &BTreeMap<String, f64> {
        &self.request_costs
    }

    /// How much of each thing the server uses.
    pub fn utilizations(&self) -> &BTreeMap<String, f64> {
        &self.utilizations
    }

    /// What else the server says.
    pub fn named_metrics(&self) -> &BTreeMap<String, f64> {
        &self.named_metrics
    }
}

#[cfg(test)]
mod tests;
