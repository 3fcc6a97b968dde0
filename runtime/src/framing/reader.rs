//! Messages out of the chunks of a stream's body. It holds only what was pushed, reserves
//! little from an announced length, and keeps no read buffer alive for a message that is not
//! complete.

use std::collections::VecDeque;
use std::mem;

use bytes::{Buf, Bytes, BytesMut};
use prost::Message;

use super::decode::{decode_message, decode_slice};
use super::payload::Payload;
use super::{Compression, FramingError, PREFIX_LEN};
use crate::spare;

/// How many times larger than what has come of a message the memory for all of
/// it may be: its length is the peer's word, its bytes are the peer's effort. A
/// first frame of the usual 16 KiB makes room for a message of 2 MiB. Pages that
/// nothing is written to are not there yet, and memory that grows in steps leaves
/// holes.
const RESERVED: usize = 128;

/// Cuts the body of a stream into messages.
///
/// ```text
/// push → [ gathered | front | rest … ] → next
///          copied     slices of what
///          together   was pushed
/// ```
///
/// A message that lies whole in a chunk is a slice of it. The parts of any other
/// are copied together as they come: the read buffers they came in are free for
/// the next read while they are still in the processor's cache, and the message
/// is one piece when it is complete.
///
/// The message at hand is complete or [`next`](Self::next) says `None`. After
/// `None` all that is [`buffered`](Self::buffered) belongs to one message that is
/// not complete: its bytes must be given back to the peer's flow control then,
/// or a message above the window could never complete.
#[derive(Debug, Default)]
pub(crate) struct MessageReader {
    /// The first bytes of the body at hand, or of a prefix.
    gathered: BytesMut,
    /// Invariant: empty only if `rest` is.
    front: Bytes,
    /// Holds no empty chunk.
    rest: VecDeque<Bytes>,
    /// The bytes in `gathered`, `front` and `rest`.
    buffered: usize,
    /// The length of the message at hand, once its prefix is read.
    body: Option<usize>,
    /// Whether that message is compressed.
    compressed: bool,
    /// What the call's messages are compressed with where they are.
    encoding: Compression,
    /// A message that is not larger than this has all of its memory from the first.
    room: usize,
}

impl MessageReader {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Takes what the call's head says of its messages; identity until then.
    pub(crate) fn set_encoding(&mut self, encoding: Compression) {
        self.encoding = encoding;
    }

    /// Says how large a message may be to have all of its memory from the first; that
    /// of a larger one grows with what has come.
    pub(crate) fn set_room(&mut self, room: usize) {
        self.room = room;
    }

