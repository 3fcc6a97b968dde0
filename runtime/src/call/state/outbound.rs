//! What a call sends and the connection has not taken yet. `held` counts the
//! bytes that were put in and are not yet framed; the connection is told once of
//! all that it will find (`announced`).

use std::collections::VecDeque;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::waiter::Waiter;
use crate::call::response_head::Coding;
use crate::call::sends::HOLD;
use crate::metadata::Metadata;
use crate::transport::http2::budget::Budget;

/// A take below this is small: HTTP/2 implementations count such frames and close
/// the connection of a peer that sends many faster than they are read.
const SMALL_TAKE: usize = 256;

/// Small takes that a call may have in a burst; each piece of data received earns
/// one back, and so does every [`HOLD`].
const SMALL_BURST: u32 = 32;

/// What the connection takes from the sending side in one go.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    pub(crate) head: Option<Metadata>,
    /// What the head has to say of the messages.
    pub(crate) coding: Coding,
    pub(crate) chunks: VecDeque<Bytes>,
    /// How many messages the chunks hold.
    pub(crate) messages: u32,
    pub(crate) end: bool,
}

#[derive(Debug, Default)]
pub(super) struct Outbound {
    /// A response's initial metadata that waits to be sent.
    head: Option<Metadata>,
    /// The response's head is with the connection.
    head_sent: bool,
    chunks: VecDeque<Bytes>,
    buffer: BytesMut,
    held: usize,
    /// Those that were put in since the connection took any.
    messages: u32,
    finished: bool,
    announced: bool,
    /// Paces small takes; made with the first of them.
    pace: Option<Budget>,
    pub(super) sender: Waiter,
}

impl Outbound {
    // --- the application's side --------------------------------------------------

    /// Whether less than `limit` bytes wait to be framed.
    pub(super) fn has_room(&self, limit: usize) -> bool {
        self.held < limit
    }

    /// Whether nothing waits to be framed.
    pub(super) fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// A head has gone, or a message or an end that takes it along is queued.
    pub(super) fn has_begun(&self) -> bool {
        self.head_sent || self.held > 0 || self.finished
    }

    /// A response's initial metadata, of which nothing has gone.
    pub(super) fn put_head(&mut self, head: Metadata) {
        self.head = Some(head);
    }

    /// The head goes with the next take, whatever it says.
    pub(super) fn need_head(&mut self) {
        self.head.get_or_insert_default();
    }

    /// A message of `length` bytes that is written in place.
    pub(super) fn encode(&mut self, length: usize, encode: impl FnOnce(&mut BytesMut)) {
        encode(&mut self.buffer);
        self.held += length;
        self.messages += 1;
    }

    /// A message that is a chunk of its own.
    pub(super) fn put_chunk(&mut self, message: Bytes) {
        self.flush();
        self.held += message.len();
        self.messages += 1;
        self.chunks.push_back(message);
    }

    pub(super) fn finish(&mut self) {
        self.finished = true;
    }

    /// Whether the connection has to be told that there is something to take.
    pub(super) fn announce(&mut self) -> bool {
        !std::mem::replace(&mut self.announced, true)
    }

    // --- the connection's side ---------------------------------------------------

    /// Something was received.
    pub(super) fn earn(&mut self) {
        if let Some(pace) = &mut self.pace {
            pace.earn(1);
        }
    }

    /// As [`take`](Self::take), or nothing where small messages come so fast that
    /// they should gather first.
    pub(super) fn take_when_due(&mut self, coding: Coding, now: Instant) -> Option<Outgoing> {
        let small = self.chunks.is_empty()
            && (1..SMALL_TAKE).contains(&self.buffer.len())
            && !self.finished;
        let pace = self
            .pace
            .get_or_insert_with(|| Budget::new(SMALL_BURST, HOLD, now));
        if small && !pace.spend(now) {
            return None;
        }
        Some(self.take(coding))
    }

    /// Everything that was put in since the last time.
    pub(super) fn take(&mut self, coding: Coding) -> Outgoing {
        self.announced = false;
        self.flush();
        let head = self.head.take();
        // The first message takes the head along.
        self.head_sent |= head.is_some() || !self.chunks.is_empty();
        Outgoing {
            head,
            coding,
            chunks: std::mem::take(&mut self.chunks),
            messages: std::mem::take(&mut self.messages),
            end: std::mem::take(&mut self.finished),
        }
    }

    /// `bytes` of what was taken are framed.
    pub(super) fn framed(&mut self, bytes: usize) {
        self.held = self.held.saturating_sub(bytes);
    }

    /// Drops what was not taken: nobody will read it.
    pub(super) fn clear(&mut self) {
        self.chunks.clear();
        self.buffer = BytesMut::new();
    }

    /// Bytes encoded in place become a chunk of the queue.
    fn flush(&mut self) {
        if !self.buffer.is_empty() {
            let chunk = self.buffer.split().freeze();
            self.chunks.push_back(chunk);
        }
    }
}

#[cfg(test)]
mod tests;
