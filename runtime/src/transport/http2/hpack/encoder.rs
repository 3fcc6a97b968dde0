//! Encodes fields to header blocks (RFC 7541 section 3).
//!
//! The encoder's table matches the peer's: a field enters it exactly when the block tells
//! the peer to add it. So every block must be sent, in the order of encoding.

use bytes::{BufMut, BytesMut};

use super::super::field_rules::Traits;
use super::super::fields::Fields;
use super::dynamic_table::{DynamicTable, Field};
use super::index::Index;
use super::octets::{equal, fold, hash};
use super::repeats::Repeats;
use super::sequel::{Guess, Sequel};
use super::{DEFAULT_TABLE_SIZE, huffman, integer, static_table};

#[cfg(test)]
mod tests;

/// Seeds that make a field's hash differ from its name's.
const NAME_SEED: u64 = 0x51_7cc1_b727_220a;
const FIELD_SEED: u64 = 0x2545_f491_4f6c_dd1d;

/// How a field uses the dynamic tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Indexing {
    /// Encoded as an index if the table has it, otherwise added. For fields that repeat: a
    /// path, a content type, a status.
    Add,
    /// Not added to the dynamic table, except for a first small field that makes its name
    /// known. For values that differ each time.
    Without,
    /// Not added to any table, at any hop (section 7.1.3). For secrets.
    Never,
}

/// One direction's compression state.
pub(crate) struct Encoder {
    table: DynamicTable,
    index: Index,
    sequel: Sequel,
    repeats: Repeats,
    /// The largest table that is kept, whatever the peer allows.
    cap: usize,
    /// The smallest table size since the last block, if the size changed and has to be
    /// announced.
    lowest: Option<usize>,
}

impl Encoder {
    /// An encoder that keeps at most `max_table_size` octets of table. It
    /// starts with the protocol's default of 4,096, or less if that is less.
    pub(crate) fn new(max_table_size: usize) -> Self {
        let size = max_table_size.min(DEFAULT_TABLE_SIZE);
        Self {
            table: DynamicTable::new(size),
            index: Index::new(),
            sequel: Sequel::new(),
            repeats: Repeats::default(),
            cap: max_table_size,
            lowest: (size != DEFAULT_TABLE_SIZE).then_some(size),
        }
    }

    /// Takes the peer's `SETTINGS_HEADER_TABLE_SIZE`, limited to the encoder's maximum. The
    /// next block announces the new size.
    pub(crate) fn set_max_table_size(&mut self, size: usize) {
        let size = size.min(self.cap);
        if size == self.table.max_size() {
            return;
        }
        self.lowest = Some(self.lowest.map_or(size, |lowest| lowest.min(size)));
        self.table.set_max_size(size);
    }

    /// Appends a whole header block. The caller must give names in lower case.
    pub(crate) fn block(
        &mut self,
        fields: &Fields,
        indexing: impl Fn(&[u8], &[u8]) -> Indexing,
        out: &mut BytesMut,
    ) {
        self.announce_size(out);
        let common = fields.common_part();
        let changes = self.table.changes();
        if let Some(indices) = self.repeats.indices(fields, common, changes) {
            out.extend_from_slice(indices);
        } else {
            let start = out.len();
            for (name, value) in fields.iter().take(common.0) {
                self.field(name, value, indexing(name, value), out);
            }
            let indices = &out[start..];
            // One octet a field means indices only: the shortest other form has two octets.
            if indices.len() == common.0 && changes == self.table.changes() {
                self.repeats
                    .remember(indices, fields, ((0, 0), common), changes);
            }
        }
        for (name, value) in fields.skip(common.0, common.1) {
            self.field(name, value, indexing(name, value), out);
        }
    }

    /// Announces changes of the table's size at the front of a block: the smallest and the
    /// last size (section 4.2).
    #[inline]
    fn announce_size(&mut self, out: &mut BytesMut) {
        if let Some(lowest) = self.lowest.take() {
            let size = self.table.max_size();
            if lowest < size {
                integer::encode(0x20, 5, lowest, out);
            }
            integer::encode(0x20, 5, size, out);
        }
    }

    /// Appends a field to the block begun last.
    #[inline]
    fn field(&mut self, name: &[u8], value: &[u8], indexing: Indexing, out: &mut BytesMut) {
        if indexing != Indexing::Never
            && let Some(index) = self.guess(name, value)
        {
            self.sequel.confirm();
            integer::encode(0x80, 7, index, out);
        } else {
            self.search(name, value, indexing, out);
        }
    }

    /// The index of the field, if it is the one guessed.
    #[inline]
    fn guess(&self, name: &[u8], value: &[u8]) -> Option<usize> {
        match self.sequel.guess() {
            Guess::Static(index) => {
                let field = static_table::get(index)?;
                is_joined(field.text, field.name_len, name, value).then_some(index)
            }
            Guess::Dynamic(id) => {
                let (index, field) = self.entry(id)?;
                is_joined(field.text, field.name_len, name, value).then_some(index)
            }
        }
    }

