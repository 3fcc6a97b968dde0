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

/// What became of who came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joined {
    /// It has a place, which it has to [leave](CallGate::leave).
    Place,
    /// It waits in the line by this number.
    Waits(u64),
    /// Neither was to be had.
    Full,
}

/// One limit and those whom it bounds.
#[derive(Debug)]
pub(super) struct CallGate {
    most: u64,
    queue: u64,
    /// What is said to those who are turned away.
    refusal: Status,
    /// Invariant: what waits by this is as many as `line` has while its lock is held, and
    /// while anybody waits nobody runs less than `most`.
    state: AtomicU64,
    line: Mutex<WaitingLine>,
}

impl CallGate {
    /// Bounds the calls of `whom`, as it is called to those who are turned away.
    pub(in crate::server) fn new(limit: &CallLimit, whom: &str) -> Self {
        let most = limit.most.min(u32::MAX as usize) as u64;
        // Where no call runs none leaves, and who waits would wait for ever.
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

    /// Whether who comes now would be turned away.
    pub(super) fn is_full(&self) -> bool {
        let state = self.state.load(Ordering::Relaxed);
        !self.has_place(state) && waiting(state) >= self.queue
    }

    /// The state becomes `change` of what it is, unless that is none.
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

    /// Somebody comes who has waited elsewhere and is not turned away, however long the
    /// line is: `None` is a place.
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

    /// A place is left: for who has waited longest, if anybody waits.
    pub(super) fn leave(&self) {
        let leave = |state| (waiting(state) == 0).then(|| state - RUNS);
        if self.change(leave) {
            return;
        }
        let mut line = self.lock();
        // Who waited may have given up before the lock was had.
        if self.change(leave) {
            return;
        }
        self.change(|state| Some(state - WAITS));
        let first = line.take_first();
        // Nobody is woken under the lock.
        drop(line);
        if let Some(waker) = first {
            waker.wake();
        }
    }

    /// Ready once who waits by this number has a place.
    pub(super) fn poll(&self, number: u64, cx: &mut Context<'_>) -> Poll<()> {
        if self.lock().waits(number, cx.waker()) {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }

    /// Who waits by this number does so no more. A place that was given meanwhile is left.
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