    /// Takes the next chunk of the stream.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        self.buffered += chunk.len();
        if self.front.is_empty() {
            self.front = chunk;
        } else if !chunk.is_empty() {
            self.rest.push_back(chunk);
        }
    }

    /// The next message, or `None` until more is pushed. `limit` is the largest
    /// body to accept, compressed or not; it is checked as soon as the prefix is there.
    ///
    /// An error is final: it comes again however often this is called.
    pub(crate) fn next(&mut self, limit: usize) -> Result<Option<Payload>, FramingError> {
        let size = self.body_size(limit)?;
        let wanted = size.unwrap_or(PREFIX_LEN);
        if size.is_none() || self.buffered < wanted {
            self.gather(self.buffered, wanted);
            return Ok(None);
        }
        self.body = None;
        self.buffered -= wanted;
        if self.room == usize::MAX {
            // That was for this message alone.
            self.room = 0;
        }
        let payload = Payload::from(self.take(wanted));
        Ok(Some(if self.compressed {
            payload.compressed(self.encoding, limit)
        } else {
            payload
        }))
    }

    /// The next message, decoded, the bytes that its body came in, and whether
    /// they were compressed; `None` until more is pushed. `limit` and errors are as in [`next`](Self::next),
    /// and it is as final that a body cannot be decoded.
    ///
    /// Most messages of a stream lie whole in what was received: they are read
    /// right there.
    pub(crate) fn next_message<M: Message + Default>(
        &mut self,
        limit: usize,
    ) -> Result<Option<(M, usize, Option<usize>)>, FramingError> {
        if let Some(size) = self.whole_at_front(limit) {
            let body = PREFIX_LEN..PREFIX_LEN + size;
            let message = decode_slice(&self.front, body)?;
            self.front.advance(PREFIX_LEN + size);
            self.buffered -= PREFIX_LEN + size;
            self.refill_front();
            return Ok(Some((message, size, None)));
        }
        let Some(payload) = self.next(limit)? else {
            return Ok(None);
        };
        let (wire_size, is_compressed) = (payload.len(), payload.is_compressed());
        let (message, size) = decode_message(payload)?;
        Ok(Some((message, wire_size, is_compressed.then_some(size))))
    }

    /// The size of the next body, where it lies in `front` with its prefix and is
    /// nothing but a message.
    #[inline]
    fn whole_at_front(&self, limit: usize) -> Option<usize> {
        if self.body.is_some() || !self.gathered.is_empty() {
            return None;
        }
        let [flag, length @ ..] = self.front.first_chunk::<PREFIX_LEN>()?;
        let size = u32::from_be_bytes(*length) as usize;
        let whole = *flag == 0 && size <= limit && size <= self.front.len() - PREFIX_LEN;
        whole.then_some(size)
    }

    /// Whether the stream may end here: to be asked after `next` gave `None`.
    pub(crate) fn finish(&self) -> Result<(), FramingError> {
        let received = self.buffered;
        match self.body {
            Some(size) => Err(FramingError::TruncatedBody { received, size }),
            None if received > 0 => Err(FramingError::TruncatedPrefix { received }),
            None => Ok(()),
        }
    }

    /// How many pushed bytes no message has been made of yet. Prefixes that were
    /// read are not among them.
    pub(crate) fn buffered(&self) -> usize {
        self.buffered
    }

    /// The size of the message at hand, counted from the first buffered byte, once
    /// its prefix has told it; 0 before that.
    pub(crate) fn awaited_size(&self) -> usize {
        self.body.unwrap_or(0)
    }

    /// The length of the body at hand, once its prefix is there and acceptable.
    fn body_size(&mut self, limit: usize) -> Result<Option<usize>, FramingError> {
        if self.body.is_some() {
            return Ok(self.body);
        }
        if self.buffered < PREFIX_LEN {
            return Ok(None);
        }
        let [flag, length @ ..] = self.peek_prefix();
        let compressed = match flag {
            0 => false,
            1 if self.encoding.is_identity() => return Err(FramingError::Compressed),
            1 => true,
            flag => return Err(FramingError::Flag(flag)),
        };
        let size = u32::from_be_bytes(length) as usize;
        if size > limit {
            return Err(FramingError::ReceiveTooLarge { size, limit });
        }
        self.take(PREFIX_LEN);
        self.buffered -= PREFIX_LEN;
        self.compressed = compressed;
        self.body = Some(size);
        Ok(self.body)
    }

    /// The first bytes of at least as many.
    fn peek_prefix(&self) -> [u8; PREFIX_LEN] {
        let mut prefix = [0; PREFIX_LEN];
        let chunks = self.front.iter().chain(self.rest.iter().flatten());
        for (byte, received) in prefix.iter_mut().zip(self.gathered.iter().chain(chunks)) {
            *byte = *received;
        }
        prefix
    }

    /// The first `size` bytes of at least as many.
    fn take(&mut self, size: usize) -> Bytes {
        if self.gathered.is_empty() && self.front.len() >= size {
            return self.take_front(size);
        }
        self.gather(size, size);
        mem::take(&mut self.gathered).freeze()
    }

    /// Copies together the first `count` bytes of what will be `size`.
    fn gather(&mut self, count: usize, size: usize) {
        while self.gathered.len() < count {
            let piece = self.take_front(count - self.gathered.len());
            self.reserve(piece.len(), size);
            self.gathered.extend_from_slice(&piece);
        }
    }

    /// Makes room for `more` bytes of what will be `size`.
    fn reserve(&mut self, more: usize, size: usize) {
        let length = self.gathered.len() + more;
        if length > self.gathered.capacity() {
            let factor = if size <= self.room { RESERVED } else { 2 };
            let mut room = spare::take(length.saturating_mul(factor).min(size));
            room.extend_from_slice(&self.gathered);
            spare::keep(mem::replace(&mut self.gathered, room).freeze());
        }
    }

    /// At most `count` bytes from the front, of one chunk.
    fn take_front(&mut self, count: usize) -> Bytes {
        if count < self.front.len() {
            return self.front.split_to(count);
        }
        let piece = mem::take(&mut self.front);
        self.refill_front();
        piece
    }

    fn refill_front(&mut self) {
        if self.front.is_empty() {
            self.front = self.rest.pop_front().unwrap_or_default();
        }
    }
}

/// The message of a body that is one message, whole and plain: what nearly every
/// unary request is. Any other body is given back, for a [`MessageReader`] to
/// judge.
pub(crate) fn sole_message(mut body: Bytes, limit: usize) -> Result<Payload, Bytes> {
    let Some(&[0, length @ ..]) = body.first_chunk::<PREFIX_LEN>() else {
        return Err(body);
    };
    let size = u32::from_be_bytes(length) as usize;
    if size > limit || body.len() - PREFIX_LEN != size {
        return Err(body);
    }
    body.advance(PREFIX_LEN);
    Ok(body.into())
}

#[cfg(test)]
mod tests;
