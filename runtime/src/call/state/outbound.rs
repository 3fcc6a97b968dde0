//! What a call has queued for sending and the connection has not taken yet. `held` counts
//! the bytes that were put in and are not yet framed; `announced` is set once the
//! connection was told that there is something to take, until it takes everything.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::waiter::Waiter;
use crate::call::response_head::Coding;
use crate::call::sends::HOLD;
use crate::metadata::Metadata;
use crate::transport::http2::budget::Budget;

/// A take of fewer bytes is small. HTTP/2 implementations count small frames and close the
/// connection of a peer that sends many faster than they are read.
const SMALL_TAKE: usize = 256;

/// The most small takes in a burst. Each piece of data received earns one back, and so does
/// every [`HOLD`].
const SMALL_BURST: u32 = 32;

/// What the connection takes from the sending half at once.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    pub(crate) head: Option<Metadata>,
    /// The compression fields of the head.
    pub(crate) coding: Coding,
    pub(crate) chunks: VecDeque<Bytes>,
    /// The number of messages in `chunks`.
    pub(crate) messages: u32,
    pub(crate) end: bool,
}

#[derive(Debug, Default)]
pub(super) struct Outbound {
    /// A response's initial metadata that has not been taken.
    head: Option<Metadata>,
    /// The connection has taken the response's head.
    head_sent: bool,
    chunks: VecDeque<Bytes>,
    buffer: BytesMut,
    held: usize,
    /// The messages put in since the connection last took any.
    messages: u32,
    finished: bool,
    announced: bool,
    /// Limits small takes; created with the first one.
    pace: Option<Budget>,
    pub(super) sender: Waiter,
}

impl Outbound {
    // --- the application's side --------------------------------------------------

    /// Whether fewer than `limit` bytes wait to be framed.
    pub(super) fn has_room(&self, limit: usize) -> bool {
        self.held < limit
    }

    /// Whether nothing waits to be framed.
    pub(super) fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Whether the head was taken, or a message or end is queued that takes it along.
    pub(super) fn has_begun(&self) -> bool {
        self.head_sent || self.held > 0 || self.finished
    }

    /// Sets a response's initial metadata, before anything was sent.
    pub(super) fn put_head(&mut self, head: Metadata) {
        self.head = Some(head);
    }

    /// The head is sent with the next take, with its present content.
    pub(super) fn need_head(&mut self) {
        self.head.get_or_insert_default();
    }

    /// Writes a message of `length` bytes into the buffer.
    pub(super) fn encode(&mut self, length: usize, encode: impl FnOnce(&mut BytesMut)) {
        encode(&mut self.buffer);
        self.held += length;
        self.messages += 1;
    }

    /// Queues a message as its own chunk.
    pub(super) fn put_chunk(&mut self, message: Bytes) {
        self.flush();
        self.held += message.len();
        self.messages += 1;
        self.chunks.push_back(message);
    }

    pub(super) fn finish(&mut self) {
        self.finished = true;
    }

    /// Whether the connection must be told that there is something to take.
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

    /// Like [`take`](Self::take), but `None` if small messages come so fast that they are
    /// collected first.
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

    /// Everything that was put in since the last take.
    pub(super) fn take(&mut self, coding: Coding) -> Outgoing {
        self.announced = false;
        self.flush();
        let head = self.head.take();
        // The head goes out with the first message.
        self.head_sent |= head.is_some() || !self.chunks.is_empty();
        Outgoing {
            head,
            coding,
            chunks: std::mem::take(&mut self.chunks),
            messages: std::mem::take(&mut self.messages),
            end: std::mem::take(&mut self.finished),
        }
    }

    /// `bytes` of what was taken are now framed.
    pub(super) fn framed(&mut self, bytes: usize) {
        self.held = self.held.saturating_sub(bytes);
    }

    /// Drops what was not taken, since nobody will read it.
    pub(super) fn clear(&mut self) {
        self.chunks.clear();
        self.buffer = BytesMut::new();
    }

    /// Turns the bytes encoded in place into a chunk of the queue.
    fn flush(&mut self) {
        if !self.buffer.is_empty() {
            let chunk = self.buffer.split().freeze();
            self.chunks.push_back(chunk);
        }
    }
}

#[cfg(test)]
mod tests;
