//! The dynamic table (RFC 7541 section 2.3.2), the same for both directions.
//!
//! All entries share one arena and one list, which grow at the end; the space of evicted
//! entries at the front is reclaimed when room runs out. A warm table does not allocate, and
//! its memory stays within a small multiple of its size limit.

#[cfg(test)]
mod tests;

use super::super::field_rules::Traits;

/// The overhead of an entry's size, by section 4.1.
const ENTRY_OVERHEAD: usize = 32;

/// A first-in, first-out table of header fields.
pub(super) struct DynamicTable {
    /// Names and values of `entries`, in the same order, without gaps.
    bytes: Vec<u8>,
    /// Oldest first. Those before `first` are evicted.
    entries: Vec<TableEntry>,
    first: usize,
    /// The size of the live entries as section 4.1 counts it; never above
    /// `max_size`.
    size: usize,
    max_size: usize,
    /// How many entries were ever inserted, modulo 2^32.
    inserted: u32,
    /// The number of changes that gave indices another meaning.
    changes: u64,
}

#[derive(Clone, Copy)]
struct TableEntry {
    start: usize,
    name_len: usize,
    end: usize,
    traits: Traits,
}

/// A field as the table holds it.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    /// The name, then the value.
    pub(super) text: &'a [u8],
    pub(super) name_len: usize,
    /// The traits that the decoder found when the text arrived.
    pub(super) traits: Traits,
}

impl DynamicTable {
    pub(super) const fn new(max_size: usize) -> Self {
        Self {
            bytes: Vec::new(),
            entries: Vec::new(),
            first: 0,
            size: 0,
            max_size,
            inserted: 0,
            changes: 0,
        }
    }

    /// The number of live entries.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.first
    }

    pub(super) fn max_size(&self) -> usize {
        self.max_size
    }

    /// The number of entries ever inserted, modulo 2^32: it identifies the next entry for as
    /// long as it lives.
    #[inline]
    pub(super) fn inserted(&self) -> u32 {
        self.inserted
    }

    /// A number that differs after every change of the table.
    #[inline]
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// The size an entry of that name and value has (section 4.1).
    pub(super) fn entry_size(name: &[u8], value: &[u8]) -> usize {
        name.len() + value.len() + ENTRY_OVERHEAD
    }

    /// The entry with `age` newer entries.
    #[inline]
    pub(super) fn get(&self, age: usize) -> Option<Field<'_>> {
        if age >= self.len() {
            return None;
        }
        let entry = self.entries.get(self.entries.len() - 1 - age)?;
        Some(Field {
            text: &self.bytes[entry.start..entry.end],
            name_len: entry.name_len,
            traits: entry.traits,
        })
    }

    /// Sets the limit and evicts what no longer fits (section 4.3).
    pub(super) fn set_max_size(&mut self, max_size: usize) {
        self.changes += 1;
        self.max_size = max_size;
        self.evict_to(max_size);
    }

    /// Adds an entry after evicting others to make room (section 4.4). Returns whether it is
    /// in the table; an entry that is too large empties the table.
    pub(super) fn insert(&mut self, name: &[u8], value: &[u8], traits: Traits) -> bool {
        self.changes += 1;
        let size = Self::entry_size(name, value);
        if size > self.max_size {
            self.evict_to(0);
            return false;
        }
        self.evict_to(self.max_size - size);
        self.reclaim(name.len() + value.len());
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name);
        self.bytes.extend_from_slice(value);
        self.entries.push(TableEntry {
            start,
            name_len: name.len(),
            end: self.bytes.len(),
            traits,
        });
        self.size += size;
        self.inserted = self.inserted.wrapping_add(1);
        true
    }

    fn evict_to(&mut self, size: usize) {
        while self.size > size {
            let Some(entry) = self.entries.get(self.first) else {
                break;
            };
            self.size -= entry.end - entry.start + ENTRY_OVERHEAD;
            self.first += 1;
        }
        if self.size == 0 {
            self.bytes.clear();
            self.entries.clear();
            self.first = 0;
        }
    }

    /// Moves the live entries to the front if the buffers are full and at
    /// least half of what they hold is evicted: then the move is paid for by
    /// as many octets inserted before. Otherwise the buffers may grow.
    fn reclaim(&mut self, room: usize) {
        let entries_full = self.entries.len() == self.entries.capacity();
        if entries_full && self.first > 0 && self.first >= self.entries.len() / 2 {
            self.entries.drain(..self.first);
            self.first = 0;
        }
        let bytes_full = self.bytes.capacity() - self.bytes.len() < room;
        let dead = self.entries.get(self.first).map_or(0, |entry| entry.start);
        if bytes_full && dead > 0 && dead >= self.bytes.len() / 2 {
            self.bytes.drain(..dead);
            for entry in &mut self.entries[self.first..] {
                entry.start -= dead;
                entry.end -= dead;
            }
        }
    }
}
