//! What a call has queued for sending and the connection has not taken yet. `held` counts
//! the bytes that were put in and are not yet framed, `begun` the framed ones whose memory is
//! still there for the rest of their chunk; `announced` is set once the
//! connection was told that there is something to take, until it takes everything.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::waiter::Waiter;
use crate::call::response_head::Coding;
use crate::call::sends::HOLD;
use crate::metadata::Metadata;
use crate::transport::http2::budget::Budget;
use crate::transport::http2::call_memory::{CallMemory, Reserve, Starving, UNCOUNTED};
use crate::transport::http2::grants::LEAST_PROGRESS;

/// A take of fewer bytes is small. HTTP/2 implementations count small frames and close the
/// connection of a peer that sends many faster than they are read.
const SMALL_TAKE: usize = 256;

/// The most small takes in a burst. Each piece of data received earns one back, and so does
/// every [`HOLD`].
const SMALL_BURST: u32 = 32;

/// What a call takes of its server's memory at once, if that is to be had.
const AT_ONCE: usize = 64 << 10;

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

#[expect(
    clippy::struct_excessive_bools,
    reason = "marks of what has been told and asked"
)]
#[derive(Debug, Default)]
pub(super) struct Outbound {
    /// A response's initial metadata that has not been taken.
    head: Option<Metadata>,
    /// The connection has taken the response's head.
    head_sent: bool,
    chunks: VecDeque<Bytes>,
    buffer: BytesMut,
    /// The bytes of the last chunk that was encoded in place, if it was large and counted.
    usual: usize,
    held: usize,
    /// Where it has memory of its server: the framed bytes of the chunk that is next.
    begun: usize,
    /// Up to so many bytes are held without a question: at most the limit.
    room: usize,
    /// What it has of its server's memory; on a server alone.
    reserve: Option<Reserve>,
    /// Present while the sender waits for some.
    starves: Option<Starving>,
    /// Framed since it was last looked at, while it had some.
    moved: usize,
    /// It had some then.
    is_seen: bool,
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

    /// What it holds counts with a server's memory.
    pub(super) fn counted_with(calls: &Arc<CallMemory>) -> Box<Self> {
        Box::new(Self {
            reserve: Some(Reserve::new(calls)),
            ..Self::default()
        })
    }

    /// Whether fewer than `limit` bytes wait to be framed.
    pub(super) fn has_room(&self, limit: usize) -> bool {
        self.held < limit
    }

    /// Whether so many bytes may be put in without asking further.
    #[inline]
    pub(super) fn fits(&self, length: usize) -> bool {
        self.held + self.begun + length <= self.room
    }

    /// Makes room for so many bytes, where less than `limit` are held and there is memory.
    pub(super) fn make_room(&mut self, length: usize, limit: usize) -> bool {
        self.starves = None;
        if !self.has_room(limit) {
            return false;
        }
        let lacks = (self.kept() + length).saturating_sub(self.reserved());
        if let Some(reserve) = &mut self.reserve
            && lacks > 0
        {
            // At once for those that follow, if that is to be had.
            let ample = limit
                .min(AT_ONCE)
                .saturating_sub(UNCOUNTED + reserve.bytes());
            let found = ample > lacks && reserve.try_take(ample) || reserve.try_take(lacks);
            if !found {
                let starves = reserve.starve(lacks);
                // What came back before it was counted among those that wait was told to
                // nobody.
                if !reserve.try_take(lacks) {
                    self.starves = Some(starves);
                    return false;
                }
            }
        }
        self.room = limit.min(self.reserved());
        true
    }

    /// The bytes whose memory is there.
    fn kept(&self) -> usize {
        self.held + self.begun
    }

    /// What may be held by what it has of memory.
    fn reserved(&self) -> usize {
        let reserve = self.reserve.as_ref();
        reserve.map_or(usize::MAX, |reserve| UNCOUNTED + reserve.bytes())
    }

