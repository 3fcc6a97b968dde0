//! The memory that all connections of a server share. Wakers are called without holding the
//! lock.
//!
//! One half of the limit is for large request messages while they arrive. Messages that do
//! not fit wait. A quarter is for unread bytes. It is a soft limit: above it every connection
//! gives its streams the least share as soon as it has [`SPARED`] bytes unread. The last
//! quarter is for what calls hold, which `call_memory` counts for each connection. `account`
//! is one connection's part of all three.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

/// The unread bytes that a connection may have without reducing its shares, however many
/// connections there are.
pub(crate) const SPARED: i64 = 64 << 10;

/// Connections report their unread bytes in steps of this size.
pub(crate) const TOLD: i64 = 256 << 10;

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
    pub(super) calls: AtomicI64,
    /// How often calls found no memory.
    pub(super) refusals: AtomicU64,
    pub(super) wanted: AtomicBool,
    pub(super) waiting: Mutex<MemoryWaiters>,
}

#[derive(Debug, Default)]
pub(super) struct MemoryWaiters {
    pub(super) wakers: Vec<Waker>,
    /// The number of times they were woken.
    pub(super) turn: u64,
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
            wanted: AtomicBool::new(false),
            waiting: Mutex::default(),
        })
    }

    /// Calls hold so much more. Whether that fits: one that holds more than there is for
    /// all fits where no other holds anything.
    pub(super) fn take_for_calls(&self, bytes: u64) -> bool {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let others = self.calls.fetch_add(bytes, Ordering::SeqCst);
        others <= 0 || others.saturating_add(bytes).cast_unsigned() <= self.for_calls
    }

    /// Calls hold so much less. Whoever waits is not told.
    pub(super) fn give_back_of_calls(&self, bytes: u64) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.calls.fetch_sub(bytes, Ordering::SeqCst);
    }

    /// A call found no memory.
    pub(super) fn refuse(&self) {
        self.refusals.fetch_add(1, Ordering::Relaxed);
    }

    /// Wakes the connections that wait for memory.
    pub(super) fn wake(&self) {
        if !self.wanted.load(Ordering::SeqCst) {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        self.wanted.store(false, Ordering::SeqCst);
        waiting.turn += 1;
        let wakers = std::mem::take(&mut waiting.wakers);
        drop(waiting);
        for waker in wakers {
            waker.wake();
        }
    }
}
