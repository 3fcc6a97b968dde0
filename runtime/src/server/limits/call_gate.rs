//! How many calls of a server, a service or a method run at once, and which wait. Sans-IO.
//! There is no lock while no call waits.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use super::server_limits::CallLimit;
use super::waiting_line::WaitingLine;
use crate::status::Status;

/// In its one number: a call that waits, and a call that runs. Both change in one step, so
/// that whoever leaves sees whether somebody waits for the place.
const WAITS: u64 = 1;
const RUNS: u64 = 1 << 32;

fn waiting(state: u64) -> u64 {
    state & (RUNS - 1)
}

fn running(state: u64) -> u64 {
    state >> 32
}

/// The outcome of a call's arrival at a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joined {
    /// It has a place, which it has to [leave](CallGate::leave).
    Place,
    /// It waits in the line by this number.
    Waits(u64),
    /// Neither a place nor room in the queue was free.
    Full,
}

/// One limit of concurrent calls, with its running and waiting calls.
#[derive(Debug)]
pub(super) struct CallGate {
    most: u64,
    queue: u64,
    /// The status of refused calls.
    refusal: Status,
    /// Invariant: the number of waiting calls in this word equals that of `line` while its
    /// lock is held, and while any call waits, `most` calls run.
    state: AtomicU64,
    line: Mutex<WaitingLine>,
}

impl CallGate {
    /// Bounds the calls of `whom`, which is named in the status of refused calls.
    pub(in crate::server) fn new(limit: &CallLimit, whom: &str) -> Self {
        let most = limit.most.min(u32::MAX as usize) as u64;
        // With no place no call ever leaves one, so a waiting call would wait for ever.
        let queue = if most == 0 { 0 } else { limit.queue };
        Self {
            most,
            queue: queue.min(u32::MAX as usize / 2) as u64,
            refusal: limit.refusal(whom),
            state: AtomicU64::new(0),
            line: Mutex::default(),
        }
    }

    pub(super) fn refusal(&self) -> Status {
        self.refusal.clone()
    }

    fn has_place(&self, state: u64) -> bool {
        waiting(state) == 0 && running(state) < self.most
    }

    /// Whether a call that arrives now would be refused.
    pub(super) fn is_full(&self) -> bool {
        let state = self.state.load(Ordering::Relaxed);
        !self.has_place(state) && waiting(state) >= self.queue
    }

    /// Replaces the state by `change` of it; does nothing if that is `None`.
    fn change(&self, change: impl Fn(u64) -> Option<u64>) -> bool {
        let (success, failure) = (Ordering::AcqRel, Ordering::Relaxed);
        let changed = self.state.fetch_update(success, failure, change);
        changed.is_ok()
    }

    /// Somebody comes.
    pub(super) fn join(&self) -> Joined {
        let enter = |state| self.has_place(state).then(|| state + RUNS);
        if self.change(enter) {
            return Joined::Place;
        }
        let mut line = self.lock();
        loop {
            if self.change(enter) {
                return Joined::Place;
            }
            // Where a place was left meanwhile, that is looked at first.
            let wait = |state| (!self.has_place(state)).then(|| state + WAITS);
            if waiting(self.state.load(Ordering::Relaxed)) >= self.queue {
                return Joined::Full;
            }
            if self.change(wait) {
                return Joined::Waits(line.join());
            }
        }
    }

    /// Adds a call that has waited at another gate: it is not refused, however long the line
    /// is. Returns `None` if it has a place, else its number in the line.
    pub(super) fn join_anyway(&self) -> Option<u64> {
        let mut line = self.lock();
        loop {
            if self.change(|state| self.has_place(state).then(|| state + RUNS)) {
                return None;
            }
            if self.change(|state| (!self.has_place(state)).then(|| state + WAITS)) {
                return Some(line.join());
            }
        }
    }

    /// Frees a place and gives it to the call that has waited longest, if any waits.
    pub(super) fn leave(&self) {
        let leave = |state| (waiting(state) == 0).then(|| state - RUNS);
        if self.change(leave) {
            return;
        }
        let mut line = self.lock();
        // The waiting call may have given up before the lock was taken.
        if self.change(leave) {
            return;
        }
        self.change(|state| Some(state - WAITS));
        let first = line.take_first();
        // Wakers are called after the lock is released.
        drop(line);
        if let Some(waker) = first {
            waker.wake();
        }
    }

    /// Ready once the waiting call with this number has a place.
    pub(super) fn poll(&self, number: u64, cx: &mut Context<'_>) -> Poll<()> {
        if self.lock().waits(number, cx.waker()) {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }

    /// Removes the waiting call with this number. If it was given a place meanwhile, the
    /// place is freed.
    pub(super) fn give_up(&self, number: u64) {
        let mut line = self.lock();
        if line.give_up(number) {
            self.change(|state| Some(state - WAITS));
            return;
        }
        drop(line);
        self.leave();
    }

    /// How many run, and how many wait.
    #[cfg(test)]
    pub(in crate::server) fn count(&self) -> (u64, u64) {
        let state = self.state.load(Ordering::Relaxed);
        (running(state), waiting(state))
    }

    /// Nothing can panic while the lock is held.
    fn lock(&self) -> MutexGuard<'_, WaitingLine> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
