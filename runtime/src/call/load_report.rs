//! A server's load report for a call (gRFC A51), and its encoding in the call's trailers.

use std::collections::BTreeMap;

use prost::Message;

use crate::metadata::Metadata;

/// The key of the trailing metadata that carries a report.
const KEY: &str = "endpoint-load-metrics-bin";

/// What a server reports of its load with a call (gRFC A51): the message
/// `xds.data.orca.v3.OrcaLoadReport`. A handler fills it in by
/// [`Context::load`](crate::Context::load);
/// [`WeightedRoundRobin`](crate::WeightedRoundRobin) reads it, and everybody else by
/// [`from_metadata`](Self::from_metadata).
///
/// The runtime measures nothing: the server sets the values.
/// [`WeightedRoundRobin`](crate::WeightedRoundRobin) needs [calls per
/// second](Self::set_qps) and the utilization of the
/// [application](Self::set_application_utilization) or of the
/// [processors](Self::set_cpu_utilization), both above 0.
///
/// Setters ignore an invalid value: a rate or utilization that is negative, infinite or not
/// a number, and one above 1 where the range ends at 1. Costs and named metrics are taken
/// as they are.
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

/// Sets a field; ignores a value outside 0 to `most` or not finite.
fn set(field: &mut f64, value: f64, most: f64) {
    if (0.0..=most).contains(&value) && value.is_finite() {
        *field = value;
    }
}

impl LoadReport {
    /// An empty report.
    pub fn new() -> Self {
        Self::default()
    }

    /// The report in a call's trailing metadata; `None` if there is none or it cannot be
    /// decoded.
    pub fn from_metadata(metadata: &Metadata) -> Option<Self> {
        Self::decode(metadata.get_bin(KEY)?).ok()
    }

    /// Puts the report into a call's trailing metadata, replacing one that is there.
    pub fn write(&self, metadata: &mut Metadata) {
        // The key is valid.
        let _ = metadata.insert_bin(KEY, self.encode_to_vec());
    }

    /// Sets the utilization of the server's processors, from 0; above 1 if it uses more
    /// than was reserved for it.
    pub fn set_cpu_utilization(&mut self, value: f64) -> &mut Self {
        set(&mut self.cpu_utilization, value, f64::MAX);
        self
    }

    /// Sets the utilization of the server's memory, from 0 to 1.
    pub fn set_memory_utilization(&mut self, value: f64) -> &mut Self {
        set(&mut self.memory_utilization, value, 1.0);
        self
    }

    /// Sets the server's load in an application-defined measure, from 0, where 1 is the
    /// most it should have. Balancing prefers it to the processors' utilization.
    pub fn set_application_utilization(&mut self, value: f64) -> &mut Self {
        set(&mut self.application_utilization, value, f64::MAX);
        self
    }

    /// Sets the calls per second that the server handles. Without it
    /// [`WeightedRoundRobin`](crate::WeightedRoundRobin) ignores the report.
    pub fn set_qps(&mut self, value: f64) -> &mut Self {
        set(&mut self.qps, value, f64::MAX);
        self
    }

    /// Sets the failed calls per second.
    pub fn set_eps(&mut self, value: f64) -> &mut Self {
        set(&mut self.eps, value, f64::MAX);
        self
    }

    /// Sets the cost of this call in the resource `name`, in any unit.
    pub fn set_request_cost(&mut self, name: impl Into<String>, value: f64) -> &mut Self {
        self.request_costs.insert(name.into(), value);
        self
    }

    /// Sets the utilization of the resource `name`, from 0 to 1.
    pub fn set_utilization(&mut self, name: impl Into<String>, value: f64) -> &mut Self {
        if (0.0..=1.0).contains(&value) {
            self.utilizations.insert(name.into(), value);
        }
        self
    }

    /// Sets the application-defined metric `name`.
    pub fn set_named_metric(&mut self, name: impl Into<String>, value: f64) -> &mut Self {
        self.named_metrics.insert(name.into(), value);
        self
    }

    /// The utilization of the server's processors; 0 if not reported.
    pub fn cpu_utilization(&self) -> f64 {
        self.cpu_utilization
    }

    /// The utilization of the server's memory, from 0 to 1; 0 if not reported.
    pub fn memory_utilization(&self) -> f64 {
        self.memory_utilization
    }

    /// The server's load in an application-defined measure; 0 if not reported.
    pub fn application_utilization(&self) -> f64 {
        self.application_utilization
    }

    /// The calls per second that the server handles; 0 if not reported.
    pub fn qps(&self) -> f64 {
        self.qps
    }

    /// The failed calls per second; 0 if not reported.
    pub fn eps(&self) -> f64 {
        self.eps
    }

    /// The cost of this call in each resource.
    pub fn request_costs(&self) -> &BTreeMap<String, f64> {
        &self.request_costs
    }

    /// The utilization of each named resource, from 0 to 1.
    pub fn utilizations(&self) -> &BTreeMap<String, f64> {
        &self.utilizations
    }

    /// The application-defined metrics.
    pub fn named_metrics(&self) -> &BTreeMap<String, f64> {
        &self.named_metrics
    }
}

#[cfg(test)]
mod tests;
