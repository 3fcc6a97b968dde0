//! The connection's end of a call, before and on a stream. Dropping it ends the call, so
//! that no caller waits for a connection that has ended.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::attempt::Attempt;
use super::attempts::{self, After};
use super::call_options::CallOptions;
use super::course::{HEDGE, Hedge, Pushback};
use super::plan::{Plan, Purse};
use super::response_state::ResponseState;
use super::ticket::Ticket;
use crate::call::command::Link;
use crate::call::ledger::live_attempts::AttemptReason;
use crate::call::reset;
use crate::call::state::{CallState, Outgoing};
use crate::channel::address::Attributes;
use crate::channel::config::codes::Codes;
use crate::channel::config::method_config::{MethodTerms, RepeatPolicy};
use crate::framing::{FramingError, PREFIX_LEN, Side};
use crate::metadata::Metadata;
use crate::method::Method;
use crate::status::{Code, Phase, Status};
use crate::transport::PeerAddress;
use crate::transport::http2::credit::Reports;
use crate::transport::http2::event::ResetCause;

/// Where a call's further attempts start. It keeps the channel alive until the call is
/// over.
pub(crate) trait Home: Send + Sync {
    /// Lets the attempt wait for its start time and then for a pick.
    fn attempt(&self, open: Box<OpenCall>);

    /// The budget that the channel's calls share for further attempts.
    fn purse(&self) -> &Arc<Purse>;
}

/// The shared state of one call's attempts.
pub(crate) type CallAttempts = attempts::Attempts<Arc<dyn Home>>;

/// What happens to a call that waited for its start time.
pub(crate) enum Due {
    /// It starts; the next hedge waits, if there is one.
    Begins(Box<OpenCall>, Option<Box<OpenCall>>),
    Waits(Box<OpenCall>),
    Never,
}

/// The state of a call beyond its first attempt. Most calls have none.
pub(crate) enum Further {
    /// The service config was not known when the call began, and is still to be applied.
    Unsettled(Box<Unsettled>),
    /// Further attempts may follow the first, which is the only one so far.
    First(FirstAttempt),
    Attempts(Arc<CallAttempts>),
    /// There are no further attempts, but the result counts for those of other calls (gRFC
    /// A6, "Throttling"): the codes are those that its method's policy names, if there is
    /// one.
    Counted(Arc<dyn Home>, Codes),
}

pub(crate) struct Unsettled {
    start: Instant,
    home: Arc<dyn Home>,
}

pub(crate) struct FirstAttempt {
    repeats: Arc<RepeatPolicy>,
    home: Arc<dyn Home>,
    /// When it got its stream.
    began: Option<Instant>,
    is_committed: bool,
}

/// A call that waits for a stream or runs on one.
#[derive(Debug)]
pub(crate) struct OpenCall {
    pub(crate) state: Arc<CallState>,
    pub(crate) method: Method,
    pub(crate) options: CallOptions,
    /// The whole request, if the method takes one message.
    pub(crate) request: Option<Bytes>,
    pub(crate) attempt: Attempt,
    /// The config selector's attributes of the call, for pickers.
    pub(crate) attributes: Attributes,
    pub(crate) further: Option<Further>,
}

impl OpenCall {
    /// Boxed from the start, since it is moved often.
    #[inline]
    pub(crate) fn boxed(
        state: Arc<CallState>,
        method: Method,
        options: CallOptions,
        request: Option<Bytes>,
    ) -> Box<Self> {
        Box::new(Self {
            state,
            method,
            options,
            request,
            attempt: Attempt::new(0),
            attributes: Attributes::default(),
            further: None,
        })
    }

    /// The service config is applied once it is known.
    pub(crate) fn await_config(&mut self, start: Instant, home: Arc<dyn Home>) {
        self.further = Some(Further::Unsettled(Box::new(Unsettled { start, home })));
    }

