//! Messages and bytes that passed one way in a call.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::observe::ended_call::Traffic;

/// Traffic as it grows: written by the half that it counts, read by anyone.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl Counter {
    /// Counts a message of so many bytes; how many there were before it.
    pub(super) fn add(&self, bytes: usize) -> u64 {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.messages.fetch_add(1, Ordering::Relaxed)
    }

    /// Counts the one message of a half that does not stream, once or again.
    pub(crate) fn set_one(&self, bytes: usize) {
        self.messages.store(1, Ordering::Relaxed);
        self.bytes.store(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn traffic(&self) -> Traffic {
        Traffic {
            messages: self.messages.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }
}
