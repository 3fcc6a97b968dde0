//! Decides which of a connection's heavy handlers begin now, and which wait. A runtime polls
//! for new I/O only between tasks, and rarely while tasks are ready: if all heavy handlers
//! were in its queue, every connection would wait until the last of them had run. So only as
//! many begin as keep the runtime's workers busy for a moment.

use std::collections::VecDeque;

use super::weight::HEAVIEST;
use crate::transport::http2::event::StreamId;

/// Heavy handlers of one connection, by the stream of their call. First turns
/// alone count: a handler that waits for something takes no turn from others.
#[derive(Debug)]
pub(super) struct Turns {
    waiting: VecDeque<StreamId>,
    /// The nanoseconds that the first turns under way are expected to take.
    used: u64,
    /// Another one begins while less than this is used.
    room: u64,
}

impl Turns {
    /// For a runtime of so many workers: on each, one handler at a time of the
    /// heaviest, or as many lighter ones as weigh the same.
    pub(super) fn new(workers: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            used: 0,
            room: workers.max(1) as u64 * HEAVIEST.as_nanos() as u64,
        }
    }

    pub(super) fn wait(&mut self, stream: StreamId) {
        self.waiting.push_back(stream);
    }

    /// The stream that has waited longest, if there is room.
    pub(super) fn next(&mut self) -> Option<StreamId> {
        if self.used >= self.room {
            return None;
        }
        self.waiting.pop_front()
    }

    pub(super) fn begin(&mut self, nanos: u32) {
        self.used += u64::from(nanos);
    }

    /// A first turn is over, that began with as many `nanos`.
    pub(super) fn end(&mut self, nanos: u32) {
        self.used = self.used.saturating_sub(u64::from(nanos));
    }
}

#[cfg(test)]
mod tests;
