//! Counts the messages and bytes of one direction of a call.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::observe::ended_call::Traffic;

/// A running count: written by the half that it counts, read by anyone.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl Counter {
    /// Counts a message of `bytes` bytes and returns how many messages came before it.
    pub(super) fn add(&self, bytes: usize) -> u64 {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.messages.fetch_add(1, Ordering::Relaxed)
    }

    /// Sets the count of a half that does not stream to one message. May be called twice.
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
