//! The series of one method, on a server or on channels of one target. Each series is
//! created with its first value, since a provider exports every series that was created.

use std::sync::OnceLock;
use std::time::Duration;

use grpc_runtime::{Code, FurtherAttempts, Side, Traffic};
use opentelemetry::metrics::{Counter, Histogram, Meter};

use super::instrument::{Choice, Instrument};
use super::labels::{Labels, Names};
use super::series::{CounterSeries, HistogramSeries, SeriesLabels};

/// The instruments of one side's calls; `None` for those that are off.
pub(crate) struct CallInstruments {
    side: Side,
    started: Option<Counter<u64>>,
    attempt: EndInstruments,
    call: EndInstruments,
    retries: Option<Histogram<u64>>,
    transparent_retries: Option<Histogram<u64>>,
    hedges: Option<Histogram<u64>>,
    retry_delay: Option<Histogram<f64>>,
}

/// The instruments of a call's or an attempt's end.
#[derive(Default)]
struct EndInstruments {
    duration: Option<Histogram<f64>>,
    sent: Option<Histogram<u64>>,
    received: Option<Histogram<u64>>,
    /// By the semantic conventions.
    conventional: Option<Histogram<f64>>,
}

impl CallInstruments {
    pub(crate) fn of_channels(choice: &Choice, meter: &Meter) -> Self {
        Self {
            side: Side::Client,
            started: choice.counter(meter, Instrument::ClientAttemptStarted),
            attempt: EndInstruments {
                duration: choice.fractions(meter, Instrument::ClientAttemptDuration),
                sent: choice.numbers(meter, Instrument::ClientAttemptSentSize),
                received: choice.numbers(meter, Instrument::ClientAttemptReceivedSize),
                conventional: None,
            },
            call: EndInstruments {
                duration: choice.fractions(meter, Instrument::ClientCallDuration),
                conventional: choice.fractions(meter, Instrument::RpcClientCallDuration),
                ..EndInstruments::default()
            },
            retries: choice.numbers(meter, Instrument::ClientCallRetries),
            transparent_retries: choice.numbers(meter, Instrument::ClientCallTransparentRetries),
            hedges: choice.numbers(meter, Instrument::ClientCallHedges),
            retry_delay: choice.fractions(meter, Instrument::ClientCallRetryDelay),
        }
    }

    pub(crate) fn of_servers(choice: &Choice, meter: &Meter) -> Self {
        Self {
            side: Side::Server,
            started: choice.counter(meter, Instrument::ServerCallStarted),
            attempt: EndInstruments::default(),
            call: EndInstruments {
                duration: choice.fractions(meter, Instrument::ServerCallDuration),
                sent: choice.numbers(meter, Instrument::ServerCallSentSize),
                received: choice.numbers(meter, Instrument::ServerCallReceivedSize),
                conventional: choice.fractions(meter, Instrument::RpcServerCallDuration),
            },
            retries: None,
            transparent_retries: None,
            hedges: None,
            retry_delay: None,
        }
    }
}

/// The series of ends with one status code.
struct EndSeries {
    duration: HistogramSeries<f64>,
    sent: HistogramSeries<u64>,
    received: HistogramSeries<u64>,
    conventional: HistogramSeries<f64>,
}

/// One for each code.
type Ends = [OnceLock<Box<EndSeries>>; 17];

/// The series of calls that had further attempts.
#[derive(Default)]
struct FurtherSeries {
    retries: OnceLock<HistogramSeries<u64>>,
    transparent_retries: OnceLock<HistogramSeries<u64>>,
    hedges: OnceLock<HistogramSeries<u64>>,
    retry_delay: OnceLock<HistogramSeries<f64>>,
}

/// A method.
pub(crate) struct MethodSeries {
    labels: Labels,
    started: OnceLock<CounterSeries>,
    /// On a channel alone.
    attempts: Ends,
    calls: Ends,
    further: FurtherSeries,
}

