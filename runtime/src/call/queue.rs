//! The queue into the task that owns a connection: many tasks push, one takes everything at
//! once. Neither side waits for the other, and no task is woken while the queue's lock is
//! held.
//!
//! The receiver is woken once for all items pushed until it looks again. An empty queue
//! keeps a batch's memory only up to [`KEPT`] items.

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::locks::{Mutex, MutexGuard};

#[cfg(test)]
mod tests;

/// An emptied batch with room for more items than this is freed.
const KEPT: usize = 256;

/// The side that pushes. When the last clone is dropped, the queue ends.
pub(crate) struct QueueSender<T>(Arc<Senders<T>>);

/// The side that takes. Dropping it drops the items that were not taken.
pub(crate) struct QueueReceiver<T>(Arc<SharedQueue<T>>);

/// The task to wake once all locks are released. Dropping it loses the wake-up.
#[must_use]
#[derive(Debug, Default)]
pub(crate) struct WakeUp(Option<Waker>);

impl WakeUp {
    #[inline]
    pub(crate) fn now(self) {
        if let Some(waker) = self.0 {
            waker.wake();
        }
    }

    /// Combines two wake-ups of one queue, of which at most one has a waker.
    #[inline]
    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0.or(other.0))
    }
}

/// Shared by all senders: its drop tells that the last sender is gone.
struct Senders<T>(Arc<SharedQueue<T>>);

struct SharedQueue<T>(Mutex<QueueState<T>>);

struct QueueState<T> {
    pushed: Vec<T>,
    /// All senders are gone, or the receiver is.
    ended: bool,
    /// The receiver's waker, from when it has looked until it is woken.
    waker: Option<Waker>,
}

pub(crate) fn queue<T>() -> (QueueSender<T>, QueueReceiver<T>) {
    let shared = Arc::new(SharedQueue(Mutex::new(QueueState {
        pushed: Vec::new(),
        ended: false,
        waker: None,
    })));
    let senders = Arc::new(Senders(Arc::clone(&shared)));
    (QueueSender(senders), QueueReceiver(shared))
}

impl<T> SharedQueue<T> {
    /// No code that can panic runs while the lock is held.
    fn lock(&self) -> MutexGuard<'_, QueueState<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> QueueSender<T> {
    /// Pushes `item`; `Err` returns it if the receiver is gone.
    pub(crate) fn send(&self, item: T) -> Result<(), T> {
        self.push(item).map(WakeUp::now)
    }

    /// Pushes `item` and returns the wake-up, for callers that hold a lock.
    pub(crate) fn push(&self, item: T) -> Result<WakeUp, T> {
        let mut state = self.0.0.lock();
        if state.ended {
            return Err(item);
        }
        state.pushed.push(item);
        Ok(WakeUp(state.waker.take()))
    }
}

impl<T> QueueReceiver<T> {
    /// Moves all items into `batch`, which is empty. Ready if there were any, or with an
    /// empty batch once the queue has ended. In any case the task is woken when more items
    /// come.
    #[inline]
    pub(crate) fn poll_take(&mut self, batch: &mut Vec<T>, cx: &mut Context<'_>) -> Poll<()> {
        debug_assert!(batch.is_empty());
        if batch.capacity() > KEPT {
            *batch = Vec::new();
        }
        let mut state = self.0.lock();
        std::mem::swap(&mut state.pushed, batch);
        match &mut state.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => state.waker = Some(cx.waker().clone()),
        }
        if batch.is_empty() && !state.ended {
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// Ends the queue and returns the items that were not taken.
    pub(crate) fn close(&mut self) -> Vec<T> {
        let mut state = self.0.lock();
        state.ended = true;
        std::mem::take(&mut state.pushed)
    }
}

impl<T> Clone for QueueSender<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Senders<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.ended = true;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Drop for QueueReceiver<T> {
    fn drop(&mut self) {
        // The drop of an item may push to this same queue, so the lock is free here.
        drop(self.close());
    }
}

impl<T> fmt::Debug for QueueSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QueueSender")
    }
}

impl<T> fmt::Debug for QueueReceiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QueueReceiver")
    }
}
