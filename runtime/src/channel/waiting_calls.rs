//! Calls that wait, oldest first, and their deadlines.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use super::call::open_call::{CallAttempts, OpenCall};
use super::deferred::Deferred;
use crate::call::state::CallState;
use crate::clock;
use crate::status::Status;

/// The shortest queue that is worth clearing.
const PRUNE_MIN: usize = 256;

/// The calls of a channel, or of a subchannel, that have no stream yet.
#[derive(Debug, Default)]
pub(crate) struct WaitingCalls {
    queue: VecDeque<(u64, Box<OpenCall>)>,
    deadlines: BTreeMap<(Instant, u64), Caller>,
    /// Those whose time has not come.
    deferred: Deferred,
    next: u64,
    /// At this length the queue is cleared of calls that are over.
    prune_at: usize,
}

/// Who hears that a call's deadline has passed.
#[derive(Debug)]
struct Caller {
    state: Arc<CallState>,
    attempts: Option<Arc<CallAttempts>>,
}

impl Caller {
    fn fail(self, status: Status) {
        let failures = self.attempts.map(|attempts| attempts.failures());
        let status = status.with_attempts(failures.unwrap_or_default());
        self.state.deliver_end(Err(status));
    }
}

/// What becomes of a call that [`WaitingCalls::route`] shows.
pub(crate) enum Routed {
    /// It waits on.
    Stays(Box<OpenCall>),
    /// Somebody else has it, or it has ended.
    Gone,
}

impl WaitingCalls {
    pub(crate) fn new() -> Self {
        Self {
            prune_at: PRUNE_MIN,
            ..Self::default()
        }
    }

    pub(crate) fn push(&mut self, open: Box<OpenCall>) {
        match open.due() {
            None => self.put_last(open),
            Some(due) => self.deferred.push(open, due),
        }
    }

    fn put_last(&mut self, open: Box<OpenCall>) {
        let key = self.key_of(&open);
        self.queue.push_back((key, open));
        self.prune();
    }

    /// A call that was popped is the oldest again.
    pub(crate) fn put_first(&mut self, open: Box<OpenCall>) {
        let key = self.key_of(&open);
        self.queue.push_front((key, open));
    }

    fn key_of(&mut self, open: &OpenCall) -> u64 {
        let key = self.next;
        self.next += 1;
        self.watch(key, open);
        key
    }

    /// While nothing takes calls, they come, time out and are cancelled: those leave
    /// only their places, which must not add up.
    fn prune(&mut self) {
        if self.queue.len() >= self.prune_at {
            self.forget_ended();
            self.prune_at = PRUNE_MIN.max(2 * self.queue.len());
        }
    }

    pub(crate) fn forget_ended(&mut self) {
        self.forget_queued();
        self.deferred.forget_ended();
    }

    fn forget_queued(&mut self) {
        let deadlines = &mut self.deadlines;
        self.queue.retain(|(key, open)| {
            let stays = !open.is_moot();
            if !stays && let Some(deadline) = open.options.deadline {
                deadlines.remove(&(deadline, *key));
            }
            stays
        });
    }

    /// Has the task woken when a call ends here, so that calls that are over keep
    /// nothing alive: neither the channel nor their requests.
    pub(crate) fn settle(&mut self, waker: &Waker) {
        if self.queue.len() < PRUNE_MIN {
            self.forget_queued();
        }
        // Calls come in at the back.
        for (_, open) in self.queue.iter_mut().rev() {
            if std::mem::replace(&mut open.attempt.is_queued, true) {
                break;
            }
            if let Some(ledger) = open.state.ledger() {
                ledger.waits(clock::now());
            }
            open.state.queued(waker.clone(), !open.is_hedged());
        }
        self.deferred.settle(waker);
    }

    /// The channel's name is resolved, for which the calls may have waited.
    pub(crate) fn name_resolved(&self, now: Instant) {
        for ledger in self
            .queue
            .iter()
            .filter_map(|(_, open)| open.state.ledger())
        {
            ledger.name_resolved(now);
        }
    }