    /// Whether the service config has been applied.
    #[inline]
    pub(crate) fn is_settled(&self) -> bool {
        !matches!(self.further, Some(Further::Unsettled(_)))
    }

    /// Allows several attempts, unless the request is too large to be kept for them.
    pub(crate) fn repeat(&mut self, repeats: Arc<RepeatPolicy>, home: Arc<dyn Home>) {
        let size = self.request.as_ref().map_or(0, Bytes::len);
        if !home.purse().fits(size) {
            self.further = Some(Further::Counted(home, repeats.codes()));
            return;
        }
        let is_hedged = matches!(*repeats, RepeatPolicy::Hedging(_));
        let first = FirstAttempt {
            repeats,
            home,
            began: None,
            is_committed: false,
        };
        self.further = Some(Further::First(first));
        if is_hedged {
            self.share();
        }
    }

    /// The call's method has no policy, and its result counts for throttling.
    pub(crate) fn count(&mut self, home: Arc<dyn Home>) {
        self.further = Some(Further::Counted(home, Codes::default()));
    }

    /// The shared state of the attempts, once there may be a second one.
    pub(crate) fn attempts(&self) -> Option<&Arc<CallAttempts>> {
        match &self.further {
            Some(Further::Attempts(attempts)) => Some(attempts),
            _ => None,
        }
    }

    /// From now on there may be a second attempt.
    fn share(&mut self) {
        if let Some(Further::First(first)) = &self.further {
            let purse = Arc::clone(first.home.purse());
            let plan = Plan::new(Arc::clone(&first.repeats), purse);
            let attempts = attempts::Attempts::new(plan, Arc::clone(&first.home));
            if let Some(began) = first.began {
                attempts.begin(0, began);
            }
            if first.is_committed {
                attempts.commit(0);
            }
            self.further = Some(Further::Attempts(attempts));
        }
    }

    /// Applies the service config to a call that began before it was known. An error is the
    /// status with which the call fails.
    pub(crate) fn settle(
        &mut self,
        terms: Option<MethodTerms<'_>>,
        now: Instant,
    ) -> Result<(), Status> {
        let unsettled = match self.further.take() {
            Some(Further::Unsettled(unsettled)) => *unsettled,
            further => {
                self.further = further;
                return Ok(());
            }
        };
        let Some(terms) = terms else {
            return Ok(());
        };
        if let Some(config) = terms.config {
            self.options.hold_to(config, || unsettled.start);
            self.state.limit_messages(&self.options.limits);
        }
        let limit = self.options.limits.max_send_message_size;
        let size = self.request.as_ref().map_or(0, |it| it.len() - PREFIX_LEN);
        if size > limit {
            let error = FramingError::SendTooLarge { size, limit };
            return Err(error.into_status(Side::Client));
        }
        if let Some(repeats) = terms.repeats {
            self.repeat(Arc::clone(repeats), Arc::clone(&unsettled.home));
            if let Some(hedge) = self.hedge(now) {
                unsettled.home.attempt(hedge);
            }
        } else if terms.is_counted {
            self.count(unsettled.home);
        }
        Ok(())
    }

    /// Another attempt of the same call, to run beside this one.
    fn beside(&self, number: u8) -> Box<Self> {
        Box::new(Self {
            state: Arc::clone(&self.state),
            method: self.method,
            options: self.options.clone(),
            request: self.request.clone(),
            attempt: Attempt::new(number),
            attributes: self.attributes.clone(),
            further: self.attempts().cloned().map(Further::Attempts),
        })
    }

    /// Whether the call has ended or has committed to another attempt.
    pub(crate) fn is_moot(&self) -> bool {
        let is_lost = |attempts: &Arc<CallAttempts>| attempts.is_lost(self.attempt.number);
        self.state.is_over() || self.attempts().is_some_and(is_lost)
    }

    /// Whether its attempts may run in parallel.
    #[inline]
    pub(crate) fn is_hedged(&self) -> bool {
        self.attempts().is_some_and(|attempts| attempts.is_hedged())
    }

