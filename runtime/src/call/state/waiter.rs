//! Whose task is to be woken. It never wakes by itself: that has to happen
//! outside the lock, so that the woken task does not run into it.

use std::task::{Context, Waker};

/// The one task that waits for something, if it does.
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
