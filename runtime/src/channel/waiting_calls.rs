//! Calls that wait for a stream, oldest first, and their deadlines.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use super::call::open_call::{CallAttempts, OpenCall};
use super::deferred::Deferred;
use crate::call::state::CallState;
use crate::clock;
use crate::status::Status;

/// Below this length the queue is not cleared of calls that are over.
const PRUNE_MIN: usize = 256;

/// The calls of a channel, or of a subchannel, that have no stream yet.
#[derive(Debug, Default)]
pub(crate) struct WaitingCalls {
    queue: VecDeque<(u64, Box<OpenCall>)>,
    deadlines: BTreeMap<(Instant, u64), Caller>,
    /// Calls whose next attempt has a later start time.
    deferred: Deferred,
    next: u64,
    /// At this length calls that are over are removed from the queue.
    prune_at: usize,
}

/// The caller to tell when a call's deadline has passed.
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

/// The result of showing a call to [`WaitingCalls::route`].
pub(crate) enum Routed {
    /// The call keeps waiting.
    Stays(Box<OpenCall>),
    /// The call was passed on or has ended.
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

    /// Puts a call that was popped back as the oldest.
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

    /// While no connection takes calls, calls come, time out and are cancelled. Their
    /// places in the queue are removed here, so that these do not accumulate.
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

    /// Registers the task to be woken when one of these calls ends, so that a call that is
    /// over keeps neither the channel nor its request in memory.
    pub(crate) fn settle(&mut self, waker: &Waker) {
        if self.queue.len() < PRUNE_MIN {
            self.forget_queued();
        }
        // New calls are at the back.
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

    /// The channel's name was resolved; the calls may have waited for that.
    pub(crate) fn name_resolved(&self, now: Instant) {
        for ledger in self
            .queue
            .iter()
            .filter_map(|(_, open)| open.state.ledger())
        {
            ledger.name_resolved(now);
        }
    }

    /// Removes and returns the oldest call that is not over. With `impatient`, only calls
    /// that do not wait for readiness.
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

    /// Shows each call after the one with the key `after` to `route`. Returns the key of
    /// the last call.
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

    /// Updates the deadlines of a call whose deadline was `before`.
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

    /// Ends the calls whose deadline has passed, with the status of `expired`; their places
    /// in the queue are skipped later. Deferred calls that are due now join the queue.
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
mod tests;