    /// Whether a parallel attempt went to the subchannel of this number.
    pub(crate) fn is_beside(&self, subchannel: u64) -> bool {
        let attempts = self.attempts().filter(|attempts| attempts.is_hedged());
        attempts.is_some_and(|it| it.have_been_at(subchannel, self.attempt.number))
    }

    /// Assigns the attempt to the subchannel of this number, with the policy's ticket.
    #[inline]
    pub(crate) fn goes_to(&mut self, subchannel: u64, ticket: Option<Ticket>) {
        self.attempt.ticket = ticket;
        if let Some(Further::Attempts(attempts)) = &self.further
            && attempts.is_hedged()
        {
            attempts.goes_to(subchannel, self.attempt.number);
        }
    }

    /// When the attempt starts; `None` for now.
    #[inline]
    pub(crate) fn due(&self) -> Option<Instant> {
        self.attempts()?.due(self.attempt.number)
    }

    /// The hedge that starts beside this attempt, if its method's policy has one.
    pub(crate) fn hedge(&self, now: Instant) -> Option<Box<Self>> {
        let attempts = self.attempts()?;
        attempts.plan_hedge(now).then(|| self.beside(HEDGE))
    }

    /// Its start time has come.
    pub(crate) fn on_due(self: Box<Self>, now: Instant) -> Due {
        let Some(attempts) = self.attempts() else {
            return Due::Begins(self, None);
        };
        if self.attempt.number != HEDGE {
            return match attempts.on_due(self.attempt.number, now) {
                After::Again(_) => {
                    self.tell_begun(self.next_reason(), now);
                    Due::Begins(self, None)
                }
                After::Others => Due::Never,
                After::Ends(status) => {
                    self.end(status);
                    Due::Never
                }
            };
        }
        let begin = |number| {
            let hedge = self.beside(number);
            hedge.tell_begun(AttemptReason::Hedge, now);
            hedge
        };
        match attempts.hedge(now) {
            Hedge::Begins(number, true) => Due::Begins(begin(number), Some(self)),
            Hedge::Begins(number, false) => Due::Begins(begin(number), None),
            Hedge::Waits(_) => Due::Waits(self),
            Hedge::Never => Due::Never,
        }
    }

    /// The reason of the attempt that follows a failed one: other attempts may run beside
    /// it.
    fn next_reason(&self) -> AttemptReason {
        if self.is_hedged() {
            AttemptReason::Hedge
        } else {
            AttemptReason::Retry
        }
    }

    /// Reports the start of an attempt to observers.
    pub(crate) fn tell_begun(&self, reason: AttemptReason, now: Instant) {
        if let Some(ledger) = self.state.ledger() {
            ledger.begin_attempt(self.attempt.number, reason, now);
        }
    }

    /// Reports to observers that no server has processed the attempt and that another one
    /// replaces it, if it had a stream.
    pub(crate) fn tell_unprocessed(&self, now: Instant) {
        if let Some(ledger) = self.state.ledger() {
            let status = reset::status_of(ResetCause::Unprocessed);
            ledger.repeat_attempt(self.attempt.number, &status, now);
        }
    }

    /// The attempt has a stream. `false` if it is not needed any more.
    #[inline]
    pub(crate) fn attach(&mut self, link: Link, reports: Reports, now: Instant) -> bool {
        let attempts = match &mut self.further {
            Some(Further::Attempts(attempts)) => attempts,
            Some(Further::First(first)) => {
                first.began = Some(now);
                return self.state.attach(link, reports);
            }
            _ => return self.state.attach(link, reports),
        };
        let number = self.attempt.number;
        attempts.begin(number, now);
        if attempts.is_hedged() {
            // If another attempt wins at the same time, either it finds this one among
            // those to cancel, or this check finds that it has lost.
            self.state.vie(number, link) && !attempts.is_lost(number)
        } else {
            self.state.attach(link, reports)
        }
    }

