//! Counts calls, attempts, connections and weights: an observer.

mod builder;
mod directory;
mod instrument;
mod labels;
mod method_series;
mod optional_label;
mod series;
mod subchannels;
mod table;
mod weights;

use std::fmt;
use std::sync::{Arc, OnceLock};

use grpc_runtime::{
    BegunAttempt, BegunCall, CallObserver, ClosedConnection, EndedAttempt, EndedCall,
    FailedConnection, LeavingConnection, ObservedConnection, Observer, RefusedCall, Side, Traffic,
    UpdatedWeights,
};
use opentelemetry::metrics::{Meter, MeterProvider};

pub use self::builder::MetricsBuilder;
use self::directory::{Directory, Methods, Targets};
use self::instrument::Choice;
pub use self::instrument::{Instrument, UnknownInstrument};
use self::method_series::CallInstruments;
pub use self::optional_label::OptionalLabel;
use self::subchannels::Subchannels;
use self::weights::Weights;

/// Metrics of calls and connections, for
/// [`ServerBuilder::observe`](grpc_runtime::ServerBuilder::observe) and
/// [`ChannelBuilder::observe`](grpc_runtime::ChannelBuilder::observe): gRFC A66 by default,
/// A78, A94, A96 and the semantic conventions by choice.
///
/// Clones count into the same series. One `Metrics` for all channels and servers of a
/// program is cheapest: the provider then binds each set of labels once.
///
/// ```
/// use grpc_opentelemetry::Metrics;
/// use grpc_runtime::{Channel, ChannelCredentials, Server};
/// use opentelemetry_sdk::metrics::SdkMeterProvider;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// // With a reader and an exporter, in a program.
/// let provider = SdkMeterProvider::builder().build();
/// let metrics = Metrics::new(&provider);
///
/// let server = Server::builder().observe(metrics.clone());
/// let channel = Channel::builder("localhost:50051")?
///     .observe(metrics)
///     .build(ChannelCredentials::insecure())?;
/// # drop((server, channel));
/// # Ok(())
/// # }
/// # run()
/// # }
/// ```
#[derive(Clone)]
pub struct Metrics(Arc<Counted>);

/// Returns whether a name may appear as a label.
type Filter = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// The state that clones share.
struct Counted {
    meter: Meter,
    choice: Choice,
    target_filter: Option<Filter>,
    method_filter: Option<Filter>,
    subchannels: Option<Subchannels>,
    weights: Option<Weights>,
    /// Each side's is made with its first call: a provider reserves memory for each
    /// instrument.
    channels: OnceLock<Directory<Targets>>,
    servers: OnceLock<Directory<Methods>>,
}

impl Metrics {
    /// The instruments of A66, by a meter of this provider. There is no other way to the
    /// provider: the global one is not asked.
    pub fn new(provider: &(impl MeterProvider + ?Sized)) -> Self {
        Self::builder().build(provider)
    }

    /// Metrics that differ from the default.
    pub fn builder() -> MetricsBuilder {
        MetricsBuilder::default()
    }

    #[inline]
    fn channels(&self) -> &Directory<Targets> {
        let counted = &*self.0;
        counted.channels.get_or_init(|| Directory {
            instruments: CallInstruments::of_channels(&counted.choice, &counted.meter),
            names: Targets::new(),
        })
    }

    #[inline]
    fn servers(&self) -> &Directory<Methods> {
        let counted = &*self.0;
        counted.servers.get_or_init(|| Directory {
            instruments: CallInstruments::of_servers(&counted.choice, &counted.meter),
            names: Methods::of(None),
        })
    }

    fn tells_target(&self, target: &str) -> bool {
        let filter = self.0.target_filter.as_ref();
        filter.is_none_or(|filter| filter(target))
    }

    fn tells_path(&self, path: &str) -> bool {
        let filter = self.0.method_filter.as_ref();
        filter.is_some_and(|filter| filter(path))
    }

