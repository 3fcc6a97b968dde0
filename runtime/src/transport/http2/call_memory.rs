//! What the calls of one connection hold of a server's memory: heads of requests while
//! their calls are there, and responses that their client does not take. The connection
//! and its handlers count here together, so it is one atomic number.
//!
//! What a connection's calls hold up to [`OWN`] is theirs, however much others hold, and
//! those of all connections share the rest.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::memory::Memory;

/// What the calls of one connection may hold, however much others do.
pub(crate) const OWN: u64 = 64 << 10;

/// What a stream may hold of its response without that it is counted.
pub(crate) const UNCOUNTED: usize = 8 << 10;

/// What the calls of one connection hold.
#[derive(Debug)]
pub(crate) struct CallMemory {
    memory: Arc<Memory>,
    /// Invariant: what is beyond [`OWN`] is in the server's sum, as soon as those who
    /// changed it have also changed that.
    held: AtomicU64,
}

/// What of it others hear of.
fn beyond(held: u64) -> u64 {
    held.saturating_sub(OWN)
}

impl CallMemory {
    pub(super) fn new(memory: Arc<Memory>) -> Arc<Self> {
        Arc::new(Self {
            memory,
            held: AtomicU64::new(0),
        })
    }

    /// By how much more the server's sum has to be with so many bytes more here.
    fn add(&self, bytes: usize) -> u64 {
        let bytes = bytes as u64;
        let before = self.held.fetch_add(bytes, Ordering::Relaxed);
        beyond(before + bytes) - beyond(before)
    }

    fn subtract(&self, bytes: usize) -> u64 {
        let bytes = bytes as u64;
        let before = self.held.fetch_sub(bytes, Ordering::Relaxed);
        beyond(before) - beyond(before.saturating_sub(bytes))
    }

    /// Takes what is there already, whether it fits or not.
    pub(super) fn take(&self, bytes: usize) {
        let change = self.add(bytes);
        if change > 0 {
            self.memory.take_for_calls(change);
        }
    }

    /// Takes so much, if it fits.
    #[must_use]
    pub(super) fn try_take(&self, bytes: usize) -> bool {
        let change = self.add(bytes);
        let fits = change == 0 || self.memory.take_for_calls(change);
        if !fits {
            // Nobody who waits is told: what was taken for a moment is no reason to try
            // again, or two that do not fit would wake each other for ever.
            self.memory.give_back_of_calls(self.subtract(bytes));
        }
        fits
    }

    /// Whether others have less because of this connection.
    pub(super) fn has_more_than_its_own(&self) -> bool {
        beyond(self.held.load(Ordering::Relaxed)) > 0
    }

    pub(super) fn give_back(&self, bytes: usize) {
        if bytes > 0 {
            self.memory.give_back_of_calls(self.subtract(bytes));
            self.memory.wake();
        }
    }
}

/// What one call has of its connection's memory; given back when dropped.
#[derive(Debug)]
pub(crate) struct Reserve {
    calls: Arc<CallMemory>,
    bytes: usize,
}

impl Reserve {
    /// Nothing so far.
    pub(crate) fn new(calls: &Arc<CallMemory>) -> Self {
        Self {
            calls: Arc::clone(calls),
            bytes: 0,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes so much more, if it fits.
    #[must_use]
    pub(crate) fn try_take(&mut self, bytes: usize) -> bool {
        let fits = self.calls.try_take(bytes);
        if fits {
            self.bytes += bytes;
        }
        fits
    }

    /// Takes what is there already.
    pub(crate) fn take(&mut self, bytes: usize) {
        self.calls.take(bytes);
        self.bytes += bytes;
    }

    /// The call waits for it.
    pub(crate) fn refuse(&self) {
        self.calls.memory.refuse();
    }

    /// A part of it, which is given back when dropped.
    #[must_use]
    pub(crate) fn split(&mut self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self {
            calls: Arc::clone(&self.calls),
            bytes,
        }
    }

    /// All of it is another's from now on.
    pub(crate) fn pass_on(mut self) -> usize {
        std::mem::take(&mut self.bytes)
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        self.calls.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests;
