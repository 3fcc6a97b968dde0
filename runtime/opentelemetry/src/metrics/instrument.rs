//! The instruments: their names, units, descriptions and buckets. A table; it counts
//! nothing.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use opentelemetry::metrics::{Counter, Histogram, Meter, UpDownCounter};

/// Buckets of an instrument that is not a histogram.
const NONE: &[f64] = &[];
/// A66's buckets for times, in seconds.
const LATENCY: &[f64] = &[
    0.0, 0.00001, 0.00005, 0.0001, 0.0003, 0.0006, 0.0008, 0.001, 0.002, 0.003, 0.004, 0.005,
    0.006, 0.008, 0.01, 0.013, 0.016, 0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.13, 0.16,
    0.2, 0.25, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0,
];
/// A66's buckets for sizes, in bytes.
const SIZE: &[f64] = &[
    0.0,
    1024.0,
    2048.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
    268_435_456.0,
    1_073_741_824.0,
    4_294_967_296.0,
];
/// A96's buckets for further attempts.
const FEW: &[f64] = &[1.0, 2.0, 3.0, 4.0, 5.0];
const SOME: &[f64] = &[1.0, 2.0, 3.0, 4.0, 5.0, 10.0];
/// A78 names no buckets for weights: these are OpenTelemetry's own default.
const WEIGHT: &[f64] = &[
    0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1000.0, 2500.0, 5000.0, 7500.0,
    10000.0,
];
/// The semantic conventions' buckets for times, in seconds.
const CONVENTIONAL: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// An instrument of [`Metrics`](crate::Metrics). Parsed from its name, and displayed under
/// it.
///
/// ```
/// use grpc_opentelemetry::Instrument;
///
/// let instrument: Instrument = "grpc.client.call.retries".parse()?;
/// assert_eq!(instrument, Instrument::ClientCallRetries);
/// assert!(!instrument.is_on_by_default());
/// # Ok::<(), grpc_opentelemetry::UnknownInstrument>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Instrument {
    /// `grpc.client.attempt.started` (gRFC A66): a counter.
    ClientAttemptStarted,
    /// `grpc.client.attempt.duration` (gRFC A66): seconds.
    ClientAttemptDuration,
    /// `grpc.client.attempt.sent_total_compressed_message_size` (gRFC A66): bytes.
    ClientAttemptSentSize,
    /// `grpc.client.attempt.rcvd_total_compressed_message_size` (gRFC A66): bytes.
    ClientAttemptReceivedSize,
    /// `grpc.client.call.duration` (gRFC A66): seconds.
    ClientCallDuration,
    /// `grpc.server.call.started` (gRFC A66): a counter.
    ServerCallStarted,
    /// `grpc.server.call.sent_total_compressed_message_size` (gRFC A66): bytes.
    ServerCallSentSize,
    /// `grpc.server.call.rcvd_total_compressed_message_size` (gRFC A66): bytes.
    ServerCallReceivedSize,
    /// `grpc.server.call.duration` (gRFC A66): seconds.
    ServerCallDuration,
    /// `grpc.client.call.retries` (gRFC A96): a histogram of numbers above 0.
    ClientCallRetries,
    /// `grpc.client.call.transparent_retries` (gRFC A96): a histogram of numbers above 0.
    ClientCallTransparentRetries,
    /// `grpc.client.call.hedges` (gRFC A96): a histogram of numbers above 0.
    ClientCallHedges,
    /// `grpc.client.call.retry_delay` (gRFC A96): seconds above 0.
    ClientCallRetryDelay,
    /// `grpc.subchannel.disconnections` (gRFC A94): a counter.
    SubchannelDisconnections,
    /// `grpc.subchannel.connection_attempts_succeeded` (gRFC A94): a counter.
    SubchannelConnectionAttemptsSucceeded,
    /// `grpc.subchannel.connection_attempts_failed` (gRFC A94): a counter.
    SubchannelConnectionAttemptsFailed,
    /// `grpc.subchannel.open_connections` (gRFC A94): a number that goes up and down.
    SubchannelOpenConnections,
    /// `grpc.lb.wrr.rr_fallback` (gRFC A78): a counter.
    WrrRoundRobinFallback,
    /// `grpc.lb.wrr.endpoint_weight_not_yet_usable` (gRFC A78): a counter.
    WrrEndpointWeightNotYetUsable,
    /// `grpc.lb.wrr.endpoint_weight_stale` (gRFC A78): a counter.
    WrrEndpointWeightStale,
    /// `grpc.lb.wrr.endpoint_weights` (gRFC A78): calls a second over how busy a server is;
    /// 0 of one without a weight of use.
    WrrEndpointWeights,
    /// `rpc.client.call.duration` (OpenTelemetry's semantic conventions): seconds.
    RpcClientCallDuration,
    /// `rpc.server.call.duration` (OpenTelemetry's semantic conventions): seconds.
    RpcServerCallDuration,
}

