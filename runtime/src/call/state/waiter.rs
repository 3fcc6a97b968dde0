//! The task that waits for something. It returns the waker instead of waking, since waking
//! happens outside the lock: the woken task would wait for it.

use std::task::{Context, Waker};

/// The one task that waits, if any.
#[derive(Debug, Default)]
pub(super) struct Waiter(Option<Waker>);

impl Waiter {
    pub(super) fn register(&mut self, cx: &mut Context<'_>) {
        match &mut self.0 {
            Some(waker) => waker.clone_from(cx.waker()),
            None => self.0 = Some(cx.waker().clone()),
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn take(&mut self) -> Option<Waker> {
        self.0.take()
    }
}
