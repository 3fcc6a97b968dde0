//! Memory of large messages for reuse by the next ones, so that the allocator does not return
//! the pages and fetch them again. A thread keeps at most [`KEPT`] bytes.

use std::cell::RefCell;
use std::thread::LocalKey;

use bytes::{Bytes, BytesMut};

/// The most that a thread keeps, in bytes: what a connection uses to echo large messages.
/// Four messages of 1 MiB fit with their prefixes. With half of it, each message returns
/// memory to the kernel and faults it in again.
const KEPT: usize = (4 << 20) + 4 * PAGE;

/// Sizes are rounded up to this, so that an answer a few bytes longer than its request fits
/// into the request's buffer.
const PAGE: usize = 4 << 10;

/// Buffers below this size are not kept: the allocator's own free lists serve them as well.
const MIN: usize = 32 << 10;

#[derive(Debug, Default)]
struct SpareBuffers {
    /// Each is empty and the only handle to its memory.
    buffers: Vec<BytesMut>,
    /// The sum of their capacities, in bytes.
    size: usize,
}

thread_local! {
    static SPARE: RefCell<SpareBuffers> = const {
        RefCell::new(SpareBuffers {
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

/// Keeps the memory of `bytes` if no other handle to it exists.
pub(crate) fn keep(bytes: Bytes) {
    if let Ok(mut buffer) = bytes.try_into_mut() {
        reclaim(&mut buffer);
        if buffer.capacity() >= MIN {
            with(&SPARE, |spare| spare.keep(buffer));
        }
    }
}

/// Keeps the memory of a consumed message's body if it is large. A small body costs only
/// the check of its length.
#[inline]
pub(crate) fn keep_message(body: Bytes) {
    if body.len() >= MIN {
        keep(body);
    }
}

/// Makes `buffer` empty with its whole allocation available again. `false` if other handles
/// hold parts of it, or if it has no more memory than before.
pub(crate) fn reclaim(buffer: &mut BytesMut) -> bool {
    buffer.clear();
    buffer.try_reclaim(buffer.capacity() + 1)
}

impl SpareBuffers {
    /// The smallest buffer that is large enough and not much larger: a caller that asks for
    /// little may keep it for long, and the excess is not counted anywhere.
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

/// Changes the thread-local value of `place`; `None` on a thread that is ending, and where
/// a change drops something that wants to change it too.
#[inline]
pub(crate) fn with<T, R>(
    place: &'static LocalKey<RefCell<T>>,
    change: impl FnOnce(&mut T) -> R,
) -> Option<R> {
    let change = |cell: &RefCell<T>| Some(change(&mut *cell.try_borrow_mut().ok()?));
    place.try_with(change).ok().flatten()
}

#[cfg(test)]
mod tests;
