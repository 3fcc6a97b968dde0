//! What is said of metrics before they count.

use std::fmt;
use std::sync::{Arc, OnceLock};

use opentelemetry::InstrumentationScope;
use opentelemetry::metrics::MeterProvider;

use super::instrument::{Choice, Instrument};
use super::optional_label::OptionalLabel;
use super::subchannels::Subchannels;
use super::weights::Weights;
use super::{Counted, Filter, Metrics};

/// Says what [`Metrics`] count, and how: made by [`Metrics::builder`].
#[derive(Default)]
#[must_use = "`build` gives the metrics"]
pub struct MetricsBuilder {
    choice: Choice,
    labels: Vec<OptionalLabel>,
    target_filter: Option<Filter>,
    method_filter: Option<Filter>,
}

impl MetricsBuilder {
    /// These instruments count too. By default those of A66 do.
    ///
    /// ```
    /// use grpc_opentelemetry::{Instrument, Metrics};
    ///
    /// let builder = Metrics::builder().enable([
    ///     Instrument::ClientCallRetries,
    ///     "grpc.client.call.retry_delay".parse()?,
    /// ]);
    /// # drop(builder);
    /// # Ok::<(), grpc_opentelemetry::UnknownInstrument>(())
    /// ```
    pub fn enable(mut self, instruments: impl IntoIterator<Item = Instrument>) -> Self {
        for instrument in instruments {
            self.choice.set(instrument, true);
        }
        self
    }

    /// These instruments do not count: they cost nothing.
    pub fn disable(mut self, instruments: impl IntoIterator<Item = Instrument>) -> Self {
        for instrument in instruments {
            self.choice.set(instrument, false);
        }
        self
    }

    /// OpenTelemetry's semantic conventions for RPC in place of A66:
    /// `rpc.client.call.duration` and `rpc.server.call.duration` are on, and A66's nine
    /// are off. The conventions are a release candidate, whose names may change.
    pub fn semantic_conventions(self) -> Self {
        let those = [
            Instrument::RpcClientCallDuration,
            Instrument::RpcServerCallDuration,
        ];
        let others = Instrument::all();
        let others = others.filter(|instrument| instrument.is_on_by_default());
        self.disable(others).enable(those)
    }

    /// Instruments that have this label tell it. By default none does.
    pub fn optional_label(mut self, label: OptionalLabel) -> Self {
        self.labels.push(label);
        self
    }

    /// Which targets of channels are told: of any other one `grpc.target` is `other`. By
    /// default all are. It is asked once for a target, as `dns:///orders.example:443`.
    ///
    /// Beyond 1,000 targets all others are `other`.
    pub fn target_filter(mut self, is_told: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.target_filter = Some(Box::new(is_told));
        self
    }

    /// Which methods are told that a server does not have: of any other one `grpc.method`
    /// is `other`. By default none is, since clients can make up as many as they like. It
    /// is asked for each such call, with the path that the client wrote. Beyond 200 of them,
    /// and beyond 256 bytes of a path, others are `other`.
    ///
    /// A method that the server has, or that a channel's caller has written in its code,
    /// is always told; beyond 1,000 methods of a server or a target all others are `other`.
    /// A server with interceptors does not tell the path of a method that it does not have.
    pub fn method_filter(mut self, is_told: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.method_filter = Some(Box::new(is_told));
        self
    }

    /// The metrics, by a meter of this provider. Its name is `grpc-runtime`.
    pub fn build(self, provider: &(impl MeterProvider + ?Sized)) -> Metrics {
        let scope = InstrumentationScope::builder("grpc-runtime");
        let scope = scope.with_version(env!("CARGO_PKG_VERSION")).build();
        let meter = provider.meter_with_scope(scope);
        Metrics(Arc::new(Counted {
            subchannels: Subchannels::new(&self.choice, &self.labels, &meter),
            weights: Weights::new(&self.choice, &self.labels, &meter),
            meter,
            choice: self.choice,
            target_filter: self.target_filter,
            method_filter: self.method_filter,
            channels: OnceLock::new(),
            servers: OnceLock::new(),
        }))
    }
}

impl fmt::Debug for MetricsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsBuilder")
            .field("choice", &self.choice)
            .field("labels", &self.labels)
            .finish_non_exhaustive()
    }
}
