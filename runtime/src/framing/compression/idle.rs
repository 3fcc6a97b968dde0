//! Keeps idle codec states for reuse. A state is large (deflate's is about 300 KiB), and
//! creating one costs more than compressing a small message. A state is in use during one
//! call of a codec only, so there are at most as many in use as threads. The lock is not
//! held while a codec works.

use std::sync::{Mutex, PoisonError};

/// How many states of a kind are kept, about the number of threads that compress at the same
/// time.
const KEPT: usize = 16;

/// The idle states.
pub(super) struct Idle<T>(Mutex<Vec<T>>);

impl<T> Idle<T> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// The state that was used last, not reset.
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