/// An instrument as its gRFC defines it.
struct Entry {
    name: &'static str,
    unit: &'static str,
    description: &'static str,
    /// Of a histogram.
    buckets: &'static [f64],
}

impl Instrument {
    /// All of them, in the order of their documents.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter()
    }

    const ALL: [Self; 23] = [
        Self::ClientAttemptStarted,
        Self::ClientAttemptDuration,
        Self::ClientAttemptSentSize,
        Self::ClientAttemptReceivedSize,
        Self::ClientCallDuration,
        Self::ServerCallStarted,
        Self::ServerCallSentSize,
        Self::ServerCallReceivedSize,
        Self::ServerCallDuration,
        Self::ClientCallRetries,
        Self::ClientCallTransparentRetries,
        Self::ClientCallHedges,
        Self::ClientCallRetryDelay,
        Self::SubchannelDisconnections,
        Self::SubchannelConnectionAttemptsSucceeded,
        Self::SubchannelConnectionAttemptsFailed,
        Self::SubchannelOpenConnections,
        Self::WrrRoundRobinFallback,
        Self::WrrEndpointWeightNotYetUsable,
        Self::WrrEndpointWeightStale,
        Self::WrrEndpointWeights,
        Self::RpcClientCallDuration,
        Self::RpcServerCallDuration,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        self.entry().name
    }

    /// Its unit, in the words of UCUM.
    pub const fn unit(self) -> &'static str {
        self.entry().unit
    }

    /// Its description, as exported to the provider.
    pub const fn description(self) -> &'static str {
        self.entry().description
    }

    /// The upper bounds of a histogram's buckets; empty for other instruments.
    pub const fn buckets(self) -> &'static [f64] {
        self.entry().buckets
    }

    /// Whether it is on by default ([`disable`](crate::MetricsBuilder::disable) switches it
    /// off): `true` for those of gRFC A66.
    pub const fn is_on_by_default(self) -> bool {
        (self as usize) <= Self::ServerCallDuration as usize
    }

    const fn entry(self) -> Entry {
        let (name, unit, description, buckets) = match self {
            Self::ClientAttemptStarted => (
                "grpc.client.attempt.started",
                "{attempt}",
                "The total number of RPC attempts started, including those that have not completed.",
                NONE,
            ),
            Self::ClientAttemptDuration => (
                "grpc.client.attempt.duration",
                "s",
                "End-to-end time taken to complete an RPC attempt including the time it takes to \
                 pick a subchannel.",
                LATENCY,
            ),
            Self::ClientAttemptSentSize => (
                "grpc.client.attempt.sent_total_compressed_message_size",
                "By",
                "Total bytes (compressed but not encrypted) sent across all request messages \
                 (metadata excluded) per RPC attempt; does not include grpc or transport framing \
                 bytes.",
                SIZE,
            ),
            Self::ClientAttemptReceivedSize => (
                "grpc.client.attempt.rcvd_total_compressed_message_size",
                "By",
                "Total bytes (compressed but not encrypted) received across all response messages \
                 (metadata excluded) per RPC attempt; does not include grpc or transport framing \
                 bytes.",
                SIZE,
            ),
            Self::ClientCallDuration => (
                "grpc.client.call.duration",
                "s",
                "This metric aims to measure the end-to-end time the gRPC library takes to \
                 complete an RPC from the application's perspective.",
                LATENCY,
            ),
            Self::ServerCallStarted => (
                "grpc.server.call.started",
                "{call}",
                "The total number of RPCs started, including those that have not completed.",
                NONE,
            ),
            Self::ServerCallSentSize => (
                "grpc.server.call.sent_total_compressed_message_size",
                "By",
                "Total bytes (compressed but not encrypted) sent across all response messages \
                 (metadata excluded) per RPC; does not include grpc or transport framing bytes.",
                SIZE,
            ),
            Self::ServerCallReceivedSize => (
                "grpc.server.call.rcvd_total_compressed_message_size",
                "By",
                "Total bytes (compressed but not encrypted) received across all request messages \
                 (metadata excluded) per RPC; does not include grpc or transport framing bytes.",
                SIZE,
            ),
            Self::ServerCallDuration => (
                "grpc.server.call.duration",
                "s",
                "This metric aims to measure the end2end time an RPC takes from the server \
                 transport's perspective.",
                LATENCY,
            ),
            Self::ClientCallRetries => (
                "grpc.client.call.retries",
                "{retry}",
                "Number of retries during the client call. If there were no retries, 0 is not \
                 reported.",
                FEW,
            ),
            Self::ClientCallTransparentRetries => (
                "grpc.client.call.transparent_retries",
                "{transparent_retry}",
                "Number of transparent retries during the client call. If there were no \
                 transparent retries, 0 is not reported.",
                SOME,
            ),
            Self::ClientCallHedges => (
                "grpc.client.call.hedges",
                "{hedge}",
                "Number of hedges during the client call. If there were no hedges, 0 is not \
                 reported.",
                FEW,
            ),
            Self::ClientCallRetryDelay => (
                "grpc.client.call.retry_delay",
                "s",
                "Total time of delay while there is no active attempt during the client call.",
                LATENCY,
            ),
            Self::SubchannelDisconnections => (
                "grpc.subchannel.disconnections",
                "{disconnection}",
                "Number of times the selected subchannel becomes disconnected.",
                NONE,
            ),
            Self::SubchannelConnectionAttemptsSucceeded => (
                "grpc.subchannel.connection_attempts_succeeded",
                "{attempt}",
                "Number of successful connection attempts.",
                NONE,
            ),
            Self::SubchannelConnectionAttemptsFailed => (
                "grpc.subchannel.connection_attempts_failed",
                "{attempt}",
                "Number of failed connection attempts.",
                NONE,
            ),
            Self::SubchannelOpenConnections => (
                "grpc.subchannel.open_connections",
                "{connection}",
                "Number of open connections.",
                NONE,
            ),
            Self::WrrRoundRobinFallback => (
                "grpc.lb.wrr.rr_fallback",
                "{update}",
                "Number of scheduler updates in which there were not enough endpoints with valid \
                 weight, which caused the WRR policy to fall back to RR behavior.",
                NONE,
            ),
            Self::WrrEndpointWeightNotYetUsable => (
                "grpc.lb.wrr.endpoint_weight_not_yet_usable",
                "{endpoint}",
                "Number of endpoints from each scheduler update that don't yet have usable weight \
                 information (i.e., either the load report has not yet been received, or it is \
                 within the blackout period).",
                NONE,
            ),
            Self::WrrEndpointWeightStale => (
                "grpc.lb.wrr.endpoint_weight_stale",
                "{endpoint}",
                "Number of endpoints from each scheduler update whose latest weight is older than \
                 the expiration period.",
                NONE,
            ),
            Self::WrrEndpointWeights => (
                "grpc.lb.wrr.endpoint_weights",
                "{weight}",
                "Weight of each endpoint, recorded on every scheduler update. Endpoints without \
                 usable weights will be recorded as weight 0.",
                WEIGHT,
            ),
            Self::RpcClientCallDuration => (
                "rpc.client.call.duration",
                "s",
                "Measures the duration of outbound remote procedure calls (RPC).",
                CONVENTIONAL,
            ),
            Self::RpcServerCallDuration => (
                "rpc.server.call.duration",
                "s",
                "Measures the duration of inbound remote procedure calls (RPC).",
                CONVENTIONAL,
            ),
        };
        Entry {
            name,
            unit,
            description,
            buckets,
        }
    }
}

