//! The memory for received data that all connections of a server share. Wakers are called
//! without holding the lock.
//!
//! One half of the limit is for unread bytes. It is a soft limit: above it every connection
//! gives its streams the least share as soon as it has [`SPARED`] bytes unread. The other
//! half is for larger messages while they arrive. Messages that do not fit wait.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

/// The unread bytes that a connection may have without reducing its shares, however many
/// connections there are.
pub(crate) const SPARED: i64 = 64 << 10;

/// Connections report their unread bytes in steps of this size.
pub(crate) const TOLD: i64 = 256 << 10;

/// The memory of a server's connections.
#[derive(Debug)]
pub(crate) struct Memory {
    /// Half of the limit.
    half: u64,
    unread: AtomicU64,
    granted: AtomicU64,
    wanted: AtomicBool,
    waiting: Mutex<MemoryWaiters>,
}

#[derive(Debug, Default)]
struct MemoryWaiters {
    wakers: Vec<Waker>,
    /// The number of times they were woken.
    turn: u64,
}

impl Memory {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            half: limit as u64 / 2,
            unread: AtomicU64::new(0),
            granted: AtomicU64::new(0),
            wanted: AtomicBool::new(false),
            waiting: Mutex::default(),
        })
    }

    /// Wakes the connections that wait for memory.
    fn wake(&self) {
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

/// One connection's part of the memory, freed when dropped.
#[derive(Debug)]
pub(crate) struct Account {
    memory: Arc<Memory>,
    unread: i64,
    granted: u64,
    /// A message waits for memory.
    wants: bool,
    /// The turn in which this connection is to be woken.
    waits: Option<u64>,
}

impl Account {
    pub(crate) fn new(memory: Arc<Memory>) -> Self {
        Self {
            memory,
            unread: 0,
            granted: 0,
            wants: false,
            waits: None,
        }
    }

    /// Whether unread bytes of this connection have been reported.
    pub(crate) fn has_told(&self) -> bool {
        self.unread > 0
    }

    /// Reports that this many bytes are unread on this connection.
    pub(crate) fn tell(&mut self, unread: i64) {
        // A wrapping sum of differences is right for both signs.
        let change = (unread - self.unread).cast_unsigned();
        self.memory.unread.fetch_add(change, Ordering::Relaxed);
        self.unread = unread;
    }

    /// As [`tell`](Self::tell), if the number changed by at least [`TOLD`].
    pub(crate) fn tell_roughly(&mut self, unread: i64) {
        if (unread - self.unread).abs() >= TOLD {
            self.tell(unread);
        }
    }

    /// Whether connections have to reduce their shares.
    pub(crate) fn is_tight(&self) -> bool {
        self.memory.unread.load(Ordering::Relaxed) > self.memory.half
    }

    /// Reserves memory for a message if there is enough. A message of any size gets it if no
    /// other has any.
    pub(crate) fn hold(&mut self, size: u32) -> bool {
        let size = u64::from(size);
        let half = self.memory.half;
        let held = self
            .memory
            .granted
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |granted| {
                (granted == 0 || granted + size <= half).then_some(granted + size)
            })
            .is_ok();
        if held {
            self.granted += size;
        }
        self.wants = !held;
        held
    }

    /// Whether a message waits for memory.
    pub(crate) fn wants_memory(&self) -> bool {
        self.wants
    }

    pub(crate) fn free(&mut self, size: u32) {
        let size = u64::from(size).min(self.granted);
        self.granted -= size;
        self.memory.granted.fetch_sub(size, Ordering::SeqCst);
        self.memory.wake();
    }

    /// Whether slow messages have to be checked.
    pub(crate) fn is_scarce(&self) -> bool {
        self.memory.granted.load(Ordering::Relaxed) > self.memory.half / 2
    }

    /// Whether any connection waits for memory.
    pub(crate) fn is_wanted(&self) -> bool {
        self.memory.wanted.load(Ordering::Relaxed)
    }

    /// Registers `waker` for when memory is free. The caller must try once more after this.
    pub(crate) fn wait(&mut self, waker: &Waker) {
        self.wants = false;
        let memory = &self.memory;
        let mut waiting = memory
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if self.waits != Some(waiting.turn) {
            self.waits = Some(waiting.turn);
            waiting.wakers.push(waker.clone());
        }
        memory.wanted.store(true, Ordering::SeqCst);
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.tell(0);
        if self.granted > 0 {
            self.memory
                .granted
                .fetch_sub(self.granted, Ordering::SeqCst);
            self.memory.wake();
        }
    }
}

#[cfg(test)]
mod tests;
