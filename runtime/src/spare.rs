//! Memory of large messages for reuse by the next ones, so that the allocator does not return
//! the pages and fetch them again. A thread keeps at most [`KEPT`] bytes.

use std::cell::Cell;
use std::thread::LocalKey;

use bytes::{Bytes, BytesMut};

/// What a thread keeps, in bytes: what a connection has in hand that echoes large
/// messages. Four of a mebibyte fit with what is around them. With half of it,
/// what falls out is given back to the kernel and faulted in again by each message.
const KEPT: usize = (4 << 20) + 4 * PAGE;

/// Sizes are rounded up to this, so that an answer fits where its request was,
/// though a few bytes longer.
const PAGE: usize = 4 << 10;

/// Below this an allocator's own lists do as well.
const MIN: usize = 32 << 10;

#[derive(Debug, Default)]
struct SpareBuffers {
    /// Each is empty, and nobody else sees its memory.
    buffers: Vec<BytesMut>,
    /// The sum of their capacities.
    size: usize,
}

thread_local! {
    static SPARE: Cell<SpareBuffers> = const {
        Cell::new(SpareBuffers {
            buffers: Vec::new(),
            size: 0,
        })
    };
}

/// An empty buffer with room for `length` bytes.
pub(crate) fn take(length: usize) -> BytesMut {
    if length < MIN {
        return BytesMut::with_capacity(length);
    }
    let length = length.next_multiple_of(PAGE);
    with(&SPARE, |spare| spare.take(length))
        .flatten()
        .unwrap_or_else(|| BytesMut::with_capacity(length))
}

/// Keeps the memory of which `bytes` are the last part that anyone holds.
pub(crate) fn keep(bytes: Bytes) {
    if let Ok(mut buffer) = bytes.try_into_mut() {
        reclaim(&mut buffer);
        if buffer.capacity() >= MIN {
            with(&SPARE, |spare| spare.keep(buffer));
        }
    }
}

/// Keeps the memory of a message's body that is done with, where that is large:
/// a small one costs no more than its length.
#[inline]
pub(crate) fn keep_message(body: Bytes) {
    if body.len() >= MIN {
        keep(body);
    }
}

/// Makes all of the memory that `buffer` is a part of its own again, and empty;
/// `false` if others still hold parts of it, or there is no more than it has.
pub(crate) fn reclaim(buffer: &mut BytesMut) -> bool {
    buffer.clear();
    buffer.try_reclaim(buffer.capacity() + 1)
}

impl SpareBuffers {
    /// The smallest that is large enough, and not much larger: who asks for little may
    /// keep it for long, and nobody counts the rest.
    fn take(&mut self, length: usize) -> Option<BytesMut> {
        let fitting = self.buffers.iter().enumerate();
        let (index, _) = fitting
            .filter(|(_, buffer)| (length..=4 * length).contains(&buffer.capacity()))
            .min_by_key(|(_, buffer)| buffer.capacity())?;
        let buffer = self.buffers.swap_remove(index);
        self.size -= buffer.capacity();
        Some(buffer)
    }

    fn keep(&mut self, buffer: BytesMut) {
        if self.size + buffer.capacity() <= KEPT {
            self.size += buffer.capacity();
            self.buffers.push(buffer);
        }
    }
}

/// Changes what a thread has at `place`; `None` on a thread that ends.
pub(crate) fn with<T: Default, R>(
    place: &'static LocalKey<Cell<T>>,
    change: impl FnOnce(&mut T) -> R,
) -> Option<R> {
    let change = |cell: &Cell<T>| {
        let mut spare = cell.take();
        let changed = change(&mut spare);
        cell.set(spare);
        changed
    };
    place.try_with(change).ok()
}

#[cfg(test)]
mod tests;
