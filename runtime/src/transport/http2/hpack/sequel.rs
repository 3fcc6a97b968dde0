//! Guesses the next field of a header block.
//!
//! A connection's header blocks are similar and have the same order, so the field after this
//! one is usually the field that came after it before. A right guess saves the search. The
//! caller compares, so a wrong guess costs only a little time.

#[cfg(test)]
mod tests;

use super::static_table;

/// How many fields can have a sequel. Fields that share a place guess worse.
const PLACES: usize = 64;

/// A field of either table, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guess {
    /// By its index in the static table, or 0.
    Static(usize),
    /// By its insertion number in the dynamic table.
    Dynamic(u32),
}

/// The field that came after each field last time. The sequence continues from one block to
/// the next: trailers follow a response's head, and the next head follows them.
pub(super) struct Sequel {
    next: [u32; PLACES],
    last: u32,
}

const FIRST_DYNAMIC: u32 = static_table::LEN as u32 + 1;

impl Sequel {
    pub(super) const fn new() -> Self {
        Self {
            next: [0; PLACES],
            last: 0,
        }
    }

    /// The field that came after the last one.
    #[inline]
    pub(super) fn guess(&self) -> Guess {
        let key = self.next[place(self.last)];
        if key < FIRST_DYNAMIC {
            Guess::Static(key as usize)
        } else {
            Guess::Dynamic(key - FIRST_DYNAMIC)
        }
    }

    /// The guess was right.
    #[inline]
    pub(super) fn confirm(&mut self) {
        self.last = self.next[place(self.last)];
    }

    /// The field that came is another one.
    pub(super) fn correct(&mut self, field: Guess) {
        let key = match field {
            Guess::Static(index) => index as u32,
            // After four billion insertions this wraps to static fields: wrong
            // guesses, which are allowed.
            Guess::Dynamic(id) => id.wrapping_add(FIRST_DYNAMIC),
        };
        self.next[place(self.last)] = key;
        self.last = key;
    }

    /// The field that came is in no table. Its successor is remembered by a hash of its
    /// name.
    pub(super) fn pass(&mut self, name_hash: u64) {
        self.last = name_hash as u32;
    }
}

#[inline]
const fn place(key: u32) -> usize {
    key as usize % PLACES
}
