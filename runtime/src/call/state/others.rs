//! Who hears of a call's end besides its two halves: few calls have such. They must be
//! told outside the call's lock.

use std::task::Waker;

use tokio::task::AbortHandle;

#[derive(Debug, Default)]
pub(super) struct Others {
    pub(super) before: Before,
    /// What keeps the call's time besides its connection.
    pub(super) timer: Option<AbortHandle>,
}

/// Who has the call before it has a stream.
#[derive(Debug, Default)]
pub(super) enum Before {
    #[default]
    Nobody,
    /// A task that makes it ready.
    Prepares(AbortHandle),
    /// The task in whose queue it waits.
    Queues(Waker),
}

impl Others {
    pub(super) fn ended(self) {
        match self.before {
            Before::Nobody => {}
            Before::Prepares(task) => task.abort(),
            Before::Queues(waker) => waker.wake(),
        }
        if let Some(timer) = self.timer {
            timer.abort();
        }
    }
}