    /// The oldest call that is still wanted; only one that does not wait for
    /// readiness, where `impatient` is asked for.
    #[inline]
    pub(crate) fn pop(&mut self, impatient: bool) -> Option<Box<OpenCall>> {
        loop {
            let (key, mut open) = if impatient {
                let mut calls = self.queue.iter();
                let place = calls.position(|(_, open)| !open.options.wait_for_ready)?;
                self.queue.remove(place)?
            } else {
                self.queue.pop_front()?
            };
            self.leaves(key, &mut open);
            if !open.is_moot() {
                return Some(open);
            }
        }
    }

    #[inline]
    fn leaves(&mut self, key: u64, open: &mut OpenCall) {
        open.attempt.is_queued = false;
        if let Some(deadline) = open.options.deadline {
            self.deadlines.remove(&(deadline, key));
        }
    }

    /// Shows each call that came after the one with the key `after` to `route`; gives
    /// the key of the last that there was.
    pub(crate) fn route(
        &mut self,
        after: Option<u64>,
        mut route: impl FnMut(Box<OpenCall>) -> Routed,
    ) -> Option<u64> {
        let first = match after {
            Some(after) => self.queue.partition_point(|(key, _)| *key <= after),
            None => 0,
        };
        for (key, mut open) in self.queue.split_off(first) {
            if open.is_moot() {
                self.leaves(key, &mut open);
                continue;
            }
            let (deadline, was_queued) = (open.options.deadline, open.attempt.is_queued);
            let was_settled = open.is_settled();
            open.attempt.is_queued = false;
            match route(open) {
                Routed::Stays(mut open) => {
                    open.attempt.is_queued = was_queued;
                    if was_settled != open.is_settled() {
                        self.moves(key, deadline, &open);
                    }
                    self.queue.push_back((key, open));
                }
                Routed::Gone => {
                    if let Some(deadline) = deadline {
                        self.deadlines.remove(&(deadline, key));
                    }
                }
            }
        }
        self.next.checked_sub(1)
    }

    /// A call's deadline is `before` no more.
    fn moves(&mut self, key: u64, before: Option<Instant>, open: &OpenCall) {
        if let Some(before) = before {
            self.deadlines.remove(&(before, key));
        }
        self.watch(key, open);
    }

    #[inline]
    fn watch(&mut self, key: u64, open: &OpenCall) {
        if let Some(deadline) = open.options.deadline {
            self.watch_until(deadline, key, open);
        }
    }

    fn watch_until(&mut self, deadline: Instant, key: u64, open: &OpenCall) {
        let caller = Caller {
            state: Arc::clone(&open.state),
            attempts: open.attempts().cloned(),
        };
        self.deadlines.insert((deadline, key), caller);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.deferred.is_empty()
    }

    /// Ends every call.
    pub(crate) fn fail(&mut self, status: &Status, now: Instant) {
        self.deadlines.clear();
        for (_, open) in self.queue.drain(..) {
            open.fail(status.clone(), now);
        }
        for open in self.deferred.take_all() {
            open.fail(status.clone(), now);
        }
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let first = self.deadlines.first_key_value();
        let deadline = first.map(|((deadline, _), _)| *deadline);
        clock::earlier(deadline, self.deferred.next_timeout())
    }

