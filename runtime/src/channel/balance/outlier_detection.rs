//! outlier_detection (gRFC A50): wraps another policy and ejects endpoints with bad results
//! for a while.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::control::Control;
use super::ejections::{
    Ejection, EjectionRules, FailurePercentageEjection, ResultCounts, SuccessRateEjection, sweep,
};
use super::policy::{Balance, Policy, Resolved};
use super::switch::Switch;
use crate::call::load_report::LoadReport;
use crate::channel::address::EndpointKey;
use crate::channel::call::ticket::{AttemptEnd, AttemptEnds, Ticket};
use crate::channel::connectivity::ConnectivityState;
use crate::channel::pick::{Pick, PickArgs, Picker, Picks};
use crate::channel::subchannel::handle::Subchannel;
use crate::channel::subchannel::report::SubchannelState;
use crate::code::Code;
use crate::status::{Phase, Status};

const LEAST_INTERVAL: Duration = Duration::from_millis(100);

/// Wraps another policy and ejects endpoints whose calls fail too often, for a while (gRFC
/// A50). Otherwise an endpoint that fails calls quickly attracts ever more calls.
///
/// At the end of each interval the results of the endpoints' calls are evaluated. An
/// outlier is reported to the other policy as failed; its connection stays open. It returns
/// after 30 s; each further ejection lasts 30 s longer. Outliers are found by
/// [`success_rate`](Self::success_rate), [`failure_percentage`](Self::failure_percentage)
/// or both. With neither, no endpoint is ejected. Both need at least 5 endpoints unless set
/// otherwise: for a fleet of 3 servers set their `minimum_hosts`.
///
/// A call counts as failed if it ends with any code except `OK`, including `NOT_FOUND`,
/// whoever produced the status. Calls that their caller cancelled, and attempts that no
/// server processed, do not count. [`PickFirst`](crate::PickFirst) uses only one endpoint
/// at a time and keeps it.
///
/// ```
/// # fn main() -> Result<(), grpc_runtime::ChannelError> {
/// use grpc_runtime::{
///     Channel, ChannelCredentials, FailurePercentageEjection, OutlierDetection, RoundRobin,
///     SuccessRateEjection,
/// };
///
/// let detection = OutlierDetection::new(RoundRobin::new())
///     .success_rate(SuccessRateEjection::new())
///     .failure_percentage(FailurePercentageEjection::new().threshold(50));
/// let channel = Channel::builder("dns:///shop.internal:50051")?
///     .balance(detection)
///     .build(ChannelCredentials::insecure())?;
/// # drop(channel);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct OutlierDetection {
    interval: Duration,
    rules: EjectionRules,
    child: Arc<dyn Balance>,
}

impl OutlierDetection {
    /// Wraps `child`, the policy that spreads the calls.
    pub fn new(child: impl Balance) -> Self {
        Self::over(Arc::new(child))
    }

    pub(crate) fn over(child: Arc<dyn Balance>) -> Self {
        Self {
            interval: Duration::from_secs(10),
            rules: EjectionRules::default(),
            child,
        }
    }

    /// The interval of evaluations. 10 s unless set; values below 100 ms are raised to 100
    /// ms.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.max(LEAST_INTERVAL);
        self
    }

    /// How long the first ejection of an endpoint lasts; each further one lasts longer by
    /// the same time. 30 s unless set.
    #[must_use]
    pub fn base_ejection_time(mut self, time: Duration) -> Self {
        self.rules.base_time = time;
        self
    }

    /// The longest that an ejection lasts. 300 s unless set, or the
    /// [`base_ejection_time`](Self::base_ejection_time) if that is longer.
    #[must_use]
    pub fn max_ejection_time(mut self, time: Duration) -> Self {
        self.rules.max_time = Some(time);
        self
    }

    /// The most endpoints ejected at the same time, in percent. 10 unless set, and at least
    /// one endpoint; with 0 none is ejected. Higher values than 100 are lowered to 100.
    #[must_use]
    pub fn max_ejection_percent(mut self, percent: u32) -> Self {
        self.rules.max_percent = percent.min(100);
        self
    }

    /// Ejects endpoints whose success rate is far below that of the others. Off unless set.
    #[must_use]
    pub fn success_rate(mut self, by: SuccessRateEjection) -> Self {
        self.rules.success_rate = Some(by);
        self
    }

    /// Ejects endpoints that fail too many of their calls. Off unless set.
    #[must_use]
    pub fn failure_percentage(mut self, by: FailurePercentageEjection) -> Self {
        self.rules.failure_percentage = Some(by);
        self
    }
}

impl Balance for OutlierDetection {
    fn name(&self) -> &'static str {
        "outlier_detection_experimental"
    }

    fn policy(&self) -> Box<dyn Policy> {
        Box::new(Detection {
            options: self.clone(),
            children: Switch::new(Arc::clone(&self.child)),
            endpoints: Vec::new(),
            places: HashMap::new(),
            subchannels: HashMap::new(),
            began: None,
            due: None,
            said: None,
            has_news: false,
        })
    }
}

