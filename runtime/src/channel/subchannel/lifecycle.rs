//! The life of one endpoint's connection, in its own task: idle, connecting, ready, waiting
//! after a failure, and again. It reports each step to the hub, and does not look into
//! calls.
//!
//! ```text
//!   a call, or asked for     HTTP/2 agreed        GOAWAY, loss, idleness
//! idle ────────→ connecting ────────────→ ready ─────────────────────→ idle
//!   ↑                 │ failed: the calls go back to the hub
//!   └─ backoff over ──┘ told to try at once: connecting
//! ```

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use super::common::Common;
use super::connection::ClientConnection;
use super::dial::Dialled;
use super::handle::Subchannel;
use super::report::{Report, SubchannelState};
use super::retired::{abandon, retire};
use super::scaling::{FLEETING, Scaling};
use super::unopened::Unopened;
use crate::call::queue::{QueueReceiver, QueueSender};
use crate::channel::address::Destination;
use crate::channel::alarm::Alarm;
use crate::channel::backoff::Backoff;
use crate::channel::connectivity::Connectivity;
use crate::channel::inbox::{Ask, Inbox};
use crate::clock;
use crate::status::{Code, Phase, Status};
use crate::transport::driver::{Closed, Driver};
use crate::transport::http2::connection::CannotOpen;
use crate::transport::http2::options::UpkeepOptions;

/// One endpoint's connection.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    common: Arc<Common>,
    /// The addresses of the next attempt.
    destinations: Arc<Mutex<Arc<[Destination]>>>,
    keepalive: UpkeepOptions,
    backoff: Backoff,
    /// How many connections in a row the server closed at once without having answered a
    /// call.
    fleeting: u32,
    /// The further connections, if a service config permits any.
    scaling: Option<Box<Scaling>>,
    /// Tells when the channel is closed.
    closed: Arc<Connectivity>,
}

/// How a connection left its subchannel.
enum Left {
    /// It ended; the flag says whether it had been established.
    Closed(Closed, bool),
    /// It accepts no more calls and finishes its present ones in its own task.
    Retired,
    /// The channel was closed.
    Abandoned,
}

impl Lifecycle {
    pub(crate) fn new(
        common: Arc<Common>,
        subchannel: &Subchannel,
        closed: Arc<Connectivity>,
    ) -> Self {
        let mut upkeep = common.upkeep;
        if !subchannel.is_sole() {
            // No idle timeout with several endpoints: their policy would connect again at
            // once.
            upkeep.lifetime.max_idle = None;
        }
        Self {
            destinations: subchannel.destinations(),
            keepalive: upkeep,
            backoff: Backoff::new(common.backoff),
            fleeting: 0,
            scaling: None,
            closed,
            common,
        }
    }

    /// Runs until all handles of the subchannel were dropped and its calls are done, or
    /// until the channel is closed.
    pub(crate) async fn run(
        mut self,
        subchannel: (u64, bool),
        asks: QueueReceiver<Ask>,
        hub: QueueSender<Report>,
    ) {
        let target = Arc::from(self.common.dial.name());
        let (number, is_sole) = subchannel;
        let record = self.common.record.enter(Arc::clone(&self.destinations));
        let mut calls = Unopened::new(Inbox::new(asks), number, hub, is_sole, target, record);
        // When told to try at once, it does so without asking the hub: the hub's request
        // would arrive during the attempt and count as a further one after the next
        // failure.
        let mut is_new = true;
        let mut was_told = false;
        loop {
            if !std::mem::take(&mut is_new) && !std::mem::take(&mut was_told) {
                calls.tell(SubchannelState::Idle);
            }
            // Idle: connects only when a call or the program needs it.
            poll_fn(|cx| {
                while calls.poll(cx) {}
                calls.give_back_unless_sole();
                calls.settle(cx.waker());
                let is_needed = !calls.is_over() && calls.take_wanted();
                if is_needed || calls.is_over() || calls.is_closing() {
                    return Poll::Ready(());
                }
                calls.tell_if_done();
                Poll::Pending
            })
            .await;
            if calls.is_closing() || calls.is_over() {
                break;
            }
            calls.tell(SubchannelState::Connecting);
            let began = clock::now();
            let destinations = list(&self.destinations);
            // Boxed: a handshake needs much memory, and this task lives as long as the
            // channel.
            let common = Arc::clone(&self.common);
            let dialled =
                Box::pin(async move { common.dial.connect(destinations, &common.http2).await });
            match attend(&mut calls, dialled, false).await {
                Some(Ok(dialled)) => {
                    let status;
                    (calls, status) = self.serve(dialled, calls).await;
                    if let Some(status) = status {
                        was_told = self.pause(&mut calls, &status, began).await;
                    }
                }
                Some(Err(status)) => was_told = self.pause(&mut calls, &status, began).await,
                None => {}
            }
            if calls.is_closing() {
                break;
            }
        }
        if calls.is_closing() {
            calls.close(clock::now());
        }
    }

