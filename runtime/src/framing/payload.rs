//! The body of one received message, in the pieces that it arrived in.

use std::collections::{VecDeque, vec_deque};
use std::ops::Range;

use bytes::{Buf, Bytes};

use super::encoding::Compression;

/// Received payloads below this size are copied when they have to wait, since they may be a
/// slice of a read buffer of 64 KiB. A larger one keeps at most four times its size.
const SMALL: usize = 16 << 10;

/// The body of one message: usually one slice of a read buffer, otherwise a chain of slices,
/// which are not joined by copying.
#[derive(Debug, Clone, Default)]
pub(crate) struct Payload {
    front: Bytes,
    /// The pieces after `front`. Boxed, since few payloads have any and all of them are
    /// moved.
    rest: Option<Box<Rest>>,
    /// What the bytes are compressed with.
    compression: Compression,
    /// The largest decompressed size.
    limit: u32,
}

#[derive(Debug, Clone)]
struct Rest {
    pieces: VecDeque<Bytes>,
    len: usize,
}

impl Payload {
    /// A payload of these pieces in order. None of them is empty.
    pub(super) fn chain(mut pieces: VecDeque<Bytes>) -> Self {
        let front = pieces.pop_front().unwrap_or_default();
        let len = pieces.iter().map(Bytes::len).sum();
        Self {
            front,
            rest: (len > 0).then(|| Box::new(Rest { pieces, len })),
            ..Self::default()
        }
    }

    /// The same bytes, compressed with `compression`; decompressed they may have `limit`
    /// bytes.
    pub(super) fn compressed(mut self, compression: Compression, limit: usize) -> Self {
        self.compression = compression;
        // The largest size of an uncompressed message.
        self.limit = u32::try_from(limit).unwrap_or(u32::MAX);
        self
    }

    /// Its length in bytes, as received.
    pub(crate) fn len(&self) -> usize {
        self.front.len() + self.rest.as_ref().map_or(0, |rest| rest.len)
    }

    /// Whether the message came compressed.
    #[inline]
    pub(crate) fn is_compressed(&self) -> bool {
        !self.compression.is_identity()
    }

    /// Its first piece, usually all of it.
    pub(super) fn into_front(self) -> Bytes {
        self.front
    }

    /// What the bytes are compressed with, and their largest decompressed size.
    pub(super) fn encoding(&self) -> (Compression, usize) {
        (self.compression, self.limit as usize)
    }

    /// Copies a small body, to free the read buffer that it is a slice of: for a payload
    /// that has to wait.
    pub(crate) fn unpin(&mut self) {
        if self.rest.is_none() && self.front.len() < SMALL {
            self.front = Bytes::copy_from_slice(&self.front);
        }
    }

    /// A reader of the bytes as received.
    #[inline]
    pub(crate) fn reader(&self) -> PayloadReader<'_> {
        let rest = self.rest.as_deref();
        PayloadReader {
            unread: &self.front,
            piece: &self.front,
            later: rest.map_or(0, |rest| rest.len),
            pieces: rest.map(|rest| rest.pieces.iter()),
        }
    }
}

impl From<Bytes> for Payload {
    #[inline]
    fn from(body: Bytes) -> Self {
        Self {
            front: body,
            ..Self::default()
        }
    }
}

/// Reads a [`Payload`]. Messages are decoded from this [`Buf`] only, so each type's decoder
/// is compiled once.
#[derive(Debug, Clone)]
pub(crate) struct PayloadReader<'a> {
    /// The unread rest of `piece`. Invariant: empty only at the end.
    unread: &'a [u8],
    piece: &'a Bytes,
    pieces: Option<vec_deque::Iter<'a, Bytes>>,
    /// The bytes in `pieces`.
    later: usize,
}

impl<'a> PayloadReader<'a> {
    /// A reader of `range` of `piece`.
    #[inline]
    pub(super) fn of(piece: &'a Bytes, range: Range<usize>) -> Self {
        Self {
            unread: &piece[range],
            piece,
            pieces: None,
            later: 0,
        }
    }

    /// [`Buf::advance`] to the end of `piece` or beyond.
    fn advance_pieces(&mut self, count: usize) {
        let mut left = count;
        while left >= self.unread.len() {
            left -= self.unread.len();
            let Some(next) = self.pieces.as_mut().and_then(Iterator::next) else {
                self.unread = &[];
                return;
            };
            self.later -= next.len();
            self.piece = next;
            self.unread = next;
        }
        self.unread = &self.unread[left..];
    }
}

// Decoders are instantiated in the crates that own the messages, so what they
// call for each field is marked to be inlined there.
impl Buf for PayloadReader<'_> {
    #[inline]
    fn remaining(&self) -> usize {
        self.unread.len() + self.later
    }

    #[inline]
    fn chunk(&self) -> &[u8] {
        self.unread
    }

    /// Advancing past the end stops at the end.
    #[inline]
    fn advance(&mut self, count: usize) {
        if count < self.unread.len() {
            self.unread = &self.unread[count..];
        } else {
            self.advance_pieces(count);
        }
    }

    /// A slice if the bytes are in one piece, otherwise a copy.
    fn copy_to_bytes(&mut self, count: usize) -> Bytes {
        let count = count.min(self.remaining());
        if count <= self.unread.len() {
            let slice = self.piece.slice_ref(&self.unread[..count]);
            self.advance(count);
            return slice;
        }
        let mut joined = Vec::with_capacity(count);
        while joined.len() < count {
            let taken = self.unread.len().min(count - joined.len());
            joined.extend_from_slice(&self.unread[..taken]);
            self.advance(taken);
        }
        joined.into()
    }
}