    /// The attempt leaves its stream; its call continues.
    pub(crate) fn detach(&self) {
        if self.is_hedged() {
            self.state.give_way(self.attempt.number);
        } else {
            self.state.detach();
        }
    }

    /// The connection has framed `bytes` of what the call's sender gave.
    #[inline]
    pub(crate) fn sent(&self, bytes: usize) {
        let bytes = match self.attempts() {
            None => bytes,
            Some(attempts) => attempts.framed(self.attempt.number, bytes),
        };
        // A client's calls have nothing of a server's memory.
        drop(self.state.sent(bytes, 0));
    }

    /// What a streaming request sends next. `outgoing` returns what its sender has queued;
    /// the sender may hold that back for a moment (`None`) unless it is told not to.
    pub(crate) fn take(
        &mut self,
        outgoing: impl FnOnce(&CallState, bool) -> Option<Outgoing>,
    ) -> Option<Outgoing> {
        self.share();
        let Some(attempts) = self.attempts() else {
            return outgoing(&self.state, false);
        };
        let number = self.attempt.number;
        let taken = attempts.take(number, |at_once| outgoing(&self.state, at_once));
        let (outgoing, committed) = taken?;
        if let Some(committed) = committed
            && attempts.is_hedged()
        {
            self.state.settle(committed);
        }
        Some(outgoing)
    }

    /// Whether the request can be sent again.
    pub(crate) fn is_repeatable(&self) -> bool {
        let is_open = match &self.further {
            Some(Further::Attempts(attempts)) => attempts.is_open(),
            _ => false,
        };
        self.request.is_some() || self.attempt.untouched || is_open
    }

    /// The head of a response has arrived. `false` if the call has committed to another
    /// attempt, so that this one is not needed.
    #[inline]
    pub(crate) fn commit(&mut self) -> bool {
        match &mut self.further {
            Some(Further::Attempts(attempts)) => {
                let is_its = attempts.commit(self.attempt.number);
                if is_its && attempts.is_hedged() {
                    self.state.settle(self.attempt.number);
                }
                is_its
            }
            Some(Further::First(first)) => {
                first.is_committed = true;
                true
            }
            _ => true,
        }
    }

    /// Reports to policy and throttling that the call has succeeded. `false` if the call
    /// has committed to another attempt.
    #[inline]
    pub(crate) fn succeed(&mut self, trailing: &Metadata) -> bool {
        self.attempt.end(Code::Ok, Some(trailing));
        match &self.further {
            Some(Further::Attempts(attempts)) => attempts.succeed(self.attempt.number),
            Some(Further::First(first)) => {
                first.home.purse().succeeded();
                true
            }
            Some(Further::Counted(home, _)) => {
                home.purse().succeeded();
                true
            }
            _ => true,
        }
    }

    /// An attempt has failed, on a stream to `peer` or before it had a stream: the call
    /// ends, or continues as its policy says.
    pub(crate) fn fail_attempt(
        mut self: Box<Self>,
        status: Status,
        peer: Option<&PeerAddress>,
        now: Instant,
    ) {
        if self.is_late(now) {
            return self.fail(status, now);
        }
        self.share();
        let Some(attempts) = self.attempts().cloned() else {
            if let Some(Further::Counted(home, codes)) = &self.further
                && (codes.contains(status.code())
                    || Pushback::read(status.metadata()) == Pushback::Stop)
            {
                home.purse().failed();
            }
            return self.fail(status, now);
        };
        if self.state.is_over() {
            return;
        }
        let number = self.attempt.number;
        let peer = peer.map(ToString::to_string);
        self.attempt.end(status.code(), Some(status.metadata()));
        let told = self.state.ledger().is_some().then(|| status.clone());
        let after = attempts.fail(number, status, peer, now);
        if let (Some(ledger), Some(status)) = (self.state.ledger(), told)
            && !matches!(after, After::Ends(_))
        {
            ledger.end_attempt(number, &status, now);
        }
        match after {
            After::Ends(status) => self.end(status),
            After::Again(next) => {
                self.detach();
                let was_refused = self.attempt.was_refused;
                self.attempt = Attempt::new(next);
                self.attempt.was_refused = was_refused;
                if !attempts.is_deferred(next) {
                    self.tell_begun(self.next_reason(), now);
                }
                attempts.home().attempt(self);
            }
            After::Others => {
                self.detach();
                // It no longer counts as an attempt, so dropping it has no effect.
                self.attempt.number = HEDGE;
            }
        }
    }

