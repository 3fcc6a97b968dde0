//! The memory that all connections of a server share. Wakers are called without holding the
//! lock.
//!
//! One half of the limit is for large request messages while they arrive. Messages that do
//! not fit wait. A quarter is for unread bytes. It is a soft limit: above it every connection
//! with [`SPARED`] bytes unread gives its streams the least share, as soon as [`TOLD`] bytes or
//! half of its window have come. The last quarter is for what calls hold, which `call_memory`
//! counts for each connection. `account` is one connection's part of all three.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

/// The unread bytes that a connection may have without reducing its shares, however many
/// connections there are.
pub(crate) const SPARED: i64 = 64 << 10;

/// Connections report their unread bytes in steps of this size.
pub(crate) const TOLD: i64 = 256 << 10;

/// Senders are not woken for less at once: one wake-up tries all of them once more.
const WORTH_A_WAKE: u64 = 64 << 10;

/// What there is for calls at the least: a response of the size that gRPC's messages
/// have at most, unless they are told otherwise, is not refused where it is alone.
const LEAST_FOR_CALLS: u64 = 4 << 20;

/// The memory of a server's connections. Its numbers are changed by `account` and
/// `call_memory` alone.
#[derive(Debug)]
pub(crate) struct Memory {
    /// Half of the limit, for messages that arrive.
    pub(super) half: u64,
    /// A quarter of it, for what is unread.
    pub(super) quarter: u64,
    /// A quarter of it, or [`LEAST_FOR_CALLS`], for what calls hold.
    pub(super) for_calls: u64,
    pub(super) unread: AtomicU64,
    pub(super) granted: AtomicU64,
    /// Below zero for a moment, where what is given back is counted before it is taken.
    calls: AtomicI64,
    /// How often calls found no memory.
    refusals: AtomicU64,
    /// The senders that wait for what calls hold.
    pub(super) starving: AtomicUsize,
    /// The least that one of them wants, since they were last woken.
    wanted: AtomicU64,
    /// Connections with messages that wait for memory.
    pub(super) messages: MemoryWaiters,
    /// Connections with senders that wait for memory.
    pub(super) senders: MemoryWaiters,
}

/// The connections that wait for one kind of memory.
#[derive(Debug, Default)]
pub(super) struct MemoryWaiters {
    is_any: AtomicBool,
    /// The number of times they were woken. Changed under the lock.
    turn: AtomicU64,
    /// With the keys of their connections.
    wakers: Mutex<Vec<(usize, Waker)>>,
}

impl MemoryWaiters {
    /// Registers the connection of this key, which last registered in `turn`. `false` if it
    /// has not been woken since.
    pub(super) fn wait(&self, key: usize, turn: &mut Option<u64>, waker: &Waker) -> bool {
        if *turn == Some(self.turn.load(Ordering::SeqCst)) {
            return false;
        }
        let mut wakers = self.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        *turn = Some(self.turn.load(Ordering::SeqCst));
        wakers.push((key, waker.clone()));
        self.is_any.store(true, Ordering::SeqCst);
        true
    }

    /// Forgets the connection of this key, which last registered in `turn`.
    pub(super) fn forget(&self, key: usize, turn: Option<u64>) {
        if turn == Some(self.turn.load(Ordering::SeqCst)) {
            let mut wakers = self.wakers.lock().unwrap_or_else(PoisonError::into_inner);
            wakers.retain(|(other, _)| *other != key);
            if wakers.is_empty() {
                self.is_any.store(false, Ordering::SeqCst);
            }
        }
    }

    pub(super) fn is_any(&self) -> bool {
        self.is_any.load(Ordering::SeqCst)
    }

    pub(super) fn wake(&self) {
        if !self.is_any() {
            return;
        }
        let mut waiting = self.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_any.store(false, Ordering::SeqCst);
        self.turn.fetch_add(1, Ordering::SeqCst);
        let wakers = std::mem::take(&mut *waiting);
        drop(waiting);
        for (_, waker) in wakers {
            waker.wake();
        }
    }
}

impl Memory {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            half: limit as u64 / 2,
            quarter: limit as u64 / 4,
            for_calls: LEAST_FOR_CALLS.max(limit as u64 / 4),
            unread: AtomicU64::new(0),
            granted: AtomicU64::new(0),
            calls: AtomicI64::new(0),
            refusals: AtomicU64::new(0),
            starving: AtomicUsize::new(0),
            wanted: AtomicU64::new(u64::MAX),
            messages: MemoryWaiters::default(),
            senders: MemoryWaiters::default(),
        })
    }

    /// Calls hold so much more, which is there already.
    pub(super) fn take_for_calls(&self, bytes: u64) {
        self.calls.fetch_add(signed(bytes), Ordering::SeqCst);
    }

    /// Calls hold so much more, if it fits. What is more than there is for all fits where
    /// nothing else is held.
    #[must_use]
    pub(super) fn try_take_for_calls(&self, bytes: u64) -> bool {
        let most = signed(self.for_calls);
        let add = |held: i64| {
            let sum = held.saturating_add(signed(bytes));
            (held <= 0 || sum <= most).then_some(sum)
        };
        self.calls
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, add)
            .is_ok()
    }

    /// Calls hold so much less. Senders that wait are woken where there is what one of them
    /// wants, and enough of it.
    pub(super) fn give_back_of_calls(&self, bytes: u64) {
        let held = self.calls.fetch_sub(signed(bytes), Ordering::SeqCst) - signed(bytes);
        self.wake_for(held, WORTH_A_WAKE);
    }

    /// Wakes senders that wait where there is what one of them wants, however little.
    pub(super) fn offer(&self) {
        self.wake_for(self.calls.load(Ordering::SeqCst), 0);
    }

    fn wake_for(&self, held: i64, least: u64) {
        if !self.senders.is_any() {
            return;
        }
        let free = signed(self.for_calls).saturating_sub(held.max(0));
        if free >= signed(self.wanted.load(Ordering::SeqCst).max(least)) {
            // Those that are woken say anew what they want.
            self.wanted.store(u64::MAX, Ordering::SeqCst);
            self.senders.wake();
        }
    }

    /// A sender wants so much. What is more than there is for all waits until nothing else
    /// is held.
    pub(super) fn want(&self, bytes: u64) {
        let bytes = bytes.min(self.for_calls);
        self.wanted.fetch_min(bytes, Ordering::SeqCst);
    }

    /// A call found no memory.
    pub(super) fn refuse(&self) {
        self.refusals.fetch_add(1, Ordering::Relaxed);
    }

    /// How often calls found no memory.
    pub(super) fn refusals(&self) -> u64 {
        self.refusals.load(Ordering::Relaxed)
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
