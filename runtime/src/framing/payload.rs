//! The body of one received message, in the pieces that it arrived in.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};
use prost::Message;

use super::FramingError;

/// The body of one message: as a rule one slice of what was received, otherwise
/// a chain of such slices. Nothing is copied to join them; prost reads it as a
/// [`Buf`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Payload {
    /// Invariant: empty only if the whole payload is, and so is no piece in
    /// `rest`. `chunk` needs no branch that way.
    front: Bytes,
    rest: VecDeque<Bytes>,
    /// Of `front` and `rest` together.
    len: usize,
}

impl Payload {
    /// A payload of these pieces, in order, none of them empty.
    pub(super) fn chain(mut pieces: VecDeque<Bytes>) -> Self {
        Self {
            len: pieces.iter().map(Bytes::len).sum(),
            front: pieces.pop_front().unwrap_or_default(),
            rest: pieces,
        }
    }

    /// How many bytes are left to read.
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

impl From<Bytes> for Payload {
    fn from(body: Bytes) -> Self {
        Self {
            len: body.len(),
            front: body,
            rest: VecDeque::new(),
        }
    }
}

impl Buf for Payload {
    fn remaining(&self) -> usize {
        self.len
    }

    fn chunk(&self) -> &[u8] {
        &self.front
    }

    /// Going past the end stops at the end.
    fn advance(&mut self, count: usize) {
        let mut left = count.min(self.len);
        self.len -= left;
        while left >= self.front.len() {
            left -= self.front.len();
            let Some(next) = self.rest.pop_front() else {
                // `clear` would allocate.
                self.front.advance(self.front.len());
                return;
            };
            self.front = next;
        }
        self.front.advance(left);
    }

    /// A slice where the bytes lie in one piece, otherwise a copy.
    fn copy_to_bytes(&mut self, count: usize) -> Bytes {
        let count = count.min(self.len);
        if count <= self.front.len() {
            let slice = self.front.slice(..count);
            self.advance(count);
            return slice;
        }
        let mut joined = Vec::with_capacity(count);
        while joined.len() < count {
            let taken = self.front.len().min(count - joined.len());
            joined.extend_from_slice(&self.front[..taken]);
            self.advance(taken);
        }
        joined.into()
    }
}

/// Decodes a message. prost bounds how deep it may nest.
pub(crate) fn decode_message<M: Message + Default>(payload: Payload) -> Result<M, FramingError> {
    M::decode(payload).map_err(FramingError::Decode)
}
