//! The runtime that a channel's connections run on, and whether a caller can rely on it to
//! run. On a multi-threaded runtime the check costs one atomic load.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::{Handle, Id, RuntimeFlavor};

/// The runtime of a channel's hub.
#[derive(Debug, Default)]
pub(super) struct Carrier {
    /// The runtime runs only while a thread is in its `block_on`, so only callers inside it
    /// can rely on it.
    rests: AtomicBool,
    /// The id of a single-threaded runtime. A channel runs on at most one of these, its
    /// first.
    id: OnceLock<Id>,
}

impl Carrier {
    /// A hub starts on this runtime.
    pub(super) fn set(&self, runtime: &Handle) {
        if rests(runtime) {
            self.id.get_or_init(|| runtime.id());
        }
        // A caller that reads this value also sees the picks that the earlier hub
        // published.
        self.rests.store(rests(runtime), Ordering::Release);
    }

    /// Whether the caller of this function can rely on the runtime.
    #[inline]
    pub(super) fn is_driven(&self) -> bool {
        !self.rests.load(Ordering::Acquire) || self.is_current()
    }

    fn is_current(&self) -> bool {
        Handle::try_current().is_ok_and(|current| Some(&current.id()) == self.id.get())
    }
}

/// Whether the runtime has no thread of its own and so runs only in `block_on`.
pub(super) fn rests(runtime: &Handle) -> bool {
    runtime.runtime_flavor() == RuntimeFlavor::CurrentThread
}