impl fmt::Display for Instrument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Instrument {
    type Err = UnknownInstrument;

    fn from_str(name: &str) -> Result<Self, UnknownInstrument> {
        let found = Self::all().find(|instrument| instrument.name() == name);
        found.ok_or_else(|| UnknownInstrument(name.into()))
    }
}

/// There is no [`Instrument`] of this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownInstrument(Box<str>);

impl fmt::Display for UnknownInstrument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no instrument '{}'", self.0)
    }
}

impl Error for UnknownInstrument {}

/// Which instruments are on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice([bool; Instrument::ALL.len()]);

impl Choice {
    pub(crate) fn set(&mut self, instrument: Instrument, is_on: bool) {
        self.0[instrument as usize] = is_on;
    }

    pub(crate) fn has(&self, instrument: Instrument) -> bool {
        self.0[instrument as usize]
    }

    pub(crate) fn counter(&self, meter: &Meter, which: Instrument) -> Option<Counter<u64>> {
        let builder = meter.u64_counter(which.name()).with_unit(which.unit());
        let builder = builder.with_description(which.description());
        self.has(which).then(|| builder.build())
    }

    pub(crate) fn up_down_counter(
        &self,
        meter: &Meter,
        which: Instrument,
    ) -> Option<UpDownCounter<i64>> {
        let builder = meter.i64_up_down_counter(which.name());
        let builder = builder.with_unit(which.unit());
        let builder = builder.with_description(which.description());
        self.has(which).then(|| builder.build())
    }

    /// Of seconds, or of weights.
    pub(crate) fn fractions(&self, meter: &Meter, which: Instrument) -> Option<Histogram<f64>> {
        let builder = meter.f64_histogram(which.name()).with_unit(which.unit());
        let builder = builder.with_description(which.description());
        let builder = builder.with_boundaries(which.buckets().to_vec());
        self.has(which).then(|| builder.build())
    }

    /// Of bytes, or of what is counted.
    pub(crate) fn numbers(&self, meter: &Meter, which: Instrument) -> Option<Histogram<u64>> {
        let builder = meter.u64_histogram(which.name()).with_unit(which.unit());
        let builder = builder.with_description(which.description());
        let builder = builder.with_boundaries(which.buckets().to_vec());
        self.has(which).then(|| builder.build())
    }
}

impl Default for Choice {
    fn default() -> Self {
        Self(Instrument::ALL.map(Instrument::is_on_by_default))
    }
}