    /// Ends the calls whose time is up, with the status that `expired` makes; their
    /// places in the queue are skipped later. Those that were to wait till now are here.
    pub(crate) fn expire(&mut self, now: Instant, expired: impl Fn() -> Status) {
        while let Some(entry) = self.deadlines.first_entry() {
            if entry.key().0 > now {
                break;
            }
            entry.remove().fail(expired());
        }
        while let Some(open) = self.deferred.pop(now) {
            self.put_last(open);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::call::response_head::Coding;
    use crate::channel::call::call_options::CallOptions;
    use crate::channel::call::trial::Trial;
    use crate::framing::Compression;
    use crate::method::{Method, Shape};
    use crate::status::Code;

    const METHOD: Method = Method::new("/shop.Orders/Get", Shape::UNARY);

    fn call() -> Box<OpenCall> {
        let state = CallState::new(1, Coding::default(), Compression::Identity, None);
        OpenCall::boxed(state, METHOD, CallOptions::default(), None)
    }

    fn end(state: &CallState) {
        state.deliver_end(Err(Status::new(Code::Cancelled, "over")));
    }

    #[test]
    fn a_call_that_is_over_leaves_nothing_but_its_place_and_that_at_the_next_look() {
        let mut waiting = WaitingCalls::new();
        let states: Vec<_> = (0..3)
            .map(|_| {
                let open = call();
                let state = Arc::clone(&open.state);
                waiting.push(open);
                state
            })
            .collect();
        waiting.settle(Waker::noop());
        assert_eq!(waiting.queue.len(), 3);
        end(&states[0]);
        end(&states[2]);
        waiting.settle(Waker::noop());
        assert_eq!(waiting.queue.len(), 1);
        assert_eq!(Arc::strong_count(&states[0]), 1);
        assert!(Arc::ptr_eq(&waiting.pop(false).unwrap().state, &states[1]));
    }

    /// A deadline that is far must not keep its call, and with it the channel.
    #[test]
    fn an_attempt_that_another_went_before_leaves_nothing() {
        let mut waiting = WaitingCalls::new();
        let deadline = Instant::now() + Duration::from_secs(3_600);
        let (_caller, mut first, hedge) = Trial::hedged(Duration::ZERO, Some(deadline));
        waiting.push(hedge);
        waiting.expire(Instant::now(), || unreachable!("no time is up"));
        waiting.settle(Waker::noop());
        assert_eq!(waiting.queue.len(), 1, "the second attempt");
        assert_eq!(waiting.next_timeout(), Some(deadline));
        assert!(first.commit());
        waiting.settle(Waker::noop());
        assert!(waiting.is_empty());
        assert_eq!(waiting.next_timeout(), None);
    }

    /// Those beside it say so themselves.
    #[test]
    fn a_hedge_that_waits_does_not_end_its_call() {
        let mut waiting = WaitingCalls::new();
        let (caller, first, hedge) = Trial::hedged(Duration::from_secs(1), None);
        waiting.push(hedge);
        let now = Instant::now();
        waiting.fail(&Status::new(Code::Internal, "a panic"), now);
        assert!(waiting.is_empty() && caller.failure().is_none());
        first.fail(Status::new(Code::Unavailable, "gone"), now);
        assert_eq!(caller.failure().unwrap().message(), "gone");
    }

    /// A look is at all that wait for their time, and there is a turn for each that comes.
    #[test]
    fn of_many_that_wait_for_their_time_those_that_ended_are_forgotten_once_a_second() {
        let now = Instant::now();
        let mut waiting = WaitingCalls::new();
        let expire = |waiting: &mut WaitingCalls, now| waiting.expire(now, || unreachable!());
        expire(&mut waiting, now);
        let hour = Duration::from_secs(3_600);
        let mut calls: Vec<_> = (0..300).map(|_| Trial::hedged(hour, None)).collect();
        let (caller, first, hedge) = calls.swap_remove(0);
        waiting.push(hedge);
        let _others: Vec<_> = calls
            .into_iter()
            .map(|(caller, first, hedge)| {
                waiting.push(hedge);
                (caller, first)
            })
            .collect();
        waiting.settle(Waker::noop());
        caller.cancel();
        let held = Arc::strong_count(&first.state);
        waiting.settle(Waker::noop());
        assert_eq!(Arc::strong_count(&first.state), held, "nobody has looked");
        let second = now + Duration::from_secs(1);
        assert_eq!(waiting.next_timeout(), Some(second));
        expire(&mut waiting, second);
        assert_eq!(Arc::strong_count(&first.state), held - 1);
    }

    #[test]
    fn only_calls_that_came_since_are_shown_again() {
        let mut waiting = WaitingCalls::new();
        let mut states = Vec::new();
        let mut push = |waiting: &mut WaitingCalls| {
            let open = call();
            states.push(Arc::clone(&open.state));
            waiting.push(open);
        };
        let shown = |waiting: &mut WaitingCalls, after| {
            let mut shown = 0;
            let last = waiting.route(after, |open| {
                shown += 1;
                Routed::Stays(open)
            });
            (shown, last)
        };
        push(&mut waiting);
        push(&mut waiting);
        let (first, last) = shown(&mut waiting, None);
        push(&mut waiting);
        let (second, last) = shown(&mut waiting, last);
        let (third, _) = shown(&mut waiting, last);
        assert_eq!((first, second, third), (2, 1, 0));
        assert_eq!(shown(&mut waiting, None).0, 3);
        waiting.fail(&Status::new(Code::Unavailable, "gone"), Instant::now());
        assert!(waiting.is_empty() && states.iter().all(|state| state.is_over()));
    }
}
