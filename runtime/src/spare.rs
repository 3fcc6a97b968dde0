//! Memory that was written or read once and is soon wanted again, so that large
//! messages do not make the allocator give pages back and fetch them anew. It
//! must never keep more than [`KEPT`] bytes a thread.

use std::cell::Cell;

use bytes::{Bytes, BytesMut};

/// What a thread keeps, in bytes: enough for a large message to be read, answered
/// and written, and little beside what a server needs that has such messages.
const KEPT: usize = 2 << 20;

/// Below this an allocator's own lists do as well.
const MIN: usize = 32 << 10;

#[derive(Debug, Default)]
struct Spare {
    /// Each is empty, and nobody else sees its memory.
    buffers: Vec<BytesMut>,
    /// The sum of their capacities.
    size: usize,
}

thread_local! {
    static SPARE: Cell<Spare> = const {
        Cell::new(Spare {
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
    with_spare(|spare| spare.take(length))
        .flatten()
        .unwrap_or_else(|| BytesMut::with_capacity(length))
}

/// Keeps the memory of which `bytes` are the last part that anyone holds.
pub(crate) fn keep(bytes: Bytes) {
    if let Ok(mut buffer) = bytes.try_into_mut() {
        reclaim(&mut buffer);
        if buffer.capacity() >= MIN {
            with_spare(|spare| spare.keep(buffer));
        }
    }
}

/// Makes all of the memory that `buffer` is a part of its own again, and empty;
/// `false` if others still hold parts of it, or there is no more than it has.
pub(crate) fn reclaim(buffer: &mut BytesMut) -> bool {
    buffer.clear();
    buffer.try_reclaim(buffer.capacity() + 1)
}

impl Spare {
    /// The smallest that is large enough: a large one is not spent on little.
    fn take(&mut self, length: usize) -> Option<BytesMut> {
        let fitting = self.buffers.iter().enumerate();
        let (index, _) = fitting
            .filter(|(_, buffer)| buffer.capacity() >= length)
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

/// `None` on a thread that ends.
fn with_spare<T>(change: impl FnOnce(&mut Spare) -> T) -> Option<T> {
    SPARE
        .try_with(|cell| {
            let mut spare = cell.take();
            let changed = change(&mut spare);
            cell.set(spare);
            changed
        })
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tests run on threads of their own, so each finds nothing spare.
    fn size() -> usize {
        with_spare(|spare| spare.size).unwrap()
    }

    #[test]
    fn memory_comes_back_empty() {
        let mut buffer = take(100_000);
        buffer.extend_from_slice(&[1; 1_000]);
        let (place, capacity) = (buffer.as_ptr(), buffer.capacity());
        keep(buffer.freeze());
        let again = take(90_000);
        assert_eq!((again.as_ptr(), again.capacity()), (place, capacity));
        assert!(again.is_empty());
        assert_eq!(size(), 0);
    }

    #[test]
    fn the_last_part_of_a_message_keeps_all_of_its_memory() {
        let mut buffer = take(100_000);
        buffer.resize(100_000, 1);
        let mut whole = buffer.freeze();
        let first = whole.split_to(99_000);
        keep(whole);
        assert_eq!(size(), 0, "another part is still there");
        keep(first);
        assert_eq!(take(100_000).capacity(), 100_000);
    }

    #[test]
    fn a_thread_keeps_only_so_much() {
        for _ in 0..10 {
            keep(BytesMut::zeroed(KEPT / 4).freeze());
        }
        assert_eq!(size(), KEPT);
        keep(BytesMut::zeroed(2 * KEPT).freeze());
        assert_eq!(size(), KEPT);
        let taken: Vec<_> = (0..5).map(|_| take(KEPT / 4)).collect();
        assert_eq!(size(), 0);
        drop(taken);
    }
}
