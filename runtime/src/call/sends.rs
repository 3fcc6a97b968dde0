//! The streams of a connection that have something to send at its next write, and those
//! that first collect small messages, for at most [`HOLD`].

use std::time::{Duration, Instant};

use crate::transport::http2::event::StreamId;

/// How long a stream that sends small messages too fast collects them.
pub(crate) const HOLD: Duration = Duration::from_millis(1);

#[derive(Debug, Default)]
pub(crate) struct Sends {
    due: Vec<StreamId>,
    held: Vec<StreamId>,
    /// When the held streams are due.
    until: Option<Instant>,
}

impl Sends {
    pub(crate) fn push(&mut self, stream: StreamId) {
        self.due.push(stream);
    }

    /// The streams that are due. The caller returns the emptied list with
    /// [`recycle`](Self::recycle).
    pub(crate) fn take(&mut self) -> Vec<StreamId> {
        std::mem::take(&mut self.due)
    }

    /// Takes the emptied list back to reuse its memory.
    pub(crate) fn recycle(&mut self, mut list: Vec<StreamId>) {
        list.clear();
        if self.due.is_empty() {
            self.due = list;
        }
    }

    pub(crate) fn hold(&mut self, stream: StreamId, now: Instant) {
        self.held.push(stream);
        self.until.get_or_insert(now + HOLD);
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.until
    }

    /// Moves the held streams to the due ones once their time has passed.
    pub(crate) fn on_timeout(&mut self, now: Instant) {
        if self.until.is_some_and(|until| until <= now) {
            self.until = None;
            self.due.append(&mut self.held);
        }
    }
}
