//! Which runtime carries a channel's connections, and whether a caller may rely on it.
//! On a runtime that has threads of its own this must cost calls nothing.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::{Handle, Id, RuntimeFlavor};

/// The runtime of a channel's hub.
#[derive(Debug, Default)]
pub(super) struct Carrier {
    /// It stands still while nobody is in its `block_on`: only who calls from it may
    /// rely on it.
    rests: AtomicBool,
    /// Of one that rests: a channel has one such at most, its first.
    id: OnceLock<Id>,
}

impl Carrier {
    /// A hub begins on this runtime.
    pub(super) fn set(&self, runtime: &Handle) {
        if rests(runtime) {
            self.id.get_or_init(|| runtime.id());
        }
        // Whoever sees this sees the picks that the hub before it left.
        self.rests.store(rests(runtime), Ordering::Release);
    }

    /// Whether who calls here may rely on it.
    #[inline]
    pub(super) fn is_driven(&self) -> bool {
        !self.rests.load(Ordering::Acquire) || self.is_current()
    }

    fn is_current(&self) -> bool {
        Handle::try_current().is_ok_and(|current| Some(&current.id()) == self.id.get())
    }
}

/// Whether the runtime has no thread of its own.
pub(super) fn rests(runtime: &Handle) -> bool {
    runtime.runtime_flavor() == RuntimeFlavor::CurrentThread
}
