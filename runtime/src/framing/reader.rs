//! Cuts the chunks of a stream's body into messages. It holds only what was pushed, reserves
//! little memory for an announced length, and keeps no read buffer alive for an incomplete
//! message.

use std::collections::VecDeque;
use std::mem;

use bytes::{Buf, Bytes, BytesMut};
use prost::Message;

use super::decode::{decode_message, decode_slice};
use super::payload::Payload;
use super::{Compression, FramingError, PREFIX_LEN};
use crate::spare;

/// The largest ratio of the memory reserved for a message to the bytes of it that have come,
/// since the announced length costs the peer nothing. A first frame of the usual 16 KiB
/// reserves up to 2 MiB. The system does not back pages that are not written to, and
/// reserving in smaller steps would fragment memory.
const RESERVED: usize = 128;

/// Fewer bytes than this that are left behind a message are copied, since they may be a slice
/// of a read buffer of 64 KiB, and their reader may not come back.
const LITTLE: usize = 1 << 10;

/// Cuts the body of a stream into messages.
///
/// ```text
/// push → [ gathered | front | rest … ] → next
///          copied     slices of what
///          together   was pushed
/// ```
///
/// A message that is complete within one chunk is a slice of it. The parts of any other
/// message are copied together as they arrive: their read buffers are free for the next read
/// while still in the processor's cache, and the complete message is one piece.
///
/// [`next`](Self::next) returns `None` while the current message is incomplete. All
/// [`buffered`](Self::buffered) bytes belong to that message then. The caller must give them
/// back to the peer's flow control, otherwise a message larger than the window never
/// completes.
#[derive(Debug, Default)]
pub(crate) struct MessageReader {
    /// The first bytes of the current body, or of a prefix.
    gathered: BytesMut,
    /// Invariant: empty only if `rest` is.
    front: Bytes,
    /// Holds no empty chunk.
    rest: VecDeque<Bytes>,
    /// The bytes in `gathered`, `front` and `rest`.
    buffered: usize,
    /// `front` is all that is left, and its own.
    is_copied: bool,
    /// The length of the current message, once its prefix is read.
    body: Option<usize>,
    /// Whether the current message is compressed.
    compressed: bool,
    /// The encoding of the call's compressed messages.
    encoding: Compression,
    /// A message of at most this size gets all of its memory at once.
    room: usize,
}

impl MessageReader {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Sets the encoding from the call's head; identity by default.
    pub(crate) fn set_encoding(&mut self, encoding: Compression) {
        self.encoding = encoding;
    }

    /// Sets the size up to which a message gets all of its memory at once; that of a larger
    /// message grows with the received bytes.
    pub(crate) fn set_room(&mut self, room: usize) {
        self.room = room;
    }

    /// Takes the next chunk of the stream.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        self.buffered += chunk.len();
        self.is_copied = false;
        if self.front.is_empty() {
            self.front = chunk;
        } else if !chunk.is_empty() {
            self.rest.push_back(chunk);
        }
    }

    /// The next message, or `None` until more is pushed. `limit` is the largest
    /// body to accept, compressed or not; it is checked as soon as the prefix is there.
    ///
    /// An error is final: later calls return it again.
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
            // `room` is for this message only.
            self.room = 0;
        }
        let payload = Payload::from(self.take(wanted));
        self.unpin();
        Ok(Some(if self.compressed {
            payload.compressed(self.encoding, limit)
        } else {
            payload
        }))
    }

    /// The next message, decoded, the size of its body as received and, if it was
    /// compressed, its decompressed size; `None` until more is pushed. `limit` and errors
    /// are as in [`next`](Self::next); an error of decoding is final too.
    ///
    /// Most messages of a stream are complete within one chunk and are decoded in place.
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
            self.unpin();
            return Ok(Some((message, size, None)));
        }
        let Some(payload) = self.next(limit)? else {
            return Ok(None);
        };
        let (wire_size, is_compressed) = (payload.len(), payload.is_compressed());
        let (message, size) = decode_message(payload)?;
        Ok(Some((message, wire_size, is_compressed.then_some(size))))
    }

    /// The size of the next body, if it is in `front` with its prefix and is not compressed.
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

    /// Whether the stream may end here. Call it after `next` returned `None`.
    pub(crate) fn finish(&self) -> Result<(), FramingError> {
        let received = self.buffered;
        match self.body {
            Some(size) => Err(FramingError::TruncatedBody { received, size }),
            None if received > 0 => Err(FramingError::TruncatedPrefix { received }),
            None => Ok(()),
        }
    }

    /// The number of pushed bytes that are not part of a returned message, without prefixes
    /// that were read.
    pub(crate) fn buffered(&self) -> usize {
        self.buffered
    }

    /// The size of the current message, counted from the first buffered byte; 0 until its
    /// prefix has been read.
    pub(crate) fn awaited_size(&self) -> usize {
        self.body.unwrap_or(0)
    }

    /// The length of the current body, once its prefix has come and is valid.
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

    /// The first bytes; at least that many are buffered.
    fn peek_prefix(&self) -> [u8; PREFIX_LEN] {
        let mut prefix = [0; PREFIX_LEN];
        let chunks = self.front.iter().chain(self.rest.iter().flatten());
        for (byte, received) in prefix.iter_mut().zip(self.gathered.iter().chain(chunks)) {
            *byte = *received;
        }
        prefix
    }

    /// Takes the first `size` bytes; at least that many are buffered.
    fn take(&mut self, size: usize) -> Bytes {
        if self.gathered.is_empty() && self.front.len() >= size {
            return self.take_front(size);
        }
        self.gather(size, size);
        mem::take(&mut self.gathered).freeze()
    }

    /// Copies the first `count` bytes to `gathered`, for a body of `size` bytes.
    fn gather(&mut self, count: usize, size: usize) {
        while self.gathered.len() < count {
            let piece = self.take_front(count - self.gathered.len());
            self.reserve(piece.len(), size);
            self.gathered.extend_from_slice(&piece);
        }
    }

    /// Makes room for `more` bytes of a body of `size` bytes.
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

    /// A message was taken: a little that is left keeps nothing of what it was read with.
    #[inline]
    fn unpin(&mut self) {
        if (1..LITTLE).contains(&self.buffered) && !self.is_copied {
            self.copy_rest();
        }
    }

    #[inline(never)]
    fn copy_rest(&mut self) {
        let mut copy = BytesMut::with_capacity(self.buffered);
        copy.extend_from_slice(&mem::take(&mut self.front));
        for chunk in self.rest.drain(..) {
            copy.extend_from_slice(&chunk);
        }
        self.front = copy.freeze();
        self.is_copied = true;
    }

    fn refill_front(&mut self) {
        if self.front.is_empty() {
            self.front = self.rest.pop_front().unwrap_or_default();
        }
    }
}

/// The message of a body that is exactly one uncompressed message, as in most unary
/// requests. Any other body is returned, for a [`MessageReader`].
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
