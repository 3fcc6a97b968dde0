//! Which runtime carries a channel's connection, and whether a caller may rely on it.
//! On a runtime that has threads of its own this must cost calls nothing.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::runtime::{Handle, Id, RuntimeFlavor};

/// Each caller may rely on it.
const DRIVEN: u8 = 0;
/// It has no thread of its own and stands still while nobody is in its `block_on`:
/// only who calls from it may rely on it.
const RESTING: u8 = 1;
/// The connection has moved to another.
const LEFT: u8 = 2;

/// The runtime of a channel's first subchannel.
#[derive(Debug, Default)]
pub(super) struct Carrier {
    state: AtomicU8,
    id: OnceLock<Id>,
}

impl Carrier {
    /// The first subchannel begins on this runtime.
    pub(super) fn begin(&self, runtime: &Handle) {
        // Said once, since there is one first subchannel.
        let _ = self.id.set(runtime.id());
        if rests(runtime) {
            self.state.store(RESTING, Ordering::Relaxed);
        }
    }

    /// The first subchannel is for nobody any more; `true` the first time.
    pub(super) fn leave(&self) -> bool {
        self.state.swap(LEFT, Ordering::Relaxed) != LEFT
    }

    pub(super) fn is_left(&self) -> bool {
        self.state.load(Ordering::Relaxed) == LEFT
    }

    /// Whether who calls here may rely on the first subchannel.
    #[inline]
    pub(super) fn is_driven(&self) -> bool {
        match self.state.load(Ordering::Relaxed) {
            DRIVEN => true,
            RESTING => self.is_current(),
            _ => false,
        }
    }

    fn is_current(&self) -> bool {
        Handle::try_current().is_ok_and(|current| Some(&current.id()) == self.id.get())
    }
}

/// Whether the runtime has no thread of its own.
pub(super) fn rests(runtime: &Handle) -> bool {
    runtime.runtime_flavor() == RuntimeFlavor::CurrentThread
}
