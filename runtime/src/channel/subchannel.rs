//! One address's connection over its whole life, on one task: idle, connecting,
//! ready, waiting after a failure, and again. It must never look into a call.
//!
//! ```text
//!   a call, or asked for     HTTP/2 agreed        GOAWAY, loss, idleness
//! idle ────────→ connecting ────────────→ ready ─────────────────────→ idle
//!   ↑                 │ failed: calls that do not wait fail
//!   └─ backoff over ──┘ (during backoff they fail at once)
//! ```

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::connection::{ClientConnection, Identity};
use super::connectivity::{Connectivity, ConnectivityState};
use super::dial::Dial;
use super::greeting::Greeting;
use super::open::{self, Ask};
use super::waiting::Waiting;
use crate::call::queue::{QueueReceiver, WeakQueueSender};
use crate::clock;
use crate::status::{Code, Phase, Status};
use crate::transport::Http2Options;
use crate::transport::driver::{Closed, Driver};
use crate::transport::http2::connection::CannotOpen;
use crate::transport::http2::options::UpkeepOptions;

/// A connection that lived for less, and answered no call, is of no use to anyone.
const FLEETING: Duration = Duration::from_secs(1);

/// One address's connection.
#[derive(Debug)]
pub(crate) struct Subchannel {
    dial: Dial,
    identity: Arc<Identity>,
    http2: Http2Options,
    upkeep: UpkeepOptions,
    backoff: Backoff,
    /// Connections in a row that left at once and had not answered a call.
    fleeting: u32,
    number: u64,
    connectivity: Arc<Connectivity>,
}

/// How a connection left its subchannel.
enum Left {
    /// It ended; whether it had ever been established.
    Closed(Closed, bool),
    /// It takes no more calls and finishes those it has on its own.
    Retired,
    /// The channel was closed.
    Abandoned,
}

impl Subchannel {
    pub(crate) fn new(
        dial: Dial,
        identity: Arc<Identity>,
        http2: Http2Options,
        upkeep: UpkeepOptions,
        backoff: Backoff,
        connectivity: Arc<Connectivity>,
    ) -> Self {
        Self {
            dial,
            identity,
            http2,
            upkeep,
            backoff,
            fleeting: 0,
            number: connectivity.succeed(),
            connectivity,
        }
    }

