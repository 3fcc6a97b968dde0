//! Which runtime carries a channel's connections, and whether a caller may rely on it.
//! On a runtime that has threads of its own this must cost calls nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::runtime::{Handle, Id, RuntimeFlavor};

/// The runtime of a channel's hub.
#[derive(Debug, Default)]
pub(super) struct Carrier {
    /// It stands still while nobody is in its `block_on`: only who calls from it may
    /// rely on it.
    rests: AtomicBool,
    id: Mutex<Option<Id>>,
}

impl Carrier {
    /// A hub begins on this runtime.
    pub(super) fn set(&self, runtime: &Handle) {
        *self.id.lock().unwrap_or_else(PoisonError::into_inner) = Some(runtime.id());
        self.rests.store(rests(runtime), Ordering::Relaxed);
    }

    /// Whether who calls here may rely on it.
    #[inline]
    pub(super) fn is_driven(&self) -> bool {
        !self.rests.load(Ordering::Relaxed) || self.is_current()
    }

    fn is_current(&self) -> bool {
        let Ok(current) = Handle::try_current() else {
            return false;
        };
        *self.id.lock().unwrap_or_else(PoisonError::into_inner) == Some(current.id())
    }
}

/// Whether the runtime has no thread of its own.
pub(super) fn rests(runtime: &Handle) -> bool {
    runtime.runtime_flavor() == RuntimeFlavor::CurrentThread
}
