//! The calls of a subchannel that have no stream. They wait here while there is a
//! connection or one is being established; otherwise they are given back to the hub.

use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Instant;

use super::report::{Report, SubchannelState};
use crate::call::load_report::LoadReport;
use crate::call::queue::QueueSender;
use crate::channel::call::open_call::{OpenCall, closed};
use crate::channel::connectivity::ConnectivityState;
use crate::channel::inbox::Inbox;
use crate::channel::record::SubchannelRecord;
use crate::channel::watched::Watched;
use crate::clock;
use crate::status::{Code, Phase, Status};

/// The inbox of a subchannel's task, and its queue to the hub.
#[derive(Debug)]
pub(crate) struct Unopened {
    inbox: Inbox,
    number: u64,
    hub: QueueSender<Report>,
    /// Calls may wait here for a connection.
    is_sole: bool,
    /// Another connection now has the calls.
    is_handed_on: bool,
    /// The hub was told that nothing is left here.
    is_done: bool,
    /// The name of the peer in errors.
    target: Arc<str>,
    /// The subchannel's record for channelz.
    record: Arc<SubchannelRecord>,
    reach: Reach,
}

/// What the calls wait for.
#[derive(Clone, Debug, Default)]
enum Reach {
    /// A connection.
    #[default]
    Awaited,
    /// Room on the present connection.
    Reached,
    /// A connection, after the last attempt failed.
    Failed(Status),
}

impl Reach {
    fn expired(&self, target: &str) -> Status {
        match self {
            Self::Reached => status(format!(
                "the call's deadline passed while it waited for room on the connection to {target}"
            )),
            Self::Awaited => connecting(target, None),
            Self::Failed(last) => connecting(target, Some(last)),
        }
    }
}

impl Unopened {
    pub(super) fn new(
        inbox: Inbox,
        number: u64,
        hub: QueueSender<Report>,
        is_sole: bool,
        target: Arc<str>,
        record: Arc<SubchannelRecord>,
    ) -> Self {
        Self {
            inbox,
            number,
            hub,
            is_sole,
            is_handed_on: false,
            is_done: false,
            target,
            record,
            reach: Reach::Awaited,
        }
    }

    /// Hands everything on to the next connection. A call that is put back here after that
    /// goes to the hub.
    pub(super) fn hand_on(&mut self) -> Self {
        self.is_handed_on = true;
        // The present connection has already served the request for one.
        self.inbox.is_wanted = false;
        Self {
            inbox: self.inbox.hand_on(),
            number: self.number,
            hub: self.hub.clone(),
            is_sole: self.is_sole,
            is_handed_on: false,
            is_done: self.is_done,
            target: Arc::clone(&self.target),
            record: Arc::clone(&self.record),
            reach: match std::mem::take(&mut self.reach) {
                Reach::Failed(last) => Reach::Failed(last),
                Reach::Awaited | Reach::Reached => Reach::Awaited,
            },
        }
    }

    /// For a further connection beside the one whose queue this is: a call that is put back
    /// there goes to the hub.
    pub(super) fn of_another(&self) -> Self {
        Self {
            inbox: Inbox::nobodys(),
            number: self.number,
            hub: self.hub.clone(),
            is_sole: self.is_sole,
            is_handed_on: true,
            is_done: true,
            target: Arc::clone(&self.target),
            record: Arc::clone(&self.record),
            reach: Reach::Reached,
        }
    }

    pub(super) fn tell(&mut self, state: SubchannelState) {
        self.is_done = false;
        let (connectivity, failure) = match &state {
            SubchannelState::Idle => (ConnectivityState::Idle, None),
            SubchannelState::Connecting => (ConnectivityState::Connecting, None),
            SubchannelState::Ready(_) => (ConnectivityState::Ready, None),
            SubchannelState::TransientFailure(status) => {
                let state = ConnectivityState::TransientFailure;
                (state, Some(status.message()))
            }
        };
        self.record.set(connectivity, failure);
        // A hub that has ended does not need the report.
        let _ = self.hub.send(Report::State(self.number, state));
    }

    /// Passes a report of the server's load to the policy.
    pub(super) fn tell_load(&self, report: LoadReport) {
        let _ = self.hub.send(Report::Load(self.number, Box::new(report)));
    }

    /// The subchannel's record for channelz.
    pub(super) fn record(&self) -> &Arc<SubchannelRecord> {
        &self.record
    }

    /// What its connection does besides calls.
    pub(super) fn watched(&self) -> &Watched {
        &self.inbox.watched
    }

    /// Whether that has changed since this was last called.
    pub(super) fn take_watched_change(&mut self) -> bool {
        std::mem::take(&mut self.inbox.has_other_watched)
    }

    /// There is a connection: an earlier failure no longer matters.
    pub(super) fn reached(&mut self) {
        self.reach = Reach::Reached;
        self.inbox.is_wanted = false;
    }

    /// An attempt failed: the hub decides about the calls.
    pub(super) fn failed(&mut self, status: &Status) {
        self.reach = Reach::Failed(status.clone());
        self.inbox.is_wanted = false;
        self.tell(SubchannelState::TransientFailure(status.clone()));
        self.give_back();
    }

