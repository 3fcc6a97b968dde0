//! Reserves memory for incoming messages that are larger than what their stream may have
//! unread.
//!
//! A message gets all of its memory before the peer may send it, or none: otherwise many
//! messages could each hold a part, and none could complete. Messages that do not fit wait
//! in a queue.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::event::StreamId;

/// How long a message may arrive slower than [`LEAST_RATE`] while others wait.
const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes a second.
const LEAST_RATE: u32 = 4 << 10;

/// The fewest bytes of a message that must arrive within [`PATIENCE`].
const LEAST_PROGRESS: u32 = LEAST_RATE * PATIENCE.as_secs() as u32;

#[derive(Debug)]
struct Grant {
    stream: StreamId,
    /// The bytes held of it at the last check; `None` before the first.
    seen: Option<u32>,
}

/// The messages of a connection with reserved memory, and those that wait for it.
#[derive(Debug)]
pub(crate) struct Grants {
    budget: u64,
    used: u64,
    given: Vec<Grant>,
    waiting: VecDeque<StreamId>,
    /// When progress is checked next. It stays set once a message has waited, so that new
    /// grants do not postpone it.
    look: Option<Instant>,
}

impl Grants {
    pub(crate) fn new(budget: u32) -> Self {
        Self {
            budget: u64::from(budget),
            used: 0,
            given: Vec::new(),
            waiting: VecDeque::new(),
            look: None,
        }
    }

    /// The streams that have a grant.
    pub(crate) fn given(&self) -> impl Iterator<Item = StreamId> {
        self.given.iter().map(|grant| grant.stream)
    }

    /// Adds the stream to the queue.
    pub(crate) fn wait(&mut self, stream: StreamId) {
        self.waiting.push_back(stream);
    }

    /// The first stream in the queue.
    pub(crate) fn first(&self) -> Option<StreamId> {
        self.waiting.front().copied()
    }

    /// Removes the first stream from the queue.
    pub(crate) fn skip(&mut self) {
        self.waiting.pop_front();
    }

    pub(crate) fn has_room(&self, size: u32) -> bool {
        self.used + u64::from(size) <= self.budget
    }

    /// Gives the first stream in the queue its memory.
    pub(crate) fn give(&mut self, size: u32) {
        if let Some(stream) = self.first() {
            self.used += u64::from(size);
            self.given.push(Grant { stream, seen: None });
            self.skip();
        }
    }

    /// Frees `bytes` of the stream's reserved memory; `last` if it has no more of it.
    pub(crate) fn take_back(&mut self, stream: StreamId, bytes: u32, last: bool) {
        self.used -= u64::from(bytes);
        if last {
            self.given.retain(|grant| grant.stream != stream);
        }
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.look.filter(|_| !self.given.is_empty())
    }

    /// A message waits, or soon will: starts to check progress.
    pub(crate) fn watch(&mut self, now: Instant) {
        self.look.get_or_insert(now + PATIENCE);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.given.is_empty()
    }

    /// The streams whose messages arrive too slowly while a message waits for memory, on
    /// this connection or, if `wanted`, on others. `held` returns the received bytes of a
    /// message that is incomplete.
    pub(crate) fn stalled(
        &mut self,
        wanted: bool,
        now: Instant,
        held: impl Fn(StreamId) -> Option<u32>,
    ) -> Vec<StreamId> {
        if self.look.is_none_or(|look| now < look) {
            return Vec::new();
        }
        let wanted = wanted || !self.waiting.is_empty();
        self.look = wanted.then_some(now + PATIENCE);
        let mut stalled = Vec::new();
        for grant in &mut self.given {
            let Some(held) = held(grant.stream) else {
                continue;
            };
            let seen = grant.seen.replace(held);
            let slow = seen.is_some_and(|seen| held.saturating_sub(seen) < LEAST_PROGRESS);
            if slow && wanted {
                stalled.push(grant.stream);
            }
        }
        stalled
    }
}
