//! The queue into the task that owns a connection: many tasks push, one takes everything at
//! once. It does not wait, and wakes nobody while its lock is held.
//!
//! The one that takes is woken once for all that is pushed until it looks again.
//! An idle queue owns no memory beyond itself.

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::locks::{Mutex, MutexGuard};

#[cfg(test)]
mod tests;

/// A batch with room for more than this is given back once it is empty.
const KEPT: usize = 256;

/// The side that pushes. When the last clone is dropped, the queue ends.
pub(crate) struct QueueSender<T>(Arc<Senders<T>>);

/// The side that takes. When it is dropped, so is what was not taken.
pub(crate) struct QueueReceiver<T>(Arc<SharedQueue<T>>);

/// Who is to be woken once all locks are free. Dropped, it would be lost.
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

    /// Of two from one queue, which gives at most one of them a waker.
    #[inline]
    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0.or(other.0))
    }
}

/// What all senders share, for its last moment to be noticed.
struct Senders<T>(Arc<SharedQueue<T>>);

struct SharedQueue<T>(Mutex<QueueState<T>>);

struct QueueState<T> {
    pushed: Vec<T>,
    /// Nothing will be pushed any more, or nothing will be taken.
    ended: bool,
    /// Of the receiver, once it has looked and until it is woken.
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
    /// Nothing can panic while the lock is held.
    fn lock(&self) -> MutexGuard<'_, QueueState<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> QueueSender<T> {
    /// Pushes `item`; `Err` gives it back where nobody takes any more.
    pub(crate) fn send(&self, item: T) -> Result<(), T> {
        self.push(item).map(WakeUp::now)
    }

    /// Pushes `item`, and leaves the wake-up to one who holds a lock meanwhile.
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
    /// Moves all there is into `batch`, which is empty. Ready where there was
    /// something, or with nothing once the queue has ended. In any case the task
    /// is woken when more comes.
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

    /// Ends the queue and gives what was still on its way.
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
        // Items may push to this very queue when they are dropped.
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
