//! The states of codecs between two messages. They are large (deflate's is about 300 KiB) and
//! cost more to make than a small message does. No message keeps one, so at most as many are in
//! use as there are threads. The lock is not held while a codec works.

use std::sync::{Mutex, PoisonError};

/// How many states of a kind are kept: as many as threads that often compress at
/// the same time.
const KEPT: usize = 16;

/// States that nobody uses.
pub(super) struct Idle<T>(Mutex<Vec<T>>);

impl<T> Idle<T> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// The one that was used last, as its user left it.
    pub(super) fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    pub(super) fn put(&self, state: T) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push(state);
        }
    }
}
