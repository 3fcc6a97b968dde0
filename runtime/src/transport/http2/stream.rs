//! One stream's state: RFC 9113 section 5.1, as two halves that end on their own.
//!
//! ```text
//!            local_open  remote_open
//! open           yes         yes
//! half-closed    one of the two
//! closed         no          no       → taken out of the table
//! ```

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::time::Instant;

use bytes::Bytes;

use super::event::StreamId;
use super::fields::Fields;
use super::flow::{ReceiveWindow, SendWindow};

/// No length was announced: larger than any length.
const ANY_LENGTH: u64 = u64::MAX;

/// How the local half ends once the queue is empty.
#[derive(Debug)]
pub(crate) enum StreamEnd {
    /// With END_STREAM on the last DATA frame.
    Data,
    /// With a header block.
    Trailers(Box<Fields>),
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "two halves that end on their own, and marks"
)]
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) local_open: bool,
    pub(crate) remote_open: bool,
    /// The peer's first (final) header block has arrived.
    pub(crate) head_received: bool,
    /// Our first header block has been sent.
    pub(crate) head_sent: bool,
    /// Some of the peer's body has been received.
    pub(crate) body_begun: bool,
    pub(crate) opened: Instant,
    /// The remaining bytes of a body whose length was announced.
    body_left: u64,
    pub(crate) receive: ReceiveWindow,
    /// The message that arrives is held until the stream ends, not only until it is complete.
    pub(crate) to_end: bool,
    pub(crate) send: SendWindow,
    /// The body bytes to send next. Separate from the rest, since most streams queue one
    /// chunk at a time and then need no memory for more. Invariant: empty only if `rest` is.
    front: Bytes,
    #[expect(clippy::box_collection, reason = "most streams never have any")]
    rest: Option<Box<VecDeque<Bytes>>>,
    /// The bytes that were before `front` in its chunk.
    begun: u32,
    /// The bytes in `front` and `rest`.
    queued: usize,
    pub(crate) end: Option<StreamEnd>,
    /// The stream is in the connection's ready queue, at most once.
    pub(crate) scheduled: bool,
}

impl Stream {
    pub(crate) fn new(receive_window: u32, send_window: u32, now: Instant) -> Self {
        Self {
            local_open: true,
            remote_open: true,
            head_received: false,
            head_sent: false,
            body_begun: false,
            opened: now,
            body_left: ANY_LENGTH,
            receive: ReceiveWindow::new(receive_window),
            to_end: false,
            send: SendWindow::new(send_window),
            front: Bytes::new(),
            rest: None,
            begun: 0,
            queued: 0,
            end: None,
            scheduled: false,
        }
    }

    /// The peer's head has announced the length of its body.
    pub(crate) fn expect_body(&mut self, length: u64) {
        self.body_left = length;
    }

    /// Counts a piece of the peer's body, and its end; `false` if that contradicts the
    /// announced length (RFC 9113 section 8.1.1).
    #[inline]
    pub(crate) fn take_body(&mut self, length: usize, ends: bool) -> bool {
        if self.body_left == ANY_LENGTH {
            return true;
        }
        match self.body_left.checked_sub(length as u64) {
            Some(left) => {
                self.body_left = left;
                !ends || left == 0
            }
            None => false,
        }
    }

    pub(crate) fn queued(&self) -> usize {
        self.queued
    }

    /// The bytes of the first chunk that were dequeued: the rest keeps all of its memory.
    pub(crate) fn begun(&self) -> usize {
        self.begun as usize
    }

    /// The bytes of all chunks that are not dequeued to the last byte.
    pub(crate) fn held(&self) -> usize {
        self.queued + self.begun()
    }

    pub(crate) fn enqueue(&mut self, data: Bytes) {
        if data.is_empty() {
            return;
        }
        self.queued += data.len();
        if self.front.is_empty() {
            self.front = data;
        } else {
            self.rest.get_or_insert_default().push_back(data);
        }
    }

    /// Takes up to `limit` bytes off the front, within one chunk; `true` if they are the end
    /// of a larger chunk.
    pub(crate) fn dequeue(&mut self, limit: usize) -> (Bytes, bool) {
        let (piece, ends_larger) = if self.front.len() <= limit {
            let next = self.rest.as_mut().and_then(|rest| rest.pop_front());
            let last = std::mem::replace(&mut self.front, next.unwrap_or_default());
            (last, std::mem::take(&mut self.begun) > 0)
        } else {
            self.begun = self.begun.saturating_add(limit as u32);
            (self.front.split_to(limit), false)
        };
        self.queued -= piece.len();
        (piece, ends_larger)
    }

    /// Whether memory is reserved for a message that is incomplete.
    pub(crate) fn is_filling(&self) -> bool {
        self.receive.is_filling(self.to_end)
    }

    /// Whether this many bytes, at least one, could be framed now with nothing before them,
    /// if the connection's window is open.
    pub(crate) fn sends_at_once(&self, bytes: usize) -> bool {
        let idle = self.queued == 0 && self.end.is_none();
        self.local_open && idle && (1..=self.send.available()).contains(&bytes)
    }

    /// Whether something could be framed now, if the connection's window is open.
    pub(crate) fn sendable(&self) -> bool {
        if self.queued > 0 {
            self.send.available() > 0
        } else {
            self.end.is_some()
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        !self.local_open && !self.remote_open
    }
}

/// Stream identifiers are small integers that the peer cannot choose freely (they must
/// increase), so one multiplication distributes them well enough.
#[derive(Default)]
pub(crate) struct StreamIdHasher(u64);

impl Hasher for StreamIdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, id: u32) {
        self.0 = (self.0 ^ u64::from(id >> 1))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(26);
    }
}

/// A map by stream identifier.
pub(crate) type StreamMap<T> = HashMap<StreamId, T, BuildHasherDefault<StreamIdHasher>>;

/// Frees the memory that a burst of streams needed.
#[inline]
pub(crate) fn shrink<T>(map: &mut StreamMap<T>) {
    const KEPT: usize = 112;
    if map.capacity() > KEPT && map.len() < map.capacity() / 8 {
        map.shrink_to(2 * map.len());
    }
}

#[cfg(test)]
mod tests;
