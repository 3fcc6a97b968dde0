//! The streams that this side reset recently, to distinguish frames that were already on
//! their way from violations. Remembers at most [`REMEMBERED`] streams.

use std::collections::VecDeque;

use super::event::StreamId;
use super::stream::{self, StreamMap};

/// How many streams are remembered: usually more than a peer has open at once.
const REMEMBERED: usize = 4_096;

#[derive(Debug, Default)]
pub(crate) struct Departed {
    /// The windows that were left.
    windows: StreamMap<u32>,
    order: VecDeque<StreamId>,
    /// The highest forgotten stream.
    forgotten: StreamId,
}

impl Departed {
    pub(crate) fn remember(&mut self, stream: StreamId, window: u32) {
        if self.order.len() == REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.windows.remove(&oldest);
            self.forgotten = self.forgotten.max(oldest);
        }
        if self.windows.insert(stream, window).is_none() {
            self.order.push_back(stream);
        }
        stream::shrink(&mut self.windows);
    }

    pub(crate) fn contains(&self, stream: StreamId) -> bool {
        self.windows.contains_key(&stream)
    }

    /// Whether the stream may be a forgotten one.
    pub(crate) fn may_have_forgotten(&self, stream: StreamId) -> bool {
        stream <= self.forgotten
    }

    /// Counts DATA for a remembered stream; `false` if its window does not allow it, or the
    /// stream is not remembered.
    pub(crate) fn receive(&mut self, stream: StreamId, bytes: u32) -> bool {
        let Some(window) = self.windows.get_mut(&stream) else {
            return false;
        };
        match window.checked_sub(bytes) {
            Some(left) => {
                *window = left;
                true
            }
            None => false,
        }
    }
}