    /// Gives the calls back to the hub, except those that may wait here for a connection.
    pub(super) fn give_back_unless_sole(&mut self) {
        if !self.is_sole || self.inbox.is_removed() {
            self.give_back();
        }
    }

    pub(super) fn give_back(&mut self) {
        while let Some(open) = self.inbox.waiting.pop(false) {
            self.give(open);
        }
    }

    fn give(&mut self, mut open: Box<OpenCall>) {
        open.attempt.end(Code::Unavailable, None);
        if let Err(Report::Back(open)) = self.hub.send(Report::Back(open)) {
            let text = "the channel ended while the call waited for a connection";
            let status = Status::new(Code::Unavailable, text).with_phase(Phase::Wait);
            let status = if self.inbox.is_closing() {
                closed()
            } else {
                status
            };
            open.fail(status, clock::now());
        }
    }

    /// The status of a call whose deadline passes while it waits.
    pub(super) fn expired(&self) -> Status {
        self.reach.expired(&self.target)
    }

    /// A call that had a stream waits for another one. `Err` returns it if no connection
    /// will come.
    pub(super) fn put_back(&mut self, open: Box<OpenCall>) -> Result<(), Box<OpenCall>> {
        if self.is_sole && !self.is_handed_on && !self.inbox.is_removed() {
            self.inbox.waiting.push(open);
            return Ok(());
        }
        match self.hub.send(Report::Back(open)) {
            Err(Report::Back(open)) => Err(open),
            _ => Ok(()),
        }
    }

    /// Takes new calls in. `true` if there were any, or if this call finds that no more
    /// will come.
    #[inline]
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let came = self.inbox.poll(cx);
        self.is_done &= !came;
        if self.inbox.is_removed() {
            self.give_back();
        }
        came
    }

    /// Registers the task to be woken when a call ends while there is no connection.
    pub(super) fn settle(&mut self, waker: &Waker) {
        if self.inbox.is_left() {
            self.inbox.waiting.forget_ended();
        }
        self.inbox.waiting.settle(waker);
    }

    /// Tells the hub, once, that nothing is left here and that only the hub can send more.
    pub(super) fn tell_if_done(&mut self) {
        if self.inbox.is_retired()
            && self.is_closed()
            && !std::mem::replace(&mut self.is_done, true)
        {
            let _ = self.hub.send(Report::Done(self.number, self.inbox.taken()));
        }
    }

    pub(super) fn put_first(&mut self, open: Box<OpenCall>) {
        self.inbox.waiting.put_first(open);
    }

    /// Removes calls that ended while they waited, so that no connection is made for them.
    pub(super) fn forget_ended(&mut self) {
        self.inbox.waiting.forget_ended();
    }

    /// No call will come from outside.
    pub(super) fn is_left(&self) -> bool {
        self.inbox.is_left()
    }

    /// Removes and returns the oldest call that is not over. Before the connection is
    /// `established`, only calls that do not wait for readiness.
    pub(super) fn pop(&mut self, established: bool) -> Option<Box<OpenCall>> {
        self.inbox.waiting.pop(!established)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.inbox.waiting.is_empty()
    }

    /// No call waits and none will come.
    pub(super) fn is_closed(&self) -> bool {
        self.inbox.is_left() && self.is_empty()
    }

    /// All handles were dropped or the policy has removed the subchannel, and no call
    /// waits.
    pub(super) fn is_over(&self) -> bool {
        (self.inbox.is_ended() || self.inbox.is_removed()) && self.is_empty()
    }

    /// Whether a call or the program needs a connection. The program's request is used up
    /// by one attempt.
    pub(super) fn take_wanted(&mut self) -> bool {
        self.inbox.waiting.forget_ended();
        std::mem::take(&mut self.inbox.is_wanted) || !self.is_empty()
    }

    /// Whether the program or policy has asked for a connection.
    pub(super) fn is_wanted(&self) -> bool {
        self.inbox.is_wanted
    }

    /// Whether the channel was closed.
    pub(super) fn is_closing(&self) -> bool {
        self.inbox.is_closing()
    }

    /// Ends every call that waits or is still in the queue.
    pub(super) fn close(&mut self, now: Instant) {
        self.inbox.finish();
        self.inbox.waiting.fail(&closed(), now);
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.inbox.waiting.next_timeout()
    }

    pub(super) fn expire(&mut self, now: Instant) {
        let (reach, target) = (&self.reach, &self.target);
        let waiting = &mut self.inbox.waiting;
        waiting.expire(now, || reach.expired(target));
    }
}

impl Drop for Unopened {
    /// The calls that are still in the queue go back to the hub. A panic is reported first.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.hub.send(Report::Broken);
        }
        self.inbox.finish();
        self.give_back();
    }
}

fn status(text: String) -> Status {
    Status::new(Code::DeadlineExceeded, text).with_phase(Phase::Wait)
}

/// The status of a call whose deadline passed before there was a connection.
pub(crate) fn connecting(target: &str, last: Option<&Status>) -> Status {
    match last {
        None => status(format!(
            "the call's deadline passed while connecting to {target}"
        )),
        Some(last) => status(format!(
            "the call's deadline passed while connecting to {target} (last attempt: {})",
            last.message()
        ))
        .with_source(last.clone()),
    }
}

#[cfg(test)]
mod tests;
