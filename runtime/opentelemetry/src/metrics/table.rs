//! A table that only grows, and is read without a lock. It has an end, whatever is put in.

use std::sync::OnceLock;

/// The slots of each part: a part that is full where a value belongs has a next one.
const SLOTS: [usize; 3] = [32, 256, 2048];
/// How far from its place in a part a value may be: so far that up to a thousand values all
/// have a place.
const WINDOW: usize = 16;

/// Values that are found by hash and equality. Values are not removed, so a reader that
/// meets an empty slot knows that the value is absent.
pub(crate) struct Table<T> {
    slots: Box<[OnceLock<T>]>,
    next: OnceLock<Box<Table<T>>>,
    part: usize,
}

impl<T> Table<T> {
    pub(crate) fn new() -> Self {
        Self::part(0)
    }

    fn part(part: usize) -> Self {
        Self {
            slots: (0..SLOTS[part]).map(|_| OnceLock::new()).collect(),
            next: OnceLock::new(),
            part,
        }
    }

    fn window(&self, hash: u64) -> impl Iterator<Item = &OnceLock<T>> {
        let mask = self.slots.len() - 1;
        let first = (hash >> 32) as usize;
        (0..WINDOW).map(move |step| &self.slots[(first + step) & mask])
    }

    #[inline]
    pub(crate) fn find(&self, hash: u64, is_it: impl Fn(&T) -> bool) -> Option<&T> {
        let mut table = self;
        loop {
            for slot in table.window(hash) {
                let value = slot.get()?;
                if is_it(value) {
                    return Some(value);
                }
            }
            table = table.next.get()?;
        }
    }

    /// Returns the existing value, or inserts this one; `None` if the table is full.
    pub(crate) fn insert(&self, hash: u64, is_it: impl Fn(&T) -> bool, value: T) -> Option<&T> {
        let (mut table, mut value) = (self, value);
        loop {
            for slot in table.window(hash) {
                match slot.set(value) {
                    Ok(()) => return slot.get(),
                    Err(mine) => value = mine,
                }
                if let Some(other) = slot.get().filter(|other| is_it(other)) {
                    return Some(other);
                }
            }
            let next = table.part + 1;
            if next == SLOTS.len() {
                return None;
            }
            table = table.next.get_or_init(|| Box::new(Self::part(next)));
        }
    }
}

/// Spreads a number over all bits; a table looks at the upper ones.
pub(crate) fn mix(number: u64) -> u64 {
    (number ^ (number >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The hash of a text.
pub(crate) fn hash(text: &str) -> u64 {
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    let seed = mix(text.len() as u64);
    let whole = words.iter().fold(seed, |hash, word| {
        mix(hash.rotate_left(5) ^ u64::from_le_bytes(*word))
    });
    rest.iter().fold(whole, |hash, byte| {
        (hash.rotate_left(5) ^ u64::from(*byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}

#[cfg(test)]
mod tests;
