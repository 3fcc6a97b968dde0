//! weighted_round_robin (gRFC A58, A114): turns by the weights that servers' reports of
//! their load give them.

use std::any::Any;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use super::control::{Control, Weighed};
use super::members::{Members, Spread};
use super::policy::{Balance, Policy};
use super::reported_weight::{ReportedWeight, WeightRules};
use super::stride::Stride;
use crate::call::load_report::LoadReport;
use crate::channel::address::Attributes;
use crate::channel::call::ticket::{AttemptEnd, AttemptEnds, Ticket};
use crate::channel::pick::{Pick, PickArgs, Picker, Picks};
use crate::channel::subchannel::handle::Subchannel;
use crate::clock;
use crate::observe::weights::WeightState;

const LEAST_UPDATE_PERIOD: Duration = Duration::from_millis(100);

/// A connection to each endpoint, and calls by turns, of which each endpoint has as many
/// as it can do by what its server reports (gRFC A58): the calls that it has a second
/// over how busy it is. A server on half the processors has half the calls.
///
/// Servers report with their calls' ends ([`LoadReport`](crate::LoadReport); in this
/// runtime by [`Context::load`](crate::Context::load)), or, if asked
/// ([`oob_reporting_period`](Self::oob_reporting_period)), by themselves. A report is of
/// use that has calls a second and a utilization, both above 0. A server without one counts
/// as the mean of the others; while fewer than two have one, calls go by turns as
/// [`RoundRobin`](crate::RoundRobin) sends them.
/// [`Observer::weights_updated`](crate::Observer::weights_updated) tells of the weights.
///
/// ```
/// # fn main() -> Result<(), grpc_runtime::ChannelError> {
/// use std::time::Duration;
///
/// use grpc_runtime::{Channel, ChannelCredentials, WeightedRoundRobin};
///
/// let channel = Channel::builder("dns:///shop.internal:50051")?
///     .balance(WeightedRoundRobin::new().blackout_period(Duration::from_secs(5)))
///     .build(ChannelCredentials::insecure())?;
/// # drop(channel);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct WeightedRoundRobin {
    rules: WeightRules,
    update_period: Duration,
    oob_period: Option<Duration>,
}

impl Default for WeightedRoundRobin {
    fn default() -> Self {
        Self {
            rules: WeightRules::default(),
            update_period: Duration::from_secs(1),
            oob_period: None,
        }
    }
}

impl WeightedRoundRobin {
    /// With the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long a server has to report before its weight counts, from its first report
    /// after its connection was made or its weight was forgotten: the first calls of a
    /// server say little. 10 s unless set; none with zero.
    #[must_use]
    pub fn blackout_period(mut self, period: Duration) -> Self {
        self.rules.blackout = period;
        self
    }

    /// After how long without a report a server's weight is forgotten. 180 s unless set.
    #[must_use]
    pub fn weight_expiration_period(mut self, period: Duration) -> Self {
        self.rules.expiration = period;
        self
    }

    /// How often the turns are made anew from the weights. 1 s unless set; raised to
    /// 100 ms where it is less.
    #[must_use]
    pub fn weight_update_period(mut self, period: Duration) -> Self {
        self.update_period = period.max(LEAST_UPDATE_PERIOD);
        self
    }

    /// What a server that fails calls counts for: the share of them that fail, times
    /// this, is added to how busy it is. 1 unless set; nothing is added with zero. It is
    /// zero where it is less or no number.
    #[must_use]
    pub fn error_utilization_penalty(mut self, penalty: f64) -> Self {
        self.rules.penalty = penalty.max(0.0);
        self
    }

    /// Has each server report its load by itself, this often, and not with each call
    /// (`xds.service.orca.v3.OpenRcaService`, gRFC A51); a server may raise the interval, and
    /// most do so to 30 s. Off unless set. It is of use where calls are long or few. In JSON
    /// it is `enableOobLoadReport` and `oobReportingPeriod`.
    ///
    /// A server of this runtime reports by `OutOfBandLoad` of the crate `grpc-services`.
    #[must_use]
    pub fn oob_reporting_period(mut self, period: Duration) -> Self {
        self.oob_period = Some(period);
        self
    }

    /// By which of its metrics a server's use is told, the highest of them (gRFC A114):
    /// `application_utilization`, `cpu_utilization`, `mem_utilization`, or
    /// `named_metrics.NAME` and `utilization.NAME`. None unless set; a report that has
    /// none of them counts by its application's use, or else by that of its processors.
    #[must_use]
    pub fn metric_names<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.rules.metrics = names.into_iter().map(Into::into).collect();
        self
    }
}

impl Balance for WeightedRoundRobin {
    fn name(&self) -> &'static str {
        "weighted_round_robin"
    }

    fn policy(&self) -> Box<dyn Policy> {
        Box::new(Members::new(Weights {
            rules: Arc::new(ArcSwap::from_pointee(self.rules.clone())),
            update_period: self.update_period,
            oob_period: self.oob_period,
            attributes: Attributes::default(),
            due: None,
            sequence: None,
            ready: Vec::new(),
            stride: Stride::new(&[]),
            has_new_stride: false,
        }))
    }
}

/// What is known of one endpoint. Its calls write it and the policy reads it.
#[derive(Debug)]
struct EndpointLoad {
    rules: Arc<ArcSwap<WeightRules>>,
    weight: Mutex<ReportedWeight>,
}

impl EndpointLoad {
    fn report(&self, report: &LoadReport, now: Instant) {
        self.with(|weight| weight.report(report, &self.rules.load(), now));
    }

