//! The streams that this side reset a moment ago, so that frames already on their way for them
//! are told from those that break a rule. Its size is bounded.

use std::collections::VecDeque;

use super::event::StreamId;
use super::stream::{self, StreamMap};

/// How many are remembered: more than any peer has open at once, as a rule.
const REMEMBERED: usize = 4_096;

#[derive(Debug, Default)]
pub(crate) struct Departed {
    /// What was left of their windows.
    windows: StreamMap<u32>,
    order: VecDeque<StreamId>,
    /// The highest that was forgotten.
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

    /// Whether the stream may be one of those that were forgotten.
    pub(crate) fn may_have_forgotten(&self, stream: StreamId) -> bool {
        stream <= self.forgotten
    }

    /// Takes DATA for one of them; `false` if its window did not allow so much, or
    /// it is none of them.
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
