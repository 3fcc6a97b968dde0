//! Who has a call before it has a stream. It must be told outside the call's lock.

use std::task::Waker;

use tokio::task::AbortHandle;

/// Who has the call before it has a stream, and hears if it ends.
#[derive(Debug, Default)]
pub(super) enum Before {
    #[default]
    Nobody,
    /// A task that makes it ready.
    Prepares(AbortHandle),
    /// The task in whose queue it waits.
    Queues(Waker),
}

impl Before {
    pub(super) fn ended(self) {
        match self {
            Self::Nobody => {}
            Self::Prepares(task) => task.abort(),
            Self::Queues(waker) => waker.wake(),
        }
    }
}
