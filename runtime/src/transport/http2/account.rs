//! One connection's part of its server's memory. Wakers are called without holding the lock.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::task::Waker;
use std::time::Instant;

use super::call_memory::CallMemory;
use super::memory::{Memory, TOLD};

/// One connection's part of the memory, freed when dropped.
#[derive(Debug)]
pub(crate) struct Account {
    memory: Arc<Memory>,
    unread: i64,
    granted: u64,
    /// A message waits for memory.
    wants: bool,
    /// A response waits for memory.
    starves: bool,
    /// The turn in which this connection is to be woken.
    waits: Option<u64>,
    calls: Arc<CallMemory>,
    /// What the connection itself holds for its calls.
    kept: usize,
    /// When responses that nobody reads are looked for.
    look: Option<Instant>,
    /// The refusals that there had been at the last look.
    refusals: u64,
}

impl Account {
    pub(crate) fn new(memory: Arc<Memory>) -> Self {
        Self {
            calls: CallMemory::new(Arc::clone(&memory)),
            memory,
            unread: 0,
            granted: 0,
            wants: false,
            starves: false,
            waits: None,
            kept: 0,
            look: None,
            refusals: 0,
        }
    }

    // --- what calls hold -----------------------------------------------------------

    pub(crate) fn calls(&self) -> &Arc<CallMemory> {
        &self.calls
    }

    /// Keeps so much for calls, if there is room.
    #[must_use]
    pub(crate) fn try_keep(&mut self, bytes: usize) -> bool {
        let kept = self.calls.try_take(bytes);
        if kept {
            self.kept += bytes;
        } else {
            self.memory.refuse();
        }
        kept
    }

    /// Keeps so much, which is there already.
    pub(crate) fn keep(&mut self, bytes: usize) {
        self.calls.take(bytes);
        self.kept += bytes;
    }

    /// Keeps what a call had of the connection's memory.
    pub(crate) fn adopt(&mut self, bytes: usize) {
        self.kept += bytes;
    }

    pub(crate) fn let_go(&mut self, bytes: usize) {
        let bytes = bytes.min(self.kept);
        self.kept -= bytes;
        self.calls.give_back(bytes);
    }

    /// A response waits for memory, on this connection.
    pub(crate) fn starve(&mut self) {
        self.starves = true;
    }

    /// Whether responses that do not get on are worth looking at: this connection holds
    /// more than what is its own, and little is left for others.
    pub(crate) fn is_scarce_for_calls(&self) -> bool {
        let calls = self.memory.calls.load(Ordering::Relaxed);
        let is_scarce = u64::try_from(calls).is_ok_and(|calls| calls > self.memory.for_calls / 2);
        is_scarce && self.calls.has_more_than_its_own()
    }

    /// When responses are looked at next.
    pub(crate) fn look(&self) -> Option<Instant> {
        self.look
    }

    /// They are looked at then, unless they are sooner.
    pub(crate) fn look_at(&mut self, then: Instant) {
        if self.look.is_none() {
            self.look = Some(then);
            self.refusals = self.memory.refusals.load(Ordering::Relaxed);
        }
    }

    /// They are looked at now. Whether any call has wanted memory since it was last
    /// decided to, or waits for it.
    pub(crate) fn end_look(&mut self) -> bool {
        self.look = None;
        let refusals = self.memory.refusals.load(Ordering::Relaxed);
        self.refusals != refusals || self.is_wanted()
    }

    // --- what was received -----------------------------------------------------------

    /// Whether unread bytes of this connection have been reported.
    pub(crate) fn has_told(&self) -> bool {
        self.unread > 0
    }

    /// Reports that this many bytes are unread on this connection.
    pub(crate) fn tell(&mut self, unread: i64) {
        // A wrapping sum of differences is right for both signs.
        let change = (unread - self.unread).cast_unsigned();
        self.memory.unread.fetch_add(change, Ordering::Relaxed);
        self.unread = unread;
    }

    /// As [`tell`](Self::tell), if the number changed by at least [`TOLD`].
    pub(crate) fn tell_roughly(&mut self, unread: i64) {
        if (unread - self.unread).abs() >= TOLD {
            self.tell(unread);
        }
    }

    /// Whether connections have to reduce their shares.
    pub(crate) fn is_tight(&self) -> bool {
        self.memory.unread.load(Ordering::Relaxed) > self.memory.quarter
    }

    /// Reserves memory for a message if there is enough. A message of any size gets it if no
    /// other has any.
    pub(crate) fn hold(&mut self, size: u32) -> bool {
        let size = u64::from(size);
        let half = self.memory.half;
        let held = self
            .memory
            .granted
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |granted| {
                (granted == 0 || granted + size <= half).then_some(granted + size)
            })
            .is_ok();
        if held {
            self.granted += size;
        }
        self.wants = !held;
        held
    }

    /// Whether a message or a response waits for memory.
    pub(crate) fn wants_memory(&self) -> bool {
        self.wants || self.starves
    }

    pub(crate) fn free(&mut self, size: u32) {
        let size = u64::from(size).min(self.granted);
        self.granted -= size;
        self.memory.granted.fetch_sub(size, Ordering::SeqCst);
        self.memory.wake();
    }

    /// Whether slow messages have to be checked.
    pub(crate) fn is_scarce(&self) -> bool {
        self.memory.granted.load(Ordering::Relaxed) > self.memory.half / 2
    }

    /// Whether any connection waits for memory.
    pub(crate) fn is_wanted(&self) -> bool {
        self.memory.wanted.load(Ordering::Relaxed)
    }

    /// Has `waker` woken once memory is free. Whoever asks has to try once more
    /// after this: `true` where that holds for responses.
    #[must_use]
    pub(crate) fn wait(&mut self, waker: &Waker) -> bool {
        self.wants = false;
        let memory = &self.memory;
        let mut waiting = memory
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_new = self.waits != Some(waiting.turn);
        if is_new {
            self.waits = Some(waiting.turn);
            waiting.wakers.push(waker.clone());
        }
        memory.wanted.store(true, Ordering::SeqCst);
        is_new && std::mem::take(&mut self.starves)
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.tell(0);
        self.let_go(self.kept);
        if self.granted > 0 {
            self.memory
                .granted
                .fetch_sub(self.granted, Ordering::SeqCst);
            self.memory.wake();
        }
    }
}

#[cfg(test)]
mod tests;
