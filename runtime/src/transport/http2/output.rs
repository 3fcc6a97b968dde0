//! The queue of bytes to the socket: small frames are gathered in one buffer, large payloads
//! are passed on without a copy.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

use crate::spare;

/// Below this size a copy is cheaper than a separate segment in `writev`.
pub(super) const COPY_LIMIT: usize = 4 << 10;
/// A buffer above this size is freed once it has been written.
const KEEP_CAPACITY: usize = 64 << 10;

/// A queue of bytes to write.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// Written before `tail`.
    segments: VecDeque<Bytes>,
    segments_len: usize,
    tail: BytesMut,
}

impl Output {
    pub(crate) fn len(&self) -> usize {
        self.segments_len + self.tail.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where frames are encoded in place.
    pub(crate) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.tail
    }

    /// Whether there is no memory to encode frames in.
    pub(crate) fn is_bare(&self) -> bool {
        self.tail.capacity() == 0
    }

    /// Lends an empty buffer to a queue that has none.
    pub(super) fn lend(&mut self, buffer: BytesMut) {
        if self.is_bare() {
            self.tail = buffer;
        }
    }

    /// Takes the buffer back, if it is empty.
    pub(super) fn take_buffer(&mut self) -> Option<BytesMut> {
        let idle = self.is_empty() && !self.is_bare();
        idle.then(|| std::mem::take(&mut self.tail))
    }

    /// Appends body bytes. The memory of a chunk is reused after its last bytes are written,
    /// or at once if those are few and the end of a larger chunk.
    pub(crate) fn push(&mut self, bytes: Bytes, ends_larger: bool) {
        if bytes.len() <= COPY_LIMIT {
            self.tail.extend_from_slice(&bytes);
            if ends_larger {
                spare::keep(bytes);
            }
            return;
        }
        if !self.tail.is_empty() {
            let head = self.tail.split().freeze();
            self.segments_len += head.len();
            self.segments.push_back(head);
        }
        self.segments_len += bytes.len();
        self.segments.push_back(bytes);
    }

    /// Copies the body bytes, so that they keep nothing of the chunks that they are parts of.
    #[cold]
    pub(super) fn unpin(&mut self) {
        for segment in &mut self.segments {
            *segment = Bytes::copy_from_slice(segment);
        }
    }

    /// Fills `slices` with what to write next; returns how many were filled.
    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let parts = self
            .segments
            .iter()
            .map(|segment| &segment[..])
            .chain((!self.tail.is_empty()).then_some(&self.tail[..]));
        let mut count = 0;
        for (slice, part) in slices.iter_mut().zip(parts) {
            *slice = IoSlice::new(part);
            count += 1;
        }
        count
    }

    /// Drops the first `written` bytes.
    pub(crate) fn advance(&mut self, mut written: usize) {
        while let Some(front) = self.segments.front_mut() {
            if front.len() > written {
                front.advance(written);
                self.segments_len -= written;
                return;
            }
            written -= front.len();
            self.segments_len -= front.len();
            // Usually the memory of a large message.
            if let Some(written) = self.segments.pop_front() {
                spare::keep(written);
            }
        }
        if written < self.tail.len() {
            self.tail.advance(written);
        } else if self.tail.capacity() > KEEP_CAPACITY {
            self.tail = BytesMut::new();
        } else {
            self.tail.clear();
        }
    }
}

#[cfg(test)]
mod tests;