    /// The counters of connections for a target.
    fn subchannels(&self, side: Side, target: Option<&str>) -> Option<(&Subchannels, String)> {
        let subchannels = self.0.subchannels.as_ref()?;
        let target = target.filter(|_| side == Side::Client)?;
        Some((subchannels, self.target(target)))
    }

    /// The value of `grpc.target`: the target, or `other`.
    fn target(&self, target: &str) -> String {
        let names = &self.channels().names;
        let methods = names.find(target, |it| self.tells_target(it));
        methods.target().to_owned()
    }
}

impl Observer for Metrics {
    fn call_begun(&self, call: &BegunCall<'_>) -> Option<Box<dyn CallObserver>> {
        if call.side() == Side::Server {
            let directory = self.servers();
            let series = directory.names.find(call.method());
            series.begin(&directory.instruments);
        }
        None
    }

    fn attempt_begun(&self, attempt: &BegunAttempt<'_>) {
        let directory = self.channels();
        let target = attempt.target();
        let methods = directory.names.find(target, |it| self.tells_target(it));
        let series = methods.find(attempt.method());
        series.begin(&directory.instruments);
    }

    fn attempt_ended(&self, ended: &EndedAttempt<'_>) {
        let directory = self.channels();
        let target = ended.attempt().target();
        let methods = directory.names.find(target, |it| self.tells_target(it));
        methods.find(ended.attempt().method()).end_attempt(
            &directory.instruments,
            ended.code(),
            ended.elapsed(),
            ended.sent(),
            ended.received(),
        );
    }

    fn call_ended(&self, call: &EndedCall<'_>) {
        let (code, elapsed) = (call.code(), call.elapsed());
        let (sent, received) = (call.sent(), call.received());
        match call.target() {
            None => {
                let directory = self.servers();
                let series = directory.names.find(call.method());
                series.end_call(&directory.instruments, code, elapsed, sent, received);
            }
            Some(target) => {
                let directory = self.channels();
                let methods = directory.names.find(target, |it| self.tells_target(it));
                let series = methods.find(call.method());
                series.end_call(&directory.instruments, code, elapsed, sent, received);
                series.count_further(&directory.instruments, call.further_attempts());
            }
        }
    }

    fn call_refused(&self, call: &RefusedCall<'_>) {
        let directory = self.servers();
        let named;
        let series = match call.method() {
            Some(method) => directory.names.find(method),
            None if self.tells_path(call.path()) => {
                named = directory.names.made_up(call.path());
                &named
            }
            None => directory.names.other(),
        };
        let none = Traffic::default();
        let (code, elapsed) = (call.status().code(), call.elapsed());
        series.begin(&directory.instruments);
        series.end_call(&directory.instruments, code, elapsed, none, none);
    }

    fn connection_opened(&self, connection: &ObservedConnection) {
        let of = self.subchannels(connection.side(), connection.target());
        if let Some((subchannels, target)) = of {
            subchannels.open(target, connection);
        }
    }

    fn connection_failed(&self, failed: &FailedConnection<'_>) {
        let of = self.subchannels(failed.side(), failed.target());
        if let Some((subchannels, target)) = of {
            subchannels.fail(target);
        }
    }

    fn go_away_received(&self, go_away: &LeavingConnection<'_>) {
        let connection = go_away.connection();
        let of = self.subchannels(connection.side(), connection.target());
        if let Some((subchannels, _)) = of {
            subchannels.leave(go_away);
        }
    }

    fn connection_closed(&self, closed: &ClosedConnection<'_>) {
        let connection = closed.connection();
        let of = self.subchannels(connection.side(), connection.target());
        if let Some((subchannels, target)) = of {
            subchannels.close(target, closed);
        }
    }

    fn weights_updated(&self, update: &UpdatedWeights<'_>) {
        if let Some(weights) = &self.0.weights {
            weights.update(self.target(update.target()), update);
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = Instrument::all();
        let on: Vec<_> = all.filter(|which| self.0.choice.has(*which)).collect();
        f.debug_tuple("Metrics").field(&on).finish()
    }
}