    pub(crate) fn is_late(&self, now: Instant) -> bool {
        let deadline = self.options.deadline;
        deadline.is_some_and(|deadline| deadline <= now)
    }

    /// Ends the call with an error, unless it is over. An error that arrives after the
    /// deadline becomes `DEADLINE_EXCEEDED`, since client and server share one deadline
    /// (gRPC's deadline rule). A hedge that waits for its start does nothing: the attempts
    /// beside it report the error.
    pub(crate) fn fail(mut self: Box<Self>, status: Status, now: Instant) {
        if self.attempt.number == HEDGE {
            return;
        }
        let status = match status.code() {
            Code::Cancelled | Code::Unavailable if self.is_late(now) => {
                expired().with_source(status)
            }
            _ => status,
        };
        self.attempt.end(status.code(), Some(status.metadata()));
        let status = match self.attempts() {
            None => status,
            Some(attempts) if attempts.finish(self.attempt.number) => {
                status.with_attempts(attempts.failures())
            }
            Some(_) => return,
        };
        self.end(status);
    }

    fn end(self: Box<Self>, status: Status) {
        // Before a stream there was no server that could refuse the credentials.
        if status.code() == Code::Unauthenticated
            && status.phase() != Some(Phase::Call)
            && let Some(credentials) = &self.options.credentials
        {
            credentials.refuse(&self.options.metadata);
        }
        let status = match &self.attempt.response {
            ResponseState::Whole { head, .. } => status.with_initial_metadata(head.clone()),
            ResponseState::Awaited | ResponseState::Stream => status,
        };
        self.state.deliver_end(Err(status));
    }

    /// Whether a call that a server did not process may be sent again: once for each call,
    /// in addition to its policy (gRFC A6, "Transparent Retries").
    pub(crate) fn may_retry(&mut self) -> bool {
        !std::mem::replace(&mut self.attempt.was_refused, true) && !self.state.is_over()
    }
}

impl Drop for OpenCall {
    #[inline]
    fn drop(&mut self) {
        if !self.state.is_over() {
            self.vanish();
        }
    }
}

impl OpenCall {
    /// The holder of the call was dropped.
    #[cold]
    fn vanish(&self) {
        let is_none = |attempts: &Arc<CallAttempts>| attempts.vanish(self.attempt.number);
        if self.attempts().is_none_or(is_none) {
            let text = "the tokio runtime that carried the channel's connection, that of its \
                        first call, was shut down (ChannelBuilder::background_connections \
                        keeps connections on a thread of their own)";
            let status = Status::new(Code::Unavailable, text).with_phase(Phase::Call);
            self.state.deliver_end(Err(status));
        }
    }
}

/// The status of a call whose deadline passed on this side.
pub(crate) fn expired() -> Status {
    Status::new(Code::DeadlineExceeded, "the call's deadline passed").with_phase(Phase::Call)
}

/// The status of a call whose channel was closed on this side.
pub(crate) fn closed() -> Status {
    Status::new(Code::Cancelled, "the channel was closed").with_phase(Phase::Call)
}

impl fmt::Debug for Further {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsettled(unsettled) => write!(f, "Unsettled({:?})", unsettled.start),
            Self::First(first) => write!(f, "First({:?})", first.repeats),
            Self::Attempts(attempts) => attempts.fmt(f),
            Self::Counted(..) => f.write_str("Counted"),
        }
    }
}
