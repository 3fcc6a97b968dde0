//! One address's connection over its whole life, on one task: idle, connecting,
//! ready, waiting after a failure, and again. It must never look into a call.
//!
//! ```text
//!        a call               connected               GOAWAY, loss
//! idle ────────→ connecting ────────────→ ready ─────────────────────→ idle
//!   ↑                 │ failed: calls that do not wait fail
//!   └─ backoff over ──┘ (during backoff they fail at once)
//! ```

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::mpsc::WeakUnboundedSender;

use super::backoff::Backoff;
use super::connection::{ClientConnection, Identity};
use super::dial::Dial;
use super::open::Open;
use super::waiting::Waiting;
use crate::call::reset;
use crate::clock;
use crate::status::{Phase, Status};
use crate::transport::Http2Options;
use crate::transport::driver::{Closed, Driver};
use crate::transport::http2::connection::{CannotOpen, Connection, Role};
use crate::transport::io::Io;

/// One address's connection.
#[derive(Debug)]
pub(crate) struct Subchannel {
    dial: Dial,
    identity: Arc<Identity>,
    http2: Http2Options,
    backoff: Backoff,
}

/// How a connection left its subchannel.
enum Left {
    /// It ended; whether it had ever been established.
    Closed(Closed, bool),
    /// It takes no more calls and finishes those it has on its own.
    Retired,
}

impl Subchannel {
    pub(crate) fn new(dial: Dial, identity: Arc<Identity>, http2: Http2Options) -> Self {
        Self {
            dial,
            identity,
            http2,
            backoff: Backoff::default(),
        }
    }

    /// Runs until every `Channel` over it is gone and its calls are done.
    pub(crate) async fn run(
        mut self,
        opens: UnboundedReceiver<Box<Open>>,
        again: WeakUnboundedSender<Box<Open>>,
    ) {
        let mut waiting = Waiting::new(opens, again);
        loop {
            // Idle: nothing is dialled before a call needs it.
            poll_fn(|cx| {
                while waiting.poll_new(cx) {}
                let wanted = !waiting.is_empty() || waiting.is_closed();
                if wanted {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
            if waiting.is_closed() {
                return;
            }
            match attend(&mut waiting, self.dial.connect(), None).await {
                Ok(io) => {
                    let status;
                    (waiting, status) = self.serve(io, waiting).await;
                    if let Some(status) = status {
                        self.pause(&mut waiting, &status).await;
                    }
                }
                Err(status) => self.pause(&mut waiting, &status).await,
            }
        }
    }

    /// Ready: one connection for as long as it takes calls. A connection that
    /// failed before it was established counts as a failed attempt.
    async fn serve(&mut self, io: Io, waiting: Waiting) -> (Waiting, Option<Status>) {
        let connection = Connection::new(Role::Client, self.http2.clone(), clock::now());
        let application = ClientConnection::new(Arc::clone(&self.identity), waiting);
        let mut driver = Driver::new(io, connection, application);
        let left = poll_fn(|cx| match driver.poll_run(cx) {
            Poll::Ready(closed) => {
                Poll::Ready(Left::Closed(closed, driver.connection().is_established()))
            }
            Poll::Pending => match driver.connection().can_open() {
                Err(CannotOpen::Never) => Poll::Ready(Left::Retired),
                Ok(()) | Err(CannotOpen::Later) => Poll::Pending,
            },
        })
        .await;
        let waiting = driver.application.waiting.hand_on();
        let name = self.dial.name();
        let failed = match left {
            Left::Closed(closed, established) => {
                driver.application.close(&closed, &name, clock::now());
                if established {
                    self.backoff.reset();
                }
                (!established).then(|| {
                    reset::status_of_closed(&closed, &name, None).with_phase(Phase::Connect)
                })
            }
            Left::Retired => {
                self.backoff.reset();
                tokio::spawn(async move {
                    let closed = (&mut driver).await;
                    driver.application.close(&closed, &name, clock::now());
                });
                None
            }
        };
        (waiting, failed)
    }

    /// Transient failure: calls fail fast until the backoff is over, but for
    /// those that asked to wait.
    async fn pause(&mut self, waiting: &mut Waiting, status: &Status) {
        waiting.fail_fast(status, clock::now());
        let backoff = tokio::time::sleep(self.backoff.next());
        attend(waiting, backoff, Some(status)).await;
    }
}

/// Waits for `until` and keeps the waiting calls' deadlines meanwhile. With
/// `failing` every call that does not wait for readiness fails at once.
async fn attend<F: Future>(waiting: &mut Waiting, until: F, failing: Option<&Status>) -> F::Output {
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
            if let Poll::Ready(output) = until.as_mut().poll(cx) {
                return Poll::Ready(output);
            }
            let Some(deadline) = waiting.next_timeout() else {
                return Poll::Pending;
            };
            if armed != Some(deadline) {
                sleep
                    .as_mut()
                    .reset(tokio::time::Instant::from_std(deadline));
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
