//! Messages out of the chunks of a stream's body. It must never hold more than
//! what was pushed, reserve anything from a length it was told, or keep a large
//! read buffer alive for a few bytes.

use std::collections::VecDeque;
use std::mem;

use bytes::{Buf, Bytes, BytesMut};
use prost::Message;

use super::payload::{Payload, decode_message, decode_slice};
use super::{Compression, FramingError, PREFIX_LEN, SMALL};

/// Cuts the body of a stream into messages.
///
/// ```text
/// push → [ front | rest … | tail ] → next
///          slices of what   small chunks,
///          was pushed       copied together
/// ```
///
/// The message at hand is complete or [`next`](Self::next) says `None`. After
/// `None` all that is [`buffered`](Self::buffered) belongs to one message that is
/// not complete: its bytes must be given back to the peer's flow control then,
/// or a message above the window could never complete.
#[derive(Debug, Default)]
pub(crate) struct MessageReader {
    /// Invariant: empty only if `rest` is.
    front: Bytes,
    /// Holds no empty chunk.
    rest: VecDeque<Bytes>,
    tail: BytesMut,
    /// The bytes in `front`, `rest` and `tail`.
    buffered: usize,
    /// The length of the message at hand, once its prefix is read.
    body: Option<usize>,
    /// Whether that message is compressed.
    compressed: bool,
    /// What the call's messages are compressed with where they are.
    encoding: Compression,
}

impl MessageReader {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Takes what the call's head says of its messages; identity until then.
    pub(crate) fn set_encoding(&mut self, encoding: Compression) {
        self.encoding = encoding;
    }

    /// Takes the next chunk of the stream.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        if self.buffered == 0 {
            self.buffered = chunk.len();
            self.front = chunk;
            return;
        }
        self.buffered += chunk.len();
        if chunk.len() < SMALL {
            self.tail.extend_from_slice(&chunk);
        } else {
            self.seal_tail();
            self.append(chunk);
        }
    }

    /// The next message, or `None` until more is pushed. `limit` is the largest
    /// body to accept, compressed or not; it is checked as soon as the prefix is there.
    ///
    /// An error is final: it comes again however often this is called.
    pub(crate) fn next(&mut self, limit: usize) -> Result<Option<Payload>, FramingError> {
        let Some(size) = self.body_size(limit)? else {
            self.unpin();
            return Ok(None);
        };
        if self.buffered < size {
            self.unpin();
            return Ok(None);
        }
        self.body = None;
        let payload = self.take(size);
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
    ) -> Result<Option<(M, usize, bool)>, FramingError> {
        if let Some(size) = self.whole_at_front(limit) {
            let body = PREFIX_LEN..PREFIX_LEN + size;
            let message = decode_slice(&self.front, body)?;
            self.front.advance(PREFIX_LEN + size);
            self.buffered -= PREFIX_LEN + size;
            self.refill_front();
            return Ok(Some((message, size, false)));
        }
        let Some(payload) = self.next(limit)? else {
            return Ok(None);
        };
        let message = decode_message(&payload)?;
        Ok(Some((message, payload.len(), payload.is_compressed())))
    }

    /// The size of the next body, where it lies in `front` with its prefix and is
    /// nothing but a message.
    #[inline]
    fn whole_at_front(&self, limit: usize) -> Option<usize> {
        if self.body.is_some() {
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

    /// The length of the body at hand, once its prefix is there and acceptable.
    fn body_size(&mut self, limit: usize) -> Result<Option<usize>, FramingError> {
        if self.body.is_some() {
            return Ok(self.body);
        }
        let Some([flag, length @ ..]) = self.peek_prefix() else {
            return Ok(None);
        };
        self.compressed = match flag {
            0 => false,
            1 if self.encoding.is_identity() => return Err(FramingError::Compressed),
            1 => true,
            flag => return Err(FramingError::Flag(flag)),
        };
        let size = u32::from_be_bytes(length) as usize;
        if size > limit {
            return Err(FramingError::ReceiveTooLarge { size, limit });
        }
        self.drop_prefix();
        self.body = Some(size);
        Ok(self.body)
    }

    fn peek_prefix(&self) -> Option<[u8; PREFIX_LEN]> {
        if let Some(prefix) = self.front.first_chunk() {
            return Some(*prefix);
        }
        if self.buffered < PREFIX_LEN {
            return None;
        }
        let mut prefix = [0; PREFIX_LEN];
        let chunks = self.front.iter().chain(self.rest.iter().flatten());
        for (byte, received) in prefix.iter_mut().zip(chunks.chain(&self.tail)) {
            *byte = *received;
        }
        Some(prefix)
    }

    fn drop_prefix(&mut self) {
        self.buffered -= PREFIX_LEN;
        let mut left = PREFIX_LEN;
        while left > 0 && !self.front.is_empty() {
            let count = left.min(self.front.len());
            self.front.advance(count);
            left -= count;
            self.refill_front();
        }
        self.tail.advance(left);
    }

    /// Takes a body that is all there.
    fn take(&mut self, size: usize) -> Payload {
        self.buffered -= size;
        if self.front.len() < size {
            self.seal_tail();
        }
        if self.front.len() >= size {
            return self.take_front(size).into();
        }
        if size < SMALL {
            // One small copy costs less than a chain does.
            let mut joined = BytesMut::with_capacity(size);
            while joined.len() < size {
                let piece = self.take_front(size - joined.len());
                joined.extend_from_slice(&piece);
            }
            return joined.freeze().into();
        }
        let mut pieces = VecDeque::with_capacity(self.rest.len() + 1);
        let mut left = size;
        while left > 0 {
            let piece = self.take_front(left);
            left -= piece.len();
            pieces.push_back(piece);
        }
        Payload::chain(pieces)
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

    fn append(&mut self, chunk: Bytes) {
        if self.front.is_empty() {
            self.front = chunk;
        } else {
            self.rest.push_back(chunk);
        }
    }

    /// Makes the copied bytes a chunk like the others.
    fn seal_tail(&mut self) {
        if !self.tail.is_empty() {
            let sealed = self.tail.split().freeze();
            self.append(sealed);
        }
    }

    /// Copies a few bytes that have to wait, and lets go of what they lie in.
    fn unpin(&mut self) {
        let alone = self.rest.is_empty() && self.tail.is_empty();
        if alone && !self.front.is_empty() && self.front.len() < SMALL {
            self.tail.extend_from_slice(&self.front);
            self.front = Bytes::new();
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
#[path = "reader_tests.rs"]
mod tests;