    /// Runs until every `Channel` over it is gone and its calls are done, or
    /// until the channel is closed.
    pub(crate) async fn run(mut self, asks: QueueReceiver<Ask>, again: WeakQueueSender<Ask>) {
        let _running = Running(Arc::clone(&self.connectivity), self.number);
        let target = Arc::from(self.dial.name());
        let mut waiting = Waiting::new(target, asks, again);
        while !waiting.is_closing() {
            self.tell(ConnectivityState::Idle);
            // Idle: nothing is dialled before someone needs it.
            poll_fn(|cx| {
                while waiting.poll_new(cx) {}
                waiting.settle(cx.waker());
                if waiting.take_wanted() || waiting.is_closed() || waiting.is_closing() {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
            if waiting.is_closed() {
                break;
            }
            self.tell(ConnectivityState::Connecting);
            // What a handshake needs is large, and this task lives as long as the
            // channel.
            let dialled = Box::pin(async { self.dial.connect(&self.http2).await.map(Box::new) });
            match attend(&mut waiting, dialled, None).await {
                Some(Ok(greeting)) => {
                    let status;
                    (waiting, status) = self.serve(greeting, waiting).await;
                    if let Some(status) = status {
                        self.pause(&mut waiting, &status).await;
                    }
                }
                Some(Err(status)) => self.pause(&mut waiting, &status).await,
                None => {}
            }
        }
        waiting.close(&open::closed(), clock::now());
    }

    /// Ready: one connection for as long as it takes calls. A connection that
    /// failed before it was established counts as a failed attempt.
    async fn serve(
        &mut self,
        greeting: Box<Driver<Greeting>>,
        waiting: Waiting,
    ) -> (Waiting, Option<Status>) {
        let identity = Arc::clone(&self.identity);
        let application = ClientConnection::new(identity, greeting.peer(), waiting);
        let mut driver = greeting.hand_over(application);
        let began = clock::now();
        driver.connection().keep_up(&self.upkeep, began);
        let mut ready = false;
        let left = poll_fn(|cx| {
            let closed = driver.poll_run(cx);
            let established = driver.connection().is_established();
            if let Poll::Ready(closed) = closed {
                return Poll::Ready(Left::Closed(closed, established));
            }
            if driver.application.waiting.is_closing() {
                return Poll::Ready(Left::Abandoned);
            }
            if established && !std::mem::replace(&mut ready, true) {
                driver.application.waiting.reached();
                self.tell(ConnectivityState::Ready);
            }
            match driver.connection().can_open() {
                Err(CannotOpen::Never) => Poll::Ready(Left::Retired),
                Ok(()) | Err(CannotOpen::Later) => Poll::Pending,
            }
        })
        .await;
        if driver.application.pinged_too_often {
            self.upkeep.keepalive.slow_down();
        }
        let mut waiting = driver.application.waiting.hand_on();
        let name = self.dial.name();
        let has_answered = driver.application.has_answered;
        let failed = match left {
            Left::Closed(closed, established) => {
                let now = clock::now();
                let has_last_words = closed.has_last_words();
                let status = driver.application.close(closed, &name, established, now);
                if has_last_words {
                    tokio::spawn(driver.leave());
                }
                if established {
                    self.judge(began, has_answered, &name)
                } else {
                    Some(status)
                }
            }
            Left::Retired => {
                let failed = self.judge(began, has_answered, &name);
                let connectivity = Arc::clone(&self.connectivity);
                tokio::spawn(async move { retire(driver, &name, &connectivity).await });
                failed
            }
            Left::Abandoned => {
                waiting.close(&open::closed(), clock::now());
                abandon(driver).await;
                None
            }
        };
        (waiting, failed)
    }

    /// Transient failure: calls fail fast until the backoff is over, but for
    /// those that asked to wait.
    async fn pause(&mut self, waiting: &mut Waiting, status: &Status) {
        waiting.forget_wanted();
        self.tell(ConnectivityState::TransientFailure);
        waiting.fail_fast(status, clock::now());
        let backoff = tokio::time::sleep(self.backoff.next());
        attend(waiting, backoff, Some(status)).await;
        if waiting.is_wanted() {
            self.backoff.reset();
        }
    }

    fn tell(&self, state: ConnectivityState) {
        self.connectivity.set(self.number, state);
    }

    /// An established connection is over. `Some` where it is as good as a failed
    /// attempt: a server that lets go of each connection at once would otherwise be
    /// dialled in a loop. One alone is forgiven, since servers do restart.
    fn judge(&mut self, began: Instant, has_answered: bool, name: &str) -> Option<Status> {
        let lived = clock::now().saturating_duration_since(began);
        if has_answered || lived >= FLEETING {
            self.fleeting = 0;
            self.backoff.reset();
            return None;
        }
        self.fleeting += 1;
        let text = format!(
            "{name} took {} connections and let go of each before it answered a call",
            self.fleeting
        );
        let status = Status::new(Code::Unavailable, text).with_phase(Phase::Connect);
        (self.fleeting > 1).then_some(status)
    }
}

/// A subchannel that ends, with its runtime say, leaves no connection: the next
/// call starts another.
struct Running(Arc<Connectivity>, u64);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.set(self.1, ConnectivityState::Idle);
    }
}

/// A connection that takes no more calls, until those it has are done or the
/// channel is closed.
async fn retire(mut driver: Driver<ClientConnection>, name: &str, connectivity: &Connectivity) {
    let mut closing = pin!(connectivity.closed());
    let closed = poll_fn(|cx| match driver.poll_run(cx) {
        Poll::Ready(closed) => Poll::Ready(Some(closed)),
        Poll::Pending => closing.as_mut().poll(cx).map(|()| None),
    })
    .await;
    match closed {
        Some(closed) => {
            let now = clock::now();
            let has_last_words = closed.has_last_words();
            driver.application.close(closed, name, true, now);
            if has_last_words {
                driver.leave().await;
            }
        }
        None => abandon(driver).await,
    }
}

/// Ends a connection and its calls, and tells the server.
async fn abandon(mut driver: Driver<ClientConnection>) {
    let (connection, application) = driver.parts();
    application.abandon(connection, &open::closed(), clock::now());
    driver.leave().await;
}

/// Waits for `until` and keeps the waiting calls' deadlines meanwhile. With
/// `failing` every call that does not wait for readiness fails at once. `None`
/// once the channel is closed, or nobody is left who could want a connection, or
/// after a failure the channel is told to try at once.
async fn attend<F: Future>(
    waiting: &mut Waiting,
    until: F,
    failing: Option<&Status>,
) -> Option<F::Output> {
    let mut until = pin!(until);
    let mut sleep = pin!(tokio::time::sleep_until(tokio::time::Instant::now()));
    let mut armed: Option<Instant> = None;
    poll_fn(|cx| {
        loop {
            let mut came = false;
            while waiting.poll_new(cx) {
                came = true;
            }
            if let Some(status) = failing
                && came
            {
                waiting.fail_fast(status, clock::now());
            }
            waiting.settle(cx.waker());
            let told_to_try = failing.is_some() && waiting.is_wanted();
            if waiting.is_closing() || waiting.is_closed() || told_to_try {
                return Poll::Ready(None);
            }
            if let Poll::Ready(output) = until.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            let Some(deadline) = waiting.next_timeout() else {
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
            waiting.expire(clock::now());
        }
    })
    .await
}