    fn search(&mut self, name: &[u8], value: &[u8], indexing: Indexing, out: &mut BytesMut) {
        let static_name = static_table::find_name(name);
        if indexing != Indexing::Never
            && let Some(first) = static_name
            && let Some(index) = static_table::find_value(first, value)
        {
            self.sequel.correct(Guess::Static(index));
            integer::encode(0x80, 7, index, out);
            return;
        }
        let name_hash = hash_name(static_name, name);
        if indexing == Indexing::Add
            && let Some((id, index)) = self.find_field(name_hash, name, value)
        {
            self.sequel.correct(Guess::Dynamic(id));
            integer::encode(0x80, 7, index, out);
            return;
        }
        let name_index = static_name.or_else(|| self.find_name(name_hash, name));
        if self.is_to_enter(name, value, indexing, name_index.is_some()) {
            self.sequel.correct(Guess::Dynamic(self.table.inserted()));
            literal(0x40, 6, name_index, name, value, out);
            self.add(name_hash, name, value);
        } else {
            self.sequel.pass(name_hash);
            let pattern = if indexing == Indexing::Never {
                0x10
            } else {
                0x00
            };
            literal(pattern, 4, name_index, name, value, out);
        }
    }

    /// Whether to add a field to the table. A field that would evict most of the table is
    /// not added.
    fn is_to_enter(
        &self,
        name: &[u8],
        value: &[u8],
        indexing: Indexing,
        name_is_known: bool,
    ) -> bool {
        let share = match indexing {
            Indexing::Add => self.table.max_size() / 4 * 3,
            Indexing::Without if !name_is_known => self.table.max_size() / 16,
            Indexing::Without | Indexing::Never => return false,
        };
        DynamicTable::entry_size(name, value) <= share
    }

    /// The insertion number and the index of a field.
    fn find_field(&self, name_hash: u64, name: &[u8], value: &[u8]) -> Option<(u32, usize)> {
        self.index.find(hash_field(name_hash, value), |id| {
            let (index, field) = self.entry(id)?;
            is_joined(field.text, field.name_len, name, value).then_some((id, index))
        })
    }

    /// The index of a field of that name.
    fn find_name(&self, name_hash: u64, name: &[u8]) -> Option<usize> {
        self.index.find(name_hash, |id| {
            let (index, field) = self.entry(id)?;
            equal(&field.text[..field.name_len], name).then_some(index)
        })
    }

    /// The dynamic entry of that insertion number, with its index over both tables. An
    /// evicted one has an age that no entry has.
    #[inline]
    fn entry(&self, id: u32) -> Option<(usize, Field<'_>)> {
        let age = self.table.inserted().wrapping_sub(id).wrapping_sub(1) as usize;
        let field = self.table.get(age)?;
        Some((static_table::LEN + 1 + age, field))
    }

    fn add(&mut self, name_hash: u64, name: &[u8], value: &[u8]) {
        let id = self.table.inserted();
        if !self.table.insert(name, value, Traits::default()) {
            return;
        }
        if self.index.is_crowded(self.table.len()) {
            self.rebuild_index();
        } else {
            self.index.insert(hash_field(name_hash, value), id);
            self.index.insert(name_hash, id);
        }
    }

    #[cold]
    fn rebuild_index(&mut self) {
        let entries = self.table.len();
        self.index.reset(entries);
        for age in (0..entries).rev() {
            let Some(field) = self.table.get(age) else {
                continue;
            };
            let (name, value) = field.text.split_at(field.name_len);
            let id = self.table.inserted().wrapping_sub(age as u32 + 1);
            let name_hash = hash_name(static_table::find_name(name), name);
            self.index.insert(hash_field(name_hash, value), id);
            self.index.insert(name_hash, id);
        }
    }
}

/// Whether `text` is a field's name of `name_len` octets and its value, as the
/// tables hold them, and those are `name` and `value`.
#[inline]
fn is_joined(text: &[u8], name_len: usize, name: &[u8], value: &[u8]) -> bool {
    let (each_name, each_value) = text.split_at(name_len);
    equal(each_value, value) && equal(each_name, name)
}

/// A name in the static table is hashed by its index.
#[inline]
fn hash_name(static_name: Option<usize>, name: &[u8]) -> u64 {
    match static_name {
        Some(index) => fold(NAME_SEED, index as u64),
        None => hash(NAME_SEED, name),
    }
}

#[inline]
fn hash_field(name_hash: u64, value: &[u8]) -> u64 {
    hash(name_hash ^ FIELD_SEED, value)
}

/// Section 6.2: a literal field, with its name by index if there is one.
fn literal(
    pattern: u8,
    prefix_bits: u32,
    name_index: Option<usize>,
    name: &[u8],
    value: &[u8],
    out: &mut BytesMut,
) {
    if let Some(index) = name_index {
        integer::encode(pattern, prefix_bits, index, out);
    } else {
        out.put_u8(pattern);
        string(name, out);
    }
    string(value, out);
}

/// Section 5.2: a string, in whichever form is shorter.
fn string(text: &[u8], out: &mut BytesMut) {
    let len = huffman::encoded_len(text);
    if len < text.len() {
        integer::encode(0x80, 7, len, out);
        let start = out.len();
        out.resize(start + len, 0);
        huffman::encode(text, &mut out[start..]);
    } else {
        integer::encode(0x00, 7, text.len(), out);
        out.extend_from_slice(text);
    }
}
