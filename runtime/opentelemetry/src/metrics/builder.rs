//! The builder of [`Metrics`](crate::Metrics): instruments, labels and filters.

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
    /// Switches these instruments on. Default: those of gRFC A66 are on.
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

    /// Selects the channel targets that appear as `grpc.target`; for others the label is
    /// `other`. Default: all. The function is called once for each target, with text such as
    /// `dns:///orders.example:443`.
    ///
    /// Beyond 1,000 targets all others are `other`.
    pub fn target_filter(mut self, is_told: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.target_filter = Some(Box::new(is_told));
        self
    }

    /// Selects the paths unknown to a server that appear as `grpc.method`; for others the
    /// label is `other`. Default: none, since clients can make up any number of them. The
    /// function is called for each such call, with the path that the client sent. Paths
    /// after the first 200, and paths over 256 bytes, are `other`.
    ///
    /// Methods that the server has, and methods whose paths stand in a client's code, always
    /// appear; after 1,000 methods of a server or a target further ones are `other`. A
    /// server with interceptors does not report the path of a method that it does not have.
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
