//! Further connections to an endpoint, while calls wait only for its limit of concurrent
//! streams (gRFC A105). Off unless a service config permits more than one.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::common::Common;
use super::connection::ClientConnection;
use super::dial::Dialled;
use super::retired::{abandon, retire};
use super::unopened::Unopened;
use super::watch::health::Health;
use crate::channel::address::Destination;
use crate::channel::alarm::Alarm;
use crate::channel::backoff::Backoff;
use crate::channel::connectivity::Connectivity;
use crate::clock;
use crate::status::Status;
use crate::transport::driver::Driver;
use crate::transport::http2::connection::CannotOpen;
use crate::transport::http2::options::UpkeepOptions;

/// A connection that lived for less time, and answered no call, counts as a failed attempt.
pub(super) const FLEETING: Duration = Duration::from_secs(1);

/// The most turns of one poll, so that other tasks of the thread can run.
const TURNS: usize = 32;

type Dialling = dyn Future<Output = Result<Dialled, Status>> + Send;

/// All connections of a subchannel except the first, in whose queue calls wait.
pub(super) struct Scaling {
    common: Arc<Common>,
    closed: Arc<Connectivity>,
    /// Oldest first.
    lines: Vec<Line>,
    dial: Option<Pin<Box<Dialling>>>,
    began: Instant,
    backoff: Backoff,
    /// No connection is attempted before this instant.
    not_before: Option<Instant>,
    alarm: Alarm,
    /// A server closed one of them because of too many PINGs.
    pinged_too_often: bool,
}

/// A further connection.
#[derive(Debug)]
pub(super) struct Line {
    driver: Box<Driver<ClientConnection>>,
    destination: Destination,
    began: Instant,
    /// It has answered a call.
    is_good: bool,
}

impl fmt::Debug for Scaling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.lines).finish()
    }
}

impl Line {
    /// Makes it the first connection: it gets the calls that wait, and what is known of the
    /// server's health. If no calls come any more it leaves, and the next one becomes the
    /// first. Also returns when it was made.
    pub(super) fn stand(
        self,
        calls: Unopened,
        health: Health,
    ) -> (Box<Driver<ClientConnection>>, Instant) {
        let mut driver = self.driver;
        driver.application.unopened = calls;
        let (connection, application) = driver.parts();
        let now = clock::now();
        application.stand(self.destination, health, connection, now);
        if application.unopened.is_closed() {
            application.leave(connection, now);
        }
        (driver, self.began)
    }

    fn has_room(&mut self) -> bool {
        let connection = self.driver.connection();
        connection.is_established() && connection.can_open().is_ok()
    }
}

impl Scaling {
    pub(super) fn new(common: Arc<Common>, closed: Arc<Connectivity>) -> Self {
        Self {
            backoff: Backoff::new(common.backoff),
            common,
            closed,
            lines: Vec::new(),
            dial: None,
            began: clock::now(),
            not_before: None,
            alarm: Alarm::default(),
            pinged_too_often: false,
        }
    }

    /// Runs the connections, gives calls that wait at the first one to the oldest
    /// connection with room, and connects once more if none has room. `true` if a call was
    /// given.
    pub(super) fn poll(
        &mut self,
        first: &mut Driver<ClientConnection>,
        keepalive: &UpkeepOptions,
        cx: &mut Context<'_>,
    ) -> bool {
        let mut has_given = false;
        for _ in 0..TURNS {
            self.poll_dial(&first.application.unopened, keepalive, cx);
            self.run(cx);
            let gives = self.hand_out(&mut first.application.unopened);
            has_given |= gives;
            if !gives && !self.begin(first, cx) {
                return has_given;
            }
        }
        // With a backoff of 0 attempts could go on without end.
        cx.waker().wake_by_ref();
        has_given
    }