    /// What was put in without asking counts too.
    #[cold]
    pub(super) fn count(&mut self) {
        let lacks = self.kept().saturating_sub(self.reserved());
        if let Some(reserve) = &mut self.reserve
            && lacks > 0
        {
            reserve.take(lacks);
        }
    }

    /// Whether more is held than there was room for.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.kept() > self.room
    }

    /// Whether the sender waits for memory.
    pub(super) fn starves(&self) -> bool {
        self.starves.is_some()
    }

    /// Whether the sender waited for memory, which it does no more.
    pub(super) fn stop_starving(&mut self) -> bool {
        self.starves.take().is_some()
    }

    /// Whether it has any memory of its server.
    pub(super) fn has_memory(&self) -> bool {
        let reserve = self.reserve.as_ref();
        reserve.is_some_and(|reserve| reserve.bytes() > 0)
    }

    /// Whether it has memory of its server for what it holds, and did not get on since the
    /// last look.
    pub(super) fn look(&mut self) -> bool {
        let moved = std::mem::take(&mut self.moved);
        let has_some = self.held > 0 && self.has_memory();
        let was_seen = std::mem::replace(&mut self.is_seen, has_some);
        was_seen && has_some && moved < LEAST_PROGRESS as usize
    }

    /// All that it has of it, which is another's from now on.
    pub(super) fn surrender(&mut self) -> Option<Reserve> {
        self.room = 0;
        let reserve = self.reserve.as_mut()?;
        (reserve.bytes() > 0).then(|| reserve.split(usize::MAX))
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
        if self.buffer.capacity() == 0 {
            self.buffer.reserve(self.usual);
        }
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

    /// `bytes` of what was taken are now framed, and `begun` of the chunk that is next. Returns
    /// the memory that nothing queued keeps any more.
    #[must_use]
    pub(super) fn framed(&mut self, bytes: usize, begun: usize) -> Option<Reserve> {
        self.held = self.held.saturating_sub(bytes);
        if self.has_memory() {
            return self.free(bytes, begun);
        }
        None
    }

    #[cold]
    fn free(&mut self, bytes: usize, begun: usize) -> Option<Reserve> {
        self.moved += bytes;
        self.begun = begun;
        let kept = self.kept();
        let reserve = self.reserve.as_mut()?;
        let excess = reserve.bytes().saturating_sub(kept);
        if self.held == 0 {
            // What comes next is seen anew.
            self.moved = 0;
            self.is_seen = false;
        } else if excess < AT_ONCE {
            return None;
        }
        let free = reserve.split(excess);
        self.room = self.room.min(self.reserved());
        Some(free)
    }

    /// The memory of a message that did not come, where nothing else is held.
    pub(super) fn surrender_unused(&mut self) -> Option<Reserve> {
        if self.is_empty() && self.has_memory() {
            return self.surrender();
        }
        None
    }

    /// Drops what was not taken, since nobody will read it. Returns its memory of the server.
    pub(super) fn clear(&mut self) -> Option<Reserve> {
        self.chunks.clear();
        self.buffer = BytesMut::new();
        self.starves = None;
        self.surrender()
    }

    /// Turns the bytes encoded in place into a chunk of the queue.
    fn flush(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        let chunk = if self.reserve.is_some() && self.buffer.capacity() > UNCOUNTED {
            self.split_apart()
        } else {
            self.buffer.split().freeze()
        };
        self.chunks.push_back(chunk);
    }

    /// The same with a buffer that no other chunk has a part of: a few bytes would keep all
    /// of it.
    #[cold]
    fn split_apart(&mut self) -> Bytes {
        let buffer = std::mem::take(&mut self.buffer);
        self.usual = buffer.len();
        if buffer.len() < buffer.capacity() / 2 {
            Bytes::copy_from_slice(&buffer)
        } else {
            buffer.freeze()
        }
    }
}

#[cfg(test)]
mod tests;
