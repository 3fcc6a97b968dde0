//! Memory that is set aside for messages while they arrive, where they are larger than what
//! their stream may have unread anyway.
//!
//! A message gets all of its memory before the peer may send it, or none: else a
//! hundred messages could each have a part, and none could be completed. Those that
//! do not fit wait in line.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::event::StreamId;

/// How long a message that others wait for may come slower than [`LEAST_RATE`].
const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes a second.
const LEAST_RATE: u32 = 4 << 10;

/// The least that arrives of a message in the time of [`PATIENCE`].
const LEAST_PROGRESS: u32 = LEAST_RATE * PATIENCE.as_secs() as u32;

#[derive(Debug)]
struct Grant {
    stream: StreamId,
    /// What was held of it when it was last looked at; `None` before that.
    seen: Option<u32>,
}

/// The messages of a connection that memory was set aside for.
#[derive(Debug)]
pub(crate) struct Grants {
    budget: u64,
    used: u64,
    given: Vec<Grant>,
    waiting: VecDeque<StreamId>,
    /// When progress is looked at. It stays once somebody waited, so that grants that
    /// come and go put it off for nobody.
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

    /// The stream stands in line from now on.
    pub(crate) fn wait(&mut self, stream: StreamId) {
        self.waiting.push_back(stream);
    }

    /// Who is first in line.
    pub(crate) fn first(&self) -> Option<StreamId> {
        self.waiting.front().copied()
    }

    /// The first in line waits no more.
    pub(crate) fn skip(&mut self) {
        self.waiting.pop_front();
    }

    pub(crate) fn has_room(&self, size: u32) -> bool {
        self.used + u64::from(size) <= self.budget
    }

    /// The first in line gets its memory.
    pub(crate) fn give(&mut self, size: u32) {
        if let Some(stream) = self.first() {
            self.used += u64::from(size);
            self.given.push(Grant { stream, seen: None });
            self.skip();
        }
    }

    /// So many bytes that were granted to the stream are free again; `last` if it
    /// has no more of them.
    pub(crate) fn take_back(&mut self, stream: StreamId, bytes: u32, last: bool) {
        self.used -= u64::from(bytes);
        if last {
            self.given.retain(|grant| grant.stream != stream);
        }
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.look.filter(|_| !self.given.is_empty())
    }

    /// Somebody waits, or soon will: progress is looked at.
    pub(crate) fn watch(&mut self, now: Instant) {
        self.look.get_or_insert(now + PATIENCE);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.given.is_empty()
    }

    /// The streams whose messages have not got on, if anyone waits for memory: here,
    /// or with other connections as `wanted` says. `held` says what has come of a
    /// message, as long as more of it is to come.
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