    fn with<T>(&self, read: impl FnOnce(&mut ReportedWeight) -> T) -> T {
        read(&mut self.weight.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl AttemptEnds for EndpointLoad {
    fn ended(&self, _token: u64, end: &AttemptEnd<'_>) {
        if let Some(report) = end.trailing_metadata.and_then(LoadReport::from_metadata) {
            self.report(&report, clock::now());
        }
    }
}

/// Keeps the weight of each endpoint.
#[derive(Debug)]
struct Weights {
    rules: Arc<ArcSwap<WeightRules>>,
    update_period: Duration,
    oob_period: Option<Duration>,
    /// What the resolver says of all endpoints.
    attributes: Attributes,
    /// When the turns are made anew.
    due: Option<Instant>,
    /// Goes on whatever becomes of the turns.
    sequence: Option<Arc<AtomicU32>>,
    /// Those that have calls now, and the turns that they have.
    ready: Vec<Arc<EndpointLoad>>,
    stride: Stride,
    /// They were made at their time, and are not published yet.
    has_new_stride: bool,
}

impl Weights {
    /// The turns of those that are ready, which are told of each time that they are made.
    fn stride(&self, control: &mut Control<'_>) -> Stride {
        let (rules, now) = (self.rules.load(), control.now());
        let weight = |load: &Arc<EndpointLoad>| load.with(|weight| weight.at(&rules, now));
        let weights: Vec<_> = self.ready.iter().map(weight).collect();
        let usable: Vec<_> = weights.iter().copied().map(WeightState::usable).collect();
        control.tell_weights(Weighed {
            weights,
            attributes: self.attributes.clone(),
        });
        Stride::new(&usable)
    }

    fn wait(&mut self, control: &mut Control<'_>) {
        // One that has all calls needs no weight.
        let next = control.now().checked_add(self.update_period);
        self.due = next.filter(|_| self.ready.len() > 1);
        if let Some(due) = self.due {
            control.wake_at(due);
        }
    }
}

impl Spread for Weights {
    type Kept = Arc<EndpointLoad>;

    fn described(&mut self, attributes: &Attributes) {
        self.attributes = attributes.clone();
    }

    fn joined(&mut self) -> Arc<EndpointLoad> {
        Arc::new(EndpointLoad {
            rules: Arc::clone(&self.rules),
            weight: Mutex::default(),
        })
    }

    /// Weights stay, and count by the new rules.
    fn reconfigure(&mut self, balance: &dyn Balance) -> bool {
        let same = (balance as &dyn Any).downcast_ref::<WeightedRoundRobin>();
        if let Some(options) = same {
            self.rules.store(Arc::new(options.rules.clone()));
            self.update_period = options.update_period;
            self.oob_period = options.oob_period;
            self.due = None;
            self.has_new_stride = false;
        }
        same.is_some()
    }

    fn listed(&mut self, subchannel: &Subchannel, control: &mut Control<'_>) {
        control.report_load(subchannel, self.oob_period);
    }

    fn load_reported(&mut self, load: &Arc<EndpointLoad>, report: &LoadReport, now: Instant) {
        if self.oob_period.is_some() {
            load.report(report, now);
        }
    }

    fn connected(&mut self, load: &Arc<EndpointLoad>) {
        load.with(ReportedWeight::connected);
        self.has_new_stride = false;
    }

    fn picks(
        &mut self,
        ready: &[(&Subchannel, &Arc<EndpointLoad>)],
        control: &mut Control<'_>,
    ) -> Picks {
        let are_same = self.ready.len() == ready.len()
            && (self.ready.iter().zip(ready)).all(|(load, (_, other))| Arc::ptr_eq(load, other));
        if !(std::mem::take(&mut self.has_new_stride) && are_same) {
            self.ready = ready.iter().map(|(_, load)| Arc::clone(load)).collect();
            self.stride = self.stride(control);
        }
        if self.due.is_none() {
            self.wait(control);
        }
        #[expect(clippy::cast_sign_loss, reason = "a share of a length")]
        let first = || (control.random() * f64::from(u32::MAX)) as u32;
        let sequence = self
            .sequence
            .get_or_insert_with(|| Arc::new(first().into()));
        let ready = ready.iter();
        Picks::by(WeightedPicker {
            ready: ready
                .map(|(subchannel, load)| ((*subchannel).clone(), Arc::clone(load)))
                .collect(),
            stride: self.stride.clone(),
            are_calls_read: self.oob_period.is_none(),
            sequence: Arc::clone(sequence),
        })
    }

    fn none_ready(&mut self) {
        self.ready.clear();
        self.due = None;
    }

    fn timer(&mut self, control: &mut Control<'_>) -> bool {
        let now = control.now();
        if self.due.is_none_or(|due| due > now) {
            return false;
        }
        self.wait(control);
        if self.ready.len() < 2 {
            return false;
        }
        let stride = self.stride(control);
        self.has_new_stride = stride != self.stride;
        self.stride = stride;
        self.has_new_stride
    }
}

struct WeightedPicker {
    ready: Vec<(Subchannel, Arc<EndpointLoad>)>,
    stride: Stride,
    /// Whether the reports of calls count.
    are_calls_read: bool,
    sequence: Arc<AtomicU32>,
}

impl Picker for WeightedPicker {
    fn pick(&self, _args: &PickArgs<'_>) -> Pick<'_> {
        let draw = || self.sequence.fetch_add(1, Ordering::Relaxed);
        let Some((subchannel, load)) = self.ready.get(self.stride.next(draw)) else {
            return Pick::Wait;
        };
        let ends = || Arc::clone(load) as Arc<dyn AttemptEnds>;
        let ticket = self.are_calls_read.then(|| Ticket::new(ends(), 0));
        Pick::Use(subchannel, ticket)
    }
}

#[cfg(test)]
mod tests;
