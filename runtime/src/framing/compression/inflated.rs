//! The output of a decompressor, checked against its limit while it grows. At most a small
//! multiple of what was received or produced so far is reserved.

use std::collections::VecDeque;

use bytes::Bytes;

use super::fault::Fault;
use crate::framing::Payload;

/// The smallest and the largest piece of output.
const SMALL: usize = 512;
const LARGE: usize = 256 << 10;

/// The first estimate of the ratio of a message's size to its compressed size.
const RATIO: usize = 4;

/// Decompressed bytes, in pieces that are not moved again. Each piece is as large as all
/// earlier ones together, within bounds.
#[derive(Debug)]
pub(super) struct Inflated {
    limit: usize,
    pieces: VecDeque<Bytes>,
    /// The bytes in `pieces`.
    len: usize,
    piece: Vec<u8>,
}

impl Inflated {
    /// For the output of `input` bytes.
    pub(super) fn new(input: usize, limit: usize) -> Self {
        let first = input.saturating_mul(RATIO).clamp(SMALL, LARGE);
        Self {
            limit,
            pieces: VecDeque::new(),
            len: 0,
            // One byte beyond the limit, to detect output that exceeds it.
            piece: Vec::with_capacity(first.min(limit.saturating_add(1))),
        }
    }

    /// The piece to append to, with room for at least one byte.
    pub(super) fn room(&mut self) -> &mut Vec<u8> {
        if self.piece.len() == self.piece.capacity() {
            self.seal();
            let left = self.limit.saturating_sub(self.len).saturating_add(1);
            self.piece = Vec::with_capacity(self.len.clamp(SMALL, LARGE).min(left));
        }
        &mut self.piece
    }

    /// Must be called after each append.
    pub(super) fn check(&self) -> Result<(), Fault> {
        if self.len + self.piece.len() > self.limit {
            return Err(Fault::TooLarge);
        }
        Ok(())
    }

    pub(super) fn into_payload(mut self) -> Payload {
        self.seal();
        Payload::chain(self.pieces)
    }

    /// The memory it uses, in bytes.
    #[cfg(test)]
    pub(super) fn reserved(&self) -> usize {
        self.len + self.piece.capacity()
    }

    fn seal(&mut self) {
        if !self.piece.is_empty() {
            self.len += self.piece.len();
            self.pieces
                .push_back(std::mem::take(&mut self.piece).into());
        }
    }
}