    /// Ready: runs a connection as long as it accepts calls, and then a further connection,
    /// if there is one. A connection that ends before it was established counts as a failed
    /// attempt.
    async fn serve(&mut self, dialled: Dialled, mut calls: Unopened) -> (Unopened, Option<Status>) {
        let waits = self.common.backoff;
        let (mut driver, destination) = dialled.hand_over(calls, waits, &self.keepalive);
        let mut destination = Some(destination);
        let mut began = clock::now();
        loop {
            let left = poll_fn(|cx| self.poll_serve(&mut driver, &mut destination, cx)).await;
            let health = driver.application.health().clone();
            let failed;
            (calls, failed) = self.left(driver, left, began).await;
            let Some(scaling) = &mut self.scaling else {
                return (calls, failed);
            };
            // Further connections that were lost at the same time do not replace it.
            poll_fn(|cx| {
                scaling.run(cx);
                Poll::Ready(())
            })
            .await;
            let Some(line) = scaling.take_oldest() else {
                self.scaling = None;
                return (calls, failed);
            };
            (driver, began) = line.stand(calls, health);
        }
    }

    fn poll_serve(
        &mut self,
        driver: &mut Driver<ClientConnection>,
        destination: &mut Option<Destination>,
        cx: &mut Context<'_>,
    ) -> Poll<Left> {
        loop {
            let closed = driver.poll_run(cx);
            let established = driver.connection().is_established();
            if let Poll::Ready(closed) = closed {
                return Poll::Ready(Left::Closed(closed, established));
            }
            if driver.application.unopened.is_closing() {
                return Poll::Ready(Left::Abandoned);
            }
            if !established {
                break;
            }
            let Some(destination) = destination.take() else {
                break;
            };
            let (connection, application) = driver.parts();
            let health = application.first_health();
            application.stand(destination, health, connection, clock::now());
        }
        if let Err(CannotOpen::Never) = driver.connection().can_open() {
            return Poll::Ready(Left::Retired);
        }
        let most = driver.application.unopened.watched().connections;
        if self.scaling.is_some() || (most > 1 && destination.is_none()) {
            let scaling = self.scaling.get_or_insert_with(|| {
                let (common, closed) = (Arc::clone(&self.common), Arc::clone(&self.closed));
                Box::new(Scaling::new(common, closed))
            });
            let has_given = scaling.poll(driver, &self.keepalive, cx);
            if scaling.take_pinged_too_often() {
                self.keepalive.keepalive.slow_down();
            }
            if has_given && driver.application.unopened.is_closed() {
                // The last call that waited has ended.
                let (connection, application) = driver.parts();
                application.leave(connection, clock::now());
                return Poll::Ready(Left::Retired);
            }
        }
        Poll::Pending
    }