/// The results of one endpoint's calls since the last evaluation.
#[derive(Debug, Default)]
struct ResultCounter {
    good: AtomicUsize,
    bad: AtomicUsize,
}

impl ResultCounter {
    fn take(&self) -> ResultCounts {
        ResultCounts {
            good: self.good.swap(0, Ordering::Relaxed),
            bad: self.bad.swap(0, Ordering::Relaxed),
        }
    }
}

impl AttemptEnds for ResultCounter {
    fn ended(&self, _token: u64, end: &AttemptEnd<'_>) {
        match (end.code, end.trailing_metadata) {
            (Code::Ok, _) => self.good.fetch_add(1, Ordering::Relaxed),
            // Not a result of the server's: the attempt was cancelled or continues
            // elsewhere.
            (Code::Cancelled | Code::Unavailable, None) => return,
            _ => self.bad.fetch_add(1, Ordering::Relaxed),
        };
    }
}

/// One endpoint of the list.
#[derive(Debug, Default)]
struct ListedEndpoint {
    counter: Arc<ResultCounter>,
    ejection: Ejection,
}

/// One subchannel of the other policy.
#[derive(Debug)]
struct WatchedSubchannel {
    subchannel: Subchannel,
    endpoint: EndpointKey,
    /// The index of its endpoint, if it has exactly one: the subchannel of pick_first has
    /// all.
    place: Option<usize>,
    /// Its real state, even while the other policy is told that it failed.
    state: SubchannelState,
    is_out: bool,
}

/// The policy of one channel.
struct Detection {
    options: OutlierDetection,
    children: Switch,
    endpoints: Vec<ListedEndpoint>,
    /// The index of each endpoint.
    places: HashMap<EndpointKey, usize>,
    subchannels: HashMap<u64, WatchedSubchannel>,
    /// When the present interval began, if there is one.
    began: Option<Instant>,
    due: Option<Instant>,
    /// What the other policy has published.
    said: Option<(ConnectivityState, Picks)>,
    /// It differs from what this policy has published.
    has_news: bool,
}

impl Policy for Detection {
    fn update(&mut self, resolved: Resolved, control: &mut Control<'_>) -> Result<(), Status> {
        self.list(&resolved);
        self.set_timer(control);
        let child = Arc::clone(&self.options.child);
        let verdict = self.tell(control, |children, control| {
            children.update(&child, resolved, control)
        });
        self.apply(control);
        // The set of counted subchannels may differ now.
        self.has_news = self.said.is_some();
        verdict
    }

    fn resolution_failed(&mut self, status: Status, control: &mut Control<'_>) {
        self.tell(control, |children, control| {
            children.resolution_failed(status, control);
        });
    }

    fn changed(
        &mut self,
        subchannel: &Subchannel,
        state: SubchannelState,
        control: &mut Control<'_>,
    ) {
        let Some(held) = self.subchannels.get_mut(&subchannel.number()) else {
            return;
        };
        held.state = state.clone();
        if !held.is_out {
            self.tell(control, |children, control| {
                children.changed(subchannel, state, control);
            });
        }
    }

    fn load_reported(
        &mut self,
        subchannel: &Subchannel,
        report: &LoadReport,
        control: &mut Control<'_>,
    ) {
        self.tell(control, |children, control| {
            children.load_reported(subchannel, report, control);
        });
    }

    fn connect(&mut self, control: &mut Control<'_>) {
        self.tell(control, Switch::connect);
    }

    fn reconfigure(&mut self, balance: &dyn Balance) -> bool {
        let same = (balance as &dyn Any).downcast_ref::<OutlierDetection>();
        if let Some(options) = same {
            self.options = options.clone();
        }
        same.is_some()
    }

    fn timer(&mut self, control: &mut Control<'_>) {
        let now = control.now();
        if self.due.is_some_and(|due| due <= now) {
            self.began = Some(now);
            self.set_timer(control);
            self.look(control);
            self.apply(control);
        }
        self.tell(control, Switch::timer);
    }

    fn settled(&mut self, control: &mut Control<'_>) {
        self.tell(control, Switch::settled);
        // A new subchannel may belong to an ejected endpoint.
        if self.apply(control) {
            self.tell(control, Switch::settled);
        }
        if std::mem::take(&mut self.has_news)
            && let Some((state, picks)) = &self.said
        {
            control.publish(*state, self.counting(picks));
        }
    }
}

