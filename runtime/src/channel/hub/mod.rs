//! The task that looks after a channel: it moves events into the core and does what
//! the core decides. One task a channel; calls that find a pick never come here.

mod core;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use self::core::Core;
use crate::call::queue::{QueueReceiver, QueueSender, queue};
use crate::channel::balance::policy::Balance;
use crate::channel::connectivity::ConnectivityState;
use crate::channel::inbox::{Ask, Inbox};
use crate::channel::outlook::Outlook;
use crate::channel::pick::Picks;
use crate::channel::resolve::running::{Resolving, Source};
use crate::channel::subchannel::lifecycle::{Common, Lifecycle};
use crate::channel::subchannel::report::Report;
use crate::clock;

/// The hub of one channel.
pub(super) struct Hub {
    core: Core,
    resolving: Resolving,
    reports: QueueReceiver<Report>,
    /// For the subchannels.
    reporter: QueueSender<Report>,
    batch: Vec<Report>,
    common: Arc<Common>,
    seat: Seat,
}

/// A hub's right to say what is so. One that ends, with its runtime say, leaves no
/// connection: the next call starts another.
struct Seat {
    outlook: Arc<Outlook>,
    number: u64,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.publish(ConnectivityState::Idle, Picks::wait());
    }
}

impl Seat {
    fn publish(&self, state: ConnectivityState, picks: Picks) {
        self.outlook.publish(self.number, state, picks);
    }
}

impl Hub {
    pub(super) fn new(
        source: Source,
        balance: &dyn Balance,
        common: Arc<Common>,
        outlook: Arc<Outlook>,
        asks: QueueReceiver<Ask>,
    ) -> Self {
        let (reporter, reports) = queue();
        let target = Arc::from(common.dial.name());
        let number = outlook.succeed();
        Self {
            core: Core::new(Inbox::new(asks), balance.policy(), target),
            resolving: Resolving::begin(source),
            reports,
            reporter,
            batch: Vec::new(),
            common,
            seat: Seat { outlook, number },
        }
    }

    /// Runs until every handle of the channel is gone and its calls are done, or until
    /// the channel is closed.
    pub(super) async fn run(mut self) {
        let mut is_told = false;
        let mut sleep = pin!(tokio::time::sleep_until(tokio::time::Instant::now()));
        let mut armed: Option<Instant> = None;
        poll_fn(|cx| {
            loop {
                while self.turn(cx) {}
                if !self.core.is_resolved() && !std::mem::replace(&mut is_told, true) {
                    self.seat
                        .publish(ConnectivityState::Connecting, Picks::wait());
                }
                if self.core.is_closing() || self.core.is_broken() || self.core.is_over() {
                    return Poll::Ready(());
                }
                let Some(deadline) = self.core.next_timeout() else {
                    return Poll::Pending;
                };
                if armed != Some(deadline) {
                    sleep.as_mut().reset(clock::timer(deadline));
                    armed = Some(deadline);
                }
                if sleep.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                armed = None;
                self.core.on_timeout(clock::now());
            }
        })
        .await;
        if self.core.is_closing() {
            self.core.close(clock::now());
        } else if self.core.is_broken() {
            self.core.give_up(clock::now());
        }
        self.core.dismiss();
    }

    /// `true` where something has happened that others may have to hear of.
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
        if let Some((state, picks)) = effects.publish {
            self.seat.publish(state, picks);
        }
        for (subchannel, asks) in effects.begin {
            let closed = self.seat.outlook.connectivity();
            let lifecycle = Lifecycle::new(Arc::clone(&self.common), &subchannel, closed);
            let identity = (subchannel.number(), subchannel.is_sole());
            tokio::spawn(lifecycle.run(identity, asks, self.reporter.clone()));
        }
        if effects.resolve {
            self.resolving.request();
        }
        self.core.settle(cx.waker());
        has_moved
    }
}
