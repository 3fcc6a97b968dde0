//! Who has a call before it has a stream, and hears if it ends there. They must be
//! told outside the call's lock.

use std::task::Waker;

use tokio::task::AbortHandle;

#[derive(Debug)]
pub(super) enum Before {
    /// A task that makes it ready.
    Prepares(AbortHandle),
    /// The task in whose queue it waits.
    Queues(Waker),
}

impl Before {
    pub(super) fn ended(self) {
        match self {
            Self::Prepares(task) => task.abort(),
            Self::Queues(waker) => waker.wake(),
        }
    }
}