impl Detection {
    /// Lets the other policy handle an event, and records what it did.
    fn tell<T>(
        &mut self,
        control: &mut Control<'_>,
        event: impl FnOnce(&mut Switch, &mut Control<'_>) -> T,
    ) -> T {
        let children = &mut self.children;
        let (told, seen) = control.watch(|control| event(children, control));
        for subchannel in seen.begun {
            let endpoint = subchannel.endpoint().key();
            let held = WatchedSubchannel {
                place: self.place(&subchannel, &endpoint),
                endpoint,
                state: SubchannelState::Idle,
                is_out: false,
                subchannel,
            };
            self.subchannels.insert(held.subchannel.number(), held);
        }
        for number in seen.removed {
            self.subchannels.remove(&number);
        }
        if seen.published.is_some() {
            self.said = seen.published;
            self.has_news = true;
        }
        told
    }

    /// Takes in the endpoints of a list; known endpoints keep their state.
    fn list(&mut self, resolved: &Resolved) {
        let mut before: Vec<_> = std::mem::take(&mut self.endpoints)
            .into_iter()
            .map(Some)
            .collect();
        let places = std::mem::take(&mut self.places);
        for endpoint in &resolved.endpoints {
            let key = endpoint.key();
            if key.is_empty() || self.places.contains_key(&key) {
                continue;
            }
            let last = places.get(&key).and_then(|at| before.get_mut(*at));
            let watched = last.and_then(Option::take).unwrap_or_default();
            self.places.insert(key, self.endpoints.len());
            self.endpoints.push(watched);
        }
        let mut subchannels = std::mem::take(&mut self.subchannels);
        for held in subchannels.values_mut() {
            held.place = self.place(&held.subchannel, &held.endpoint);
        }
        self.subchannels = subchannels;
    }

    fn place(&self, subchannel: &Subchannel, endpoint: &EndpointKey) -> Option<usize> {
        let is_own = !subchannel.is_sole();
        self.places.get(endpoint).copied().filter(|_| is_own)
    }

    /// Sets the timer of the interval. A running interval keeps its start.
    fn set_timer(&mut self, control: &mut Control<'_>) {
        if !self.options.rules.are_on() {
            (self.began, self.due) = (None, None);
            for watched in &mut self.endpoints {
                watched.ejection = Ejection::default();
            }
            return;
        }
        if self.began.is_none() {
            for watched in &self.endpoints {
                watched.counter.take();
            }
        }
        let began = *self.began.get_or_insert(control.now());
        self.due = began.checked_add(self.options.interval);
        if let Some(due) = self.due {
            control.wake_at(due.max(control.now()));
        }
    }

    /// Evaluates the endpoints at the end of an interval.
    fn look(&mut self, control: &Control<'_>) {
        let endpoints = self.endpoints.iter();
        let mut all: Vec<_> = endpoints
            .map(|watched| (watched.counter.take(), watched.ejection))
            .collect();
        let (rules, now) = (&self.options.rules, control.now());
        sweep(&mut all, rules, now, || control.random());
        for (watched, (_, ejection)) in self.endpoints.iter_mut().zip(all) {
            watched.ejection = ejection;
        }
    }

    fn watched(&self, held: &WatchedSubchannel) -> Option<&ListedEndpoint> {
        self.endpoints.get(held.place?)
    }

    /// Tells the other policy which endpoints are ejected and which have returned; `false`
    /// if there are none.
    fn apply(&mut self, control: &mut Control<'_>) -> bool {
        let is_other = |held: &&WatchedSubchannel| {
            let watched = self.watched(held);
            watched.is_some_and(|it| it.ejection.is_out()) != held.is_out
        };
        let others = self.subchannels.values().filter(is_other);
        let mut others: Vec<_> = others.map(|held| held.subchannel.clone()).collect();
        others.sort_unstable_by_key(Subchannel::number);
        let is_told = !others.is_empty();
        for subchannel in others {
            let Some(held) = self.subchannels.get_mut(&subchannel.number()) else {
                continue;
            };
            held.is_out = !held.is_out;
            let state = if held.is_out {
                SubchannelState::TransientFailure(left_out())
            } else {
                held.state.clone()
            };
            self.tell(control, |children, control| {
                children.changed(&subchannel, state, control);
            });
        }
        is_told
    }

    /// The other policy's picks, with counting of their calls' results.
    fn counting(&self, picks: &Picks) -> Picks {
        let counter = |held: &WatchedSubchannel| {
            let counter = Arc::clone(&self.watched(held)?.counter);
            Some((held.subchannel.number(), counter))
        };
        let counters: HashMap<_, _> = self.subchannels.values().filter_map(counter).collect();
        if counters.is_empty() || !self.options.rules.are_on() {
            return picks.clone();
        }
        let inner = picks.clone();
        Picks::by(Counting { inner, counters })
    }
}

fn left_out() -> Status {
    let text = "the server gets no calls for a while, since too many of its calls failed";
    Status::new(Code::Unavailable, text).with_phase(Phase::Wait)
}

struct Counting {
    inner: Picks,
    /// By subchannel number.
    counters: HashMap<u64, Arc<ResultCounter>>,
}

impl Picker for Counting {
    fn pick(&self, args: &PickArgs<'_>) -> Pick<'_> {
        let pick = self.inner.pick_by(*args);
        let Pick::Use(subchannel, ticket) = pick else {
            return pick;
        };
        let Some(counter) = self.counters.get(&subchannel.number()) else {
            return Pick::Use(subchannel, ticket);
        };
        let counting = Ticket::new(Arc::clone(counter) as Arc<dyn AttemptEnds>, 0);
        Pick::Use(subchannel, Some(counting.beside(ticket)))
    }
}

#[cfg(test)]
mod tests;