impl MethodSeries {
    pub(crate) fn new(labels: Labels) -> Self {
        Self {
            labels,
            started: OnceLock::new(),
            attempts: [const { OnceLock::new() }; 17],
            calls: [const { OnceLock::new() }; 17],
            further: FurtherSeries::default(),
        }
    }

    fn labels(&self, names: Names, code: Option<Code>) -> SeriesLabels<'_> {
        SeriesLabels {
            labels: &self.labels,
            names,
            code,
        }
    }

    /// An attempt begins, or a server's call.
    #[inline]
    pub(crate) fn begin(&self, instruments: &CallInstruments) {
        let counter = instruments.started.as_ref();
        let make = || CounterSeries::of(counter, self.labels(Names::Grpc, None));
        self.started.get_or_init(make).add(1);
    }

    /// An attempt has ended.
    #[inline]
    pub(crate) fn end_attempt(
        &self,
        instruments: &CallInstruments,
        code: Code,
        elapsed: Duration,
        sent: Traffic,
        received: Traffic,
    ) {
        let end = &self.attempts[code as usize];
        let make = || self.end(instruments.side, &instruments.attempt, code);
        let end = end.get_or_init(make);
        end.record(elapsed, sent.bytes, received.bytes);
    }

    /// A call has ended.
    #[inline]
    pub(crate) fn end_call(
        &self,
        instruments: &CallInstruments,
        code: Code,
        elapsed: Duration,
        sent: Traffic,
        received: Traffic,
    ) {
        let end = &self.calls[code as usize];
        let make = || self.end(instruments.side, &instruments.call, code);
        let end = end.get_or_init(make);
        end.record(elapsed, sent.bytes, received.bytes);
    }

    #[cold]
    fn end(&self, side: Side, instruments: &EndInstruments, code: Code) -> Box<EndSeries> {
        let labels = self.labels(Names::Grpc, Some(code));
        let conventional = self.labels(Names::Conventions(side), Some(code));
        Box::new(EndSeries {
            duration: HistogramSeries::of(instruments.duration.as_ref(), labels),
            sent: HistogramSeries::of(instruments.sent.as_ref(), labels),
            received: HistogramSeries::of(instruments.received.as_ref(), labels),
            conventional: HistogramSeries::of(instruments.conventional.as_ref(), conventional),
        })
    }

    /// Counts the further attempts of a channel's call; records nothing if there were none.
    #[inline]
    pub(crate) fn count_further(&self, instruments: &CallInstruments, further: FurtherAttempts) {
        if further != FurtherAttempts::default() {
            self.count_those(instruments, further);
        }
    }

    #[cold]
    fn count_those(&self, instruments: &CallInstruments, further: FurtherAttempts) {
        let series = &self.further;
        let labels = self.labels(Names::Grpc, None);
        let numbers = [
            (&series.retries, &instruments.retries, further.retries),
            (
                &series.transparent_retries,
                &instruments.transparent_retries,
                further.transparent_retries,
            ),
            (&series.hedges, &instruments.hedges, further.hedges),
        ];
        for (series, histogram, number) in numbers {
            if number > 0 {
                let make = || HistogramSeries::of(histogram.as_ref(), labels);
                series.get_or_init(make).record(number.into());
            }
        }
        if !further.delay.is_zero() {
            let histogram = instruments.retry_delay.as_ref();
            let make = || HistogramSeries::of(histogram, labels);
            let series = series.retry_delay.get_or_init(make);
            series.record(further.delay.as_secs_f64());
        }
    }
}

impl EndSeries {
    #[inline]
    fn record(&self, elapsed: Duration, sent: u64, received: u64) {
        let elapsed = elapsed.as_secs_f64();
        self.duration.record(elapsed);
        self.sent.record(sent);
        self.received.record(received);
        self.conventional.record(elapsed);
    }
}
