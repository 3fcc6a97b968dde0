//! weighted_round_robin (gRFC A58, A114): turns by weights that come from servers' load
//! reports.

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

/// Connects to each endpoint, and sends calls in turns that are weighted by the load that
/// its server reports (gRFC A58): a weight is the calls per second divided by the
/// utilization. A server with half the processors gets half the calls.
///
/// Servers report at the end of calls ([`LoadReport`](crate::LoadReport); in this runtime
/// by [`Context::load`](crate::Context::load)) or, with
/// [`oob_reporting_period`](Self::oob_reporting_period), at an interval. A report is usable
/// if its calls per second and its utilization are both above 0. A server without a usable
/// report has the mean weight of the others; while fewer than two have one, all have the
/// same weight, as with [`RoundRobin`](crate::RoundRobin). Observers get the weights by
/// [`Observer::weights_updated`](crate::Observer::weights_updated).
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
    /// The default settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long a server must have reported before its weight counts, from its first report
    /// after its connection was established or its weight expired: a server's first calls
    /// are not representative. 10 s unless set; 0 turns it off.
    #[must_use]
    pub fn blackout_period(mut self, period: Duration) -> Self {
        self.rules.blackout = period;
        self
    }

    /// After how long without a usable report a server's weight expires. 180 s unless set.
    #[must_use]
    pub fn weight_expiration_period(mut self, period: Duration) -> Self {
        self.rules.expiration = period;
        self
    }

    /// How often the turns are computed from the weights. 1 s unless set; values below 100
    /// ms are raised to 100 ms.
    #[must_use]
    pub fn weight_update_period(mut self, period: Duration) -> Self {
        self.update_period = period.max(LEAST_UPDATE_PERIOD);
        self
    }

    /// How much failed calls reduce a server's weight: the share of calls that fail, times
    /// this, is added to the utilization. 1 unless set; 0 adds nothing. Negative values and
    /// NaN count as 0.
    #[must_use]
    pub fn error_utilization_penalty(mut self, penalty: f64) -> Self {
        self.rules.penalty = penalty.max(0.0);
        self
    }

    /// Asks each server to report its load at this interval instead of with each call
    /// (`xds.service.orca.v3.OpenRcaService`, gRFC A51). A server may raise the interval;
    /// most raise it to 30 s. Off unless set. Useful if calls are long or few. The fields
    /// in JSON are `enableOobLoadReport` and `oobReportingPeriod`.
    ///
    /// A server of this runtime reports with `OutOfBandLoad` of the crate `grpc-services`.
    #[must_use]
    pub fn oob_reporting_period(mut self, period: Duration) -> Self {
        self.oob_period = Some(period);
        self
    }

    /// The metrics that give a server's utilization; the highest of them counts (gRFC
    /// A114): `application_utilization`, `cpu_utilization`, `mem_utilization`,
    /// `named_metrics.NAME` or `utilization.NAME`. None unless set. Without any of them in
    /// a report, the application's utilization counts, or else that of the processors.
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

/// The load of one endpoint. Its calls write it and the policy reads it.
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

/// Holds the weight of each endpoint.
#[derive(Debug)]
struct Weights {
    rules: Arc<ArcSwap<WeightRules>>,
    update_period: Duration,
    oob_period: Option<Duration>,
    /// The resolver's attributes of all endpoints.
    attributes: Attributes,
    /// When the turns are next computed.
    due: Option<Instant>,
    /// Continues across new schedules.
    sequence: Option<Arc<AtomicU32>>,
    /// The ready endpoints, and their schedule.
    ready: Vec<Arc<EndpointLoad>>,
    stride: Stride,
    /// A schedule was computed by the timer and is not published yet.
    has_new_stride: bool,
}

impl Weights {
    /// Computes the schedule of the ready endpoints and reports their weights to observers.
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
        // A single ready endpoint needs no weight.
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

    /// Weights stay; the new rules apply to them.
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
    /// Whether the load reports of calls count.
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
