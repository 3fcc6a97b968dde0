//! The task that runs a channel: it passes events to the core and carries out the core's
//! decisions. There is one task for each channel; calls that find a pick do not pass
//! through it.

mod core;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use self::core::Core;
use crate::call::queue::{QueueReceiver, QueueSender, queue};
use crate::channel::alarm::Alarm;
use crate::channel::backend_labels::{BackendService, Locality};
use crate::channel::balance::control::Weighed;
use crate::channel::connectivity::ConnectivityState;
use crate::channel::inbox::{Ask, Inbox};
use crate::channel::outlook::Outlook;
use crate::channel::pick::Picks;
use crate::channel::resolve::source::{Resolving, Source};
use crate::channel::service_config::in_force::{Configs, InForce};
use crate::channel::subchannel::common::Common;
use crate::channel::subchannel::lifecycle::Lifecycle;
use crate::channel::subchannel::report::Report;
use crate::clock;
use crate::observe::weights::UpdatedWeights;

/// The most turns of one poll, so that other tasks of the thread can run.
const TURNS: usize = 32;

/// The hub of one channel.
pub(super) struct Hub {
    core: Core,
    resolving: Resolving,
    reports: QueueReceiver<Report>,
    /// The queue for the subchannels' reports.
    reporter: QueueSender<Report>,
    batch: Vec<Report>,
    requests: RequestPace,
    common: Arc<Common>,
    seat: HubSeat,
}

/// Limits how often the resolver is asked: a resolver that returns at once other servers,
/// of which none can be reached, must not cause a busy loop.
#[derive(Debug)]
struct RequestPace {
    least: Duration,
    last: Option<Instant>,
    /// When it is asked next.
    due: Option<Instant>,
}

impl RequestPace {
    fn new(least: Duration) -> Self {
        Self {
            least,
            last: None,
            due: None,
        }
    }

    /// Whether it may be asked now; otherwise it is asked at `due`.
    fn add(&mut self, now: Instant) -> bool {
        let next = self.last.and_then(|last| last.checked_add(self.least));
        match next {
            Some(next) if next > now => {
                self.due = Some(next);
                false
            }
            _ => {
                self.last = Some(now);
                self.due = None;
                true
            }
        }
    }

    fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether it is to be asked now.
    fn take(&mut self, now: Instant) -> bool {
        let is_due = self.due.is_some_and(|due| due <= now);
        is_due && self.add(now)
    }
}

/// A hub's right to publish. When a hub ends, for example with its runtime, its seat
/// removes the picks: the next call starts another hub.
struct HubSeat {
    outlook: Arc<Outlook>,
    number: u64,
}

impl Drop for HubSeat {
    fn drop(&mut self) {
        self.publish(ConnectivityState::Idle, Picks::wait());
    }
}

impl HubSeat {
    fn publish(&self, state: ConnectivityState, picks: Picks) {
        self.outlook.publish(self.number, state, picks);
    }
}

impl Hub {
    pub(super) fn new(
        source: Source,
        configs: Arc<Configs>,
        common: Arc<Common>,
        outlook: Arc<Outlook>,
        asks: QueueReceiver<Ask>,
    ) -> Self {
        let (reporter, reports) = queue();
        let target = Arc::from(common.dial.name());
        let number = outlook.succeed();
        let in_force = InForce::new(configs, outlook.standing());
        Self {
            core: Core::new(Inbox::new(asks), target, in_force),
            resolving: Resolving::begin(source),
            reports,
            reporter,
            batch: Vec::new(),
            requests: RequestPace::new(common.backoff.first),
            common,
            seat: HubSeat { outlook, number },
        }
    }

    /// Runs until every handle of the channel was dropped and its calls are done, or until
    /// the channel is closed.
    pub(super) async fn run(mut self) {
        self.core.begin();
        let mut is_told = false;
        let mut alarm = Alarm::default();
        poll_fn(|cx| {
            // Even if it is busy.
            self.on_timeout(clock::now());
            for _ in 0..TURNS {
                if self.turn(cx) {
                    continue;
                }
                if !self.core.is_resolved() && !std::mem::replace(&mut is_told, true) {
                    self.seat
                        .publish(ConnectivityState::Connecting, Picks::wait());
                }
                if self.core.is_closing() || self.core.is_broken() || self.core.is_over() {
                    return Poll::Ready(());
                }
                let due = [self.core.next_timeout(), self.requests.due()];
                let next = due.into_iter().flatten().min();
                if alarm.poll(next, cx).is_pending() {
                    return Poll::Pending;
                }
                self.on_timeout(clock::now());
            }
            // Lets other tasks run before a resolver that never pauses.
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        let now = clock::now();
        for report in self.reports.close() {
            if let Report::Back(open) = report {
                self.core.report(Report::Back(open), now);
            }
        }
        if self.core.is_closing() {
            self.core.close(now);
        } else {
            self.core.give_up(now);
        }
        self.core.dismiss();
    }

    fn on_timeout(&mut self, now: Instant) {
        self.core.on_timeout(now);
        if self.requests.take(now) {
            self.resolving.request();
        }
    }

    /// `true` if something has happened that others may have to be told of.
    fn turn(&mut self, cx: &mut Context<'_>) -> bool {
        let mut has_moved = self.core.poll(cx);
        let now = clock::now();
        if self.core.take_wanted() {
            self.core.connect(now);
            self.resolving.urge();
        }
        let mut batch = std::mem::take(&mut self.batch);
        has_moved |= self.reports.poll_take(&mut batch, cx).is_ready();
        for report in batch.drain(..) {
            self.core.report(report, now);
        }
        self.batch = batch;
        if let Some(resolution) = self.resolving.poll(cx) {
            let verdict = self.core.resolved(resolution, now);
            self.resolving.answer(verdict);
            has_moved = true;
        }
        let effects = self.core.settle_calls(now);
        if let Some(standing) = effects.standing {
            self.seat.outlook.hold_to(self.seat.number, &standing);
        }
        for weighed in effects.weighed {
            self.tell(&weighed);
        }
        if let Some((state, picks)) = effects.publish {
            self.seat.publish(state, picks);
        }
        for (subchannel, asks) in effects.begin {
            let closed = self.seat.outlook.connectivity();
            let lifecycle = Lifecycle::new(Arc::clone(&self.common), &subchannel, closed);
            let identity = (subchannel.number(), subchannel.is_sole());
            tokio::spawn(lifecycle.run(identity, asks, self.reporter.clone()));
        }
        if effects.resolve && self.requests.add(now) {
            self.resolving.request();
        }
        self.core.settle(cx.waker());
        has_moved
    }

    #[cold]
    fn tell(&self, weighed: &Weighed) {
        let observers = self.common.dial.observers();
        let locality = weighed.attributes.get::<Locality>();
        let backend_service = weighed.attributes.get::<BackendService>();
        let update = UpdatedWeights {
            target: observers.target().unwrap_or_default(),
            locality: locality.map_or("", |Locality(name)| name),
            backend_service: backend_service.map_or("", |BackendService(name)| name),
            weights: &weighed.weights,
        };
        observers.tell(|it| it.weights_updated(&update));
    }
}