    /// A connection has left: returns its calls, and the reason not to connect again at
    /// once, if there is one.
    async fn left(
        &mut self,
        mut driver: Box<Driver<ClientConnection>>,
        left: Left,
        began: Instant,
    ) -> (Unopened, Option<Status>) {
        if driver.application.pinged_too_often {
            self.keepalive.keepalive.slow_down();
        }
        let mut calls = driver.application.unopened.hand_on();
        let name = self.common.dial.name();
        let has_answered = driver.application.has_answered;
        let failed = match left {
            Left::Closed(closed, established) => {
                let now = clock::now();
                let has_last_words = closed.has_last_words();
                let status = driver.application.close(closed, &name, established, now);
                if has_last_words {
                    tokio::spawn((*driver).leave());
                }
                if established {
                    self.judge(began, has_answered, &name)
                } else {
                    Some(status)
                }
            }
            Left::Retired => {
                let failed = self.judge(began, has_answered, &name);
                let closed = Arc::clone(&self.closed);
                tokio::spawn(async move { retire(driver, &name, &closed).await });
                failed
            }
            Left::Abandoned => {
                calls.close(clock::now());
                if let Some(scaling) = self.scaling.take() {
                    scaling.abandon();
                }
                Box::pin(abandon(driver)).await;
                None
            }
        };
        (calls, failed)
    }

    /// Transient failure: the hub has the calls until the backoff has passed, or until the
    /// subchannel is told to try at once; then it returns `true`. The backoff counts from
    /// when the attempt `began`, so the time of a long attempt counts as part of the wait.
    async fn pause(&mut self, calls: &mut Unopened, status: &Status, began: Instant) -> bool {
        calls.failed(status);
        let until = tokio::time::Instant::from_std(began) + self.backoff.next();
        attend(calls, tokio::time::sleep_until(until), true).await;
        let was_told = calls.is_wanted();
        if was_told {
            self.backoff.reset();
        }
        was_told
    }

    /// An established connection has ended. `Some` if it counts as a failed attempt:
    /// otherwise a server that closes each connection at once would be dialled in a loop.
    /// The first such end does not count, since servers restart.
    fn judge(&mut self, began: Instant, has_answered: bool, name: &str) -> Option<Status> {
        let lived = clock::now().saturating_duration_since(began);
        if has_answered || lived >= FLEETING {
            self.fleeting = 0;
            self.backoff.reset();
            return None;
        }
        self.fleeting += 1;
        let text = format!(
            "{name} accepted {} connections and closed each before it answered a call",
            self.fleeting
        );
        let status = Status::new(Code::Unavailable, text).with_phase(Phase::Connect);
        (self.fleeting > 1).then_some(status)
    }
}

/// The addresses that an attempt tries.
fn list(destinations: &Mutex<Arc<[Destination]>>) -> Vec<Destination> {
    let list = destinations.lock();
    list.unwrap_or_else(PoisonError::into_inner).to_vec()
}

/// Waits for `until`, and meanwhile ends waiting calls at their deadlines. After a failure
/// (`is_failing`) no call waits here. `None` once the channel is closed, all handles were
/// dropped, or, after a failure, it is told to try at once. If no calls come any more and
/// none is here, only the hub knows whether a call waits for this.
async fn attend<F: Future>(calls: &mut Unopened, until: F, is_failing: bool) -> Option<F::Output> {
    let mut until = pin!(until);
    let mut alarm = Alarm::default();
    poll_fn(|cx| {
        loop {
            while calls.poll(cx) {}
            if is_failing {
                calls.give_back();
            } else {
                calls.give_back_unless_sole();
            }
            calls.settle(cx.waker());
            calls.tell_if_done();
            let told_to_try = is_failing && calls.is_wanted();
            if calls.is_closing() || calls.is_over() || told_to_try {
                return Poll::Ready(None);
            }
            if let Poll::Ready(output) = until.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            if alarm.poll(calls.next_timeout(), cx).is_pending() {
                return Poll::Pending;
            }
            calls.expire(clock::now());
        }
    })
    .await
}
