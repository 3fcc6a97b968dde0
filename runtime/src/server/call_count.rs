//! How many calls of a connection are not answered yet, for the case that a server ends while a
//! handler blocks the connection's task. Counting costs a call nothing.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The connection has handled its closing, and has reported the calls that it cut.
const CLOSED: usize = usize::MAX;

/// Written by the connection's task alone.
#[derive(Debug, Default)]
pub(super) struct CallCount(AtomicUsize);

impl CallCount {
    /// A turn of the connection begins with so many calls.
    pub(super) fn set(&self, calls: usize) {
        if self.0.load(Ordering::Relaxed) != CLOSED {
            self.0.store(calls, Ordering::Relaxed);
        }
    }

    pub(super) fn close(&self) {
        self.0.store(CLOSED, Ordering::Relaxed);
    }

    /// The calls of a connection whose task does not react: those that were counted, and the
    /// one whose handler occupies the task.
    pub(super) fn stuck(&self) -> usize {
        match self.0.load(Ordering::Relaxed) {
            CLOSED => 0,
            calls => calls + 1,
        }
    }
}
