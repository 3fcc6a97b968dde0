//! What the calls of one connection hold of a server's memory: heads of requests while
//! their calls are there, and responses that their client does not take. The connection
//! and its handlers count here together, so it is one atomic number.
//!
//! What a connection's calls hold up to [`OWN`] is theirs, however much others hold, and
//! those of all connections share the rest.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

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
    /// The connection's senders that wait for memory.
    starving: AtomicUsize,
    /// Some of what is the connection's own came back while they waited.
    is_offered: AtomicBool,
    /// The connection, while they wait.
    waker: Mutex<Option<Waker>>,
}

/// What of it others hear of.
fn beyond(held: u64) -> u64 {
    held.saturating_sub(OWN)
}

impl CallMemory {
    pub(crate) fn new(memory: Arc<Memory>) -> Arc<Self> {
        Arc::new(Self {
            memory,
            held: AtomicU64::new(0),
            starving: AtomicUsize::new(0),
            is_offered: AtomicBool::new(false),
            waker: Mutex::new(None),
        })
    }

    /// Takes what is there already, whether it fits or not.
    pub(super) fn take(&self, bytes: usize) {
        let bytes = bytes as u64;
        let before = self.held.fetch_add(bytes, Ordering::SeqCst);
        let change = beyond(before + bytes) - beyond(before);
        if change > 0 {
            self.memory.take_for_calls(change);
        }
    }

    /// Takes so much, if it fits. What does not fit is not counted for a moment either, so
    /// that it keeps nobody else from what there is.
    #[must_use]
    pub(super) fn try_take(&self, bytes: usize) -> bool {
        let bytes = bytes as u64;
        let mut before = self.held.load(Ordering::SeqCst);
        // What the server's sum has of it.
        let mut taken = 0;
        loop {
            let change = beyond(before + bytes) - beyond(before);
            if change > taken && !self.memory.try_take_for_calls(change - taken) {
                self.give_back_to_all(taken);
                return false;
            }
            taken = taken.max(change);
            let after = before + bytes;
            match self
                .held
                .compare_exchange(before, after, Ordering::SeqCst, Ordering::SeqCst)
            {
                Ok(_) => {
                    self.give_back_to_all(taken - change);
                    return true;
                }
                Err(now) => before = now,
            }
        }
    }

    /// Whether others have less because of this connection.
    pub(super) fn has_more_than_its_own(&self) -> bool {
        beyond(self.held.load(Ordering::Relaxed)) > 0
    }

    #[cfg(test)]
    pub(crate) fn held(&self) -> u64 {
        self.held.load(Ordering::SeqCst)
    }

    /// Whether a sender of this connection waits for memory.
    pub(crate) fn starves(&self) -> bool {
        self.starving.load(Ordering::SeqCst) > 0
    }

    pub(super) fn give_back(&self, bytes: usize) {
        let bytes = bytes as u64;
        let before = self.held.fetch_sub(bytes, Ordering::SeqCst);
        let after = before.saturating_sub(bytes);
        self.give_back_to_all(beyond(before) - beyond(after));
        // What is the connection's own is for its senders alone.
        if bytes > 0 && after < OWN && self.starves() {
            self.offer();
        }
    }

    fn give_back_to_all(&self, change: u64) {
        if change > 0 {
            self.memory.give_back_of_calls(change);
        }
    }

    #[cold]
    fn offer(&self) {
        self.is_offered.store(true, Ordering::SeqCst);
        let waker = self.waker().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether some of what is the connection's own came back; if not, `waker` is woken once
    /// it does.
    pub(super) fn take_offer(&self, waker: &Waker) -> bool {
        *self.waker() = Some(waker.clone());
        self.is_offered.swap(false, Ordering::SeqCst)
    }

    fn waker(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A sender waits for memory, until this is dropped.
#[derive(Debug)]
pub(crate) struct Starving(Arc<CallMemory>);

impl Drop for Starving {
    fn drop(&mut self) {
        self.0.starving.fetch_sub(1, Ordering::SeqCst);
        self.0.memory.starving.fetch_sub(1, Ordering::SeqCst);
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

    /// The call found no room for so much, and waits for it. It has to try once more after
    /// this.
    #[must_use]
    pub(crate) fn starve(&self, bytes: usize) -> Starving {
        let held = self.calls.held.load(Ordering::SeqCst);
        self.calls
            .memory
            .want(beyond(held.saturating_add(bytes as u64)) - beyond(held));
        self.calls.memory.refuse();
        self.calls.memory.starving.fetch_add(1, Ordering::SeqCst);
        self.calls.starving.fetch_add(1, Ordering::SeqCst);
        Starving(Arc::clone(&self.calls))
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