    /// Starts an attempt if a connection is needed and allowed now.
    fn begin(&mut self, first: &mut Driver<ClientConnection>, cx: &mut Context<'_>) -> bool {
        let unopened = &mut first.application.unopened;
        let has_place = self.lines.len() + 1 < unopened.watched().connections as usize;
        let is_made = |line: &mut Line| line.driver.connection().is_established();
        let is_quiet = self.dial.is_none() && self.lines.iter_mut().all(is_made);
        if unopened.is_empty() || !has_place || !is_quiet {
            return false;
        }
        if self.not_before.is_some() && self.alarm.poll(self.not_before, cx).is_pending() {
            return false;
        }
        unopened.forget_ended();
        let is_needed = !unopened.is_empty();
        let is_full = matches!(first.connection().can_open(), Err(CannotOpen::Later));
        let destination = first.application.destination();
        let Some(destination) = destination.filter(|_| is_needed && is_full) else {
            return false;
        };
        self.not_before = None;
        self.began = clock::now();
        // To the same address: the endpoint may have several.
        let (common, same) = (Arc::clone(&self.common), vec![destination.clone()]);
        self.dial = Some(Box::pin(async move {
            common.dial.connect(same, &common.http2).await
        }));
        true
    }

    fn poll_dial(&mut self, unopened: &Unopened, keepalive: &UpkeepOptions, cx: &mut Context<'_>) {
        let Some(dial) = &mut self.dial else {
            return;
        };
        let Poll::Ready(dialled) = dial.as_mut().poll(cx) else {
            return;
        };
        self.dial = None;
        match dialled {
            Ok(dialled) => {
                let (calls, waits) = (unopened.of_another(), self.common.backoff);
                let (driver, destination) = dialled.hand_over(calls, waits, keepalive);
                self.lines.push(Line {
                    driver,
                    destination,
                    began: clock::now(),
                    is_good: false,
                });
            }
            Err(_) => self.pause(),
        }
    }

    /// An attempt failed. Calls use the existing connections.
    fn pause(&mut self) {
        self.not_before = self.began.checked_add(self.backoff.next());
    }

    /// Runs the connections.
    pub(super) fn run(&mut self, cx: &mut Context<'_>) {
        for mut line in std::mem::take(&mut self.lines) {
            let ran = line.driver.poll_run(cx);
            let is_established = line.driver.connection().is_established();
            let application = &mut line.driver.application;
            self.pinged_too_often |= application.pinged_too_often;
            if application.has_answered && !std::mem::replace(&mut line.is_good, true) {
                self.backoff.reset();
            }
            let lived = clock::now().saturating_duration_since(line.began);
            let is_fleeting = !line.is_good && lived < FLEETING;
            match ran {
                Poll::Ready(closed) => {
                    let name = self.common.dial.name();
                    let has_last_words = closed.has_last_words();
                    application.close(closed, &name, is_established, clock::now());
                    if has_last_words {
                        tokio::spawn((*line.driver).leave());
                    }
                    if !is_established || is_fleeting {
                        self.pause();
                    }
                }
                Poll::Pending => match line.driver.connection().can_open() {
                    Err(CannotOpen::Never) => {
                        self.retire(line);
                        if is_fleeting {
                            self.pause();
                        }
                    }
                    _ => self.lines.push(line),
                },
            }
        }
    }

    fn retire(&self, line: Line) {
        let (name, closed) = (self.common.dial.name(), Arc::clone(&self.closed));
        tokio::spawn(async move { retire(line.driver, &name, &closed).await });
    }

    /// `true` if a call got a stream.
    fn hand_out(&mut self, unopened: &mut Unopened) -> bool {
        let mut has_moved = false;
        for line in &mut self.lines {
            while line.has_room() {
                let Some(open) = unopened.pop(true) else {
                    return has_moved;
                };
                let (connection, application) = line.driver.parts();
                application.adopt(connection, open, clock::now());
                has_moved = true;
            }
        }
        has_moved
    }

    /// The oldest established connection, now that the first has ended.
    pub(super) fn take_oldest(&mut self) -> Option<Line> {
        let is_made = |line: &mut Line| line.driver.connection().is_established();
        let place = self.lines.iter_mut().position(is_made)?;
        Some(self.lines.remove(place))
    }

    /// Whether a server closed a connection because of too many PINGs, since this was last
    /// called.
    pub(super) fn take_pinged_too_often(&mut self) -> bool {
        std::mem::take(&mut self.pinged_too_often)
    }

    /// The channel was closed.
    pub(super) fn abandon(self) {
        for line in self.lines {
            tokio::spawn(abandon(line.driver));
        }
    }
}
