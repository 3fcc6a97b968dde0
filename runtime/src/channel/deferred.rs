//! Calls whose next attempt has its own start time: in backoff, or hedged. Sans-IO: time is
//! an argument.

use std::collections::BTreeMap;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::call::open_call::{Due, OpenCall};
use crate::clock;
use crate::status::{Code, Phase, Status};

/// Below this length the list is not cleared of calls that have ended.
const PRUNE_MIN: usize = 256;
/// How often a longer list is searched for calls that have ended. A search visits every
/// call, and in an outage many calls come and end each millisecond.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Calls that wait for the start time of their next attempt.
#[derive(Debug, Default)]
pub(crate) struct Deferred {
    /// By the instant at which something happens: the attempt is due, or the deadline
    /// passes.
    calls: BTreeMap<(Instant, u64), Box<OpenCall>>,
    next: u64,
    /// The calls added since the last [`settle`](Self::settle).
    new: Vec<(Instant, u64)>,
    prune_at: usize,
    /// The time of the last call with a time argument.
    now: Option<Instant>,
    /// When the list is next searched for calls that have ended.
    look_at: Option<Instant>,
}

impl Deferred {
    pub(crate) fn push(&mut self, open: Box<OpenCall>, due: Instant) {
        let at = open
            .options
            .deadline
            .map_or(due, |deadline| due.min(deadline));
        let key = (at, self.next);
        self.next += 1;
        self.new.push(key);
        self.calls.insert(key, open);
        if self.calls.len() >= self.prune_at.max(PRUNE_MIN) {
            self.forget_ended();
            self.prune_at = 2 * self.calls.len();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    pub(crate) fn forget_ended(&mut self) {
        self.calls.retain(|_, open| !open.is_moot());
    }

    /// Registers the task to be woken when one of these calls ends.
    pub(crate) fn settle(&mut self, waker: &Waker) {
        if self.calls.len() < PRUNE_MIN {
            self.forget_ended();
        } else if self.look_at.is_none() {
            self.look_at = self.now.and_then(|now| now.checked_add(LOOK_EVERY));
        }
        for key in self.new.drain(..) {
            if let Some(open) = self.calls.get(&key) {
                open.state.queued(waker.clone(), !open.is_hedged());
            }
        }
    }

    #[inline]
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let ((first, _), _) = self.calls.first_key_value()?;
        clock::earlier(Some(*first), self.look_at)
    }

    /// Removes the next call that is due. Calls whose deadline has passed end.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<Box<OpenCall>> {
        self.now = Some(now);
        if self.look_at.is_some_and(|at| at <= now) {
            self.look_at = None;
            self.forget_ended();
        }
        loop {
            let entry = self.calls.first_entry()?;
            if entry.key().0 > now {
                return None;
            }
            let open = entry.remove();
            if open.is_moot() {
                continue;
            }
            if open.is_late(now) {
                let text = "the call's deadline passed before its next attempt was due";
                let status = Status::new(Code::DeadlineExceeded, text);
                open.fail(status.with_phase(Phase::Wait), now);
                continue;
            }
            match open.on_due(now) {
                Due::Begins(open, behind) => {
                    if let Some(behind) = behind {
                        self.push_back(behind, now);
                    }
                    return Some(open);
                }
                Due::Waits(open) => self.push_back(open, now),
                Due::Never => {}
            }
        }
    }

    fn push_back(&mut self, open: Box<OpenCall>, now: Instant) {
        let due = open.due().unwrap_or(now);
        self.push(open, due);
    }

    pub(crate) fn take_all(&mut self) -> impl Iterator<Item = Box<OpenCall>> {
        self.new.clear();
        std::mem::take(&mut self.calls).into_values()
    }
}
