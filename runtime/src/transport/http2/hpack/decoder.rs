//! Decodes header blocks to field lists (RFC 7541 section 3).
//!
//! The input is the peer's. A decoded block holds at most the caller's limit and one field,
//! and costs at most a fixed multiple of the limit: one octet can refer to an entry of four
//! thousand octets, so the cost is counted in decoded octets.

use super::super::field_rules::Traits;
use super::super::fields::{FIELD_OVERHEAD, Fields};
use super::dynamic_table::{DynamicTable, Field};
use super::repeats::Repeats;
use super::{DEFAULT_TABLE_SIZE, Error, huffman, integer, static_table};

#[cfg(test)]
mod tests;

/// A header list up to this many times its limit is still decoded, so that only its stream
/// fails and not the connection.
const TOLERANCE: usize = 4;

/// A list of this size is decoded under any limit.
const TOLERATED_SIZE: usize = 64 * 1024;

/// The least number of consecutive indices that are looked up as a run. Shorter runs are as
/// fast one by one, and occur in every first block, where the table is about to change.
const SHORTEST_RUN: usize = 3;

/// One direction's decompression state.
pub(crate) struct Decoder {
    table: DynamicTable,
    repeats: Repeats,
    /// The greatest table size the peer may choose.
    limit: usize,
    /// The value of `limit` once the peer has acknowledged our SETTINGS.
    advertised: usize,
    /// The peer has acknowledged a limit below its table's size, so its next
    /// block has to lower it.
    must_lower: bool,
}

impl Decoder {
    /// A decoder whose end advertises `max_table_size` octets as its
    /// `SETTINGS_HEADER_TABLE_SIZE`.
    ///
    /// The peer may use the protocol's default of 4,096 octets until it has
    /// acknowledged that: see [`settings_acknowledged`](Self::settings_acknowledged).
    pub(crate) fn new(max_table_size: usize) -> Self {
        Self {
            table: DynamicTable::new(DEFAULT_TABLE_SIZE),
            repeats: Repeats::default(),
            limit: max_table_size.max(DEFAULT_TABLE_SIZE),
            advertised: max_table_size,
            must_lower: false,
        }
    }

    /// Holds the peer to the advertised table size from its next block on.
    pub(crate) fn settings_acknowledged(&mut self) {
        self.limit = self.advertised;
        self.must_lower = self.table.max_size() > self.limit;
    }

    /// Decodes a whole header block, all its fragments in one piece, into
    /// `fields`, which is cleared first.
    ///
    /// Once the list's size exceeds `max_list_size` (octets as [`Fields::size`] counts
    /// them), `fields` is marked overflowed and gets no more fields; decoding continues to
    /// update the table. Above four times that size, and above 64 KiB, it fails with
    /// [`Error::ExcessiveList`]. The decoder must not be used after an error.
    pub(crate) fn decode(
        &mut self,
        block: &[u8],
        max_list_size: usize,
        fields: &mut Fields,
    ) -> Result<(), Error> {
        fields.clear();
        let mut input = block;
        self.size_updates(&mut input)?;
        let mut list = List {
            fields,
            size: 0,
            max_size: max_list_size,
            excess: max_list_size.saturating_mul(TOLERANCE).max(TOLERATED_SIZE),
        };
        while let Some((&first, rest)) = input.split_first() {
            if let Some((indices, rest)) = split_run(input) {
                input = rest;
                self.run(indices, &mut list)?;
                continue;
            }
            input = rest;
            if first & 0x80 != 0 {
                // Section 6.1: the index of a whole field.
                let index = integer::decode(first, 7, &mut input)?;
                list.add(lookup(&self.table, index)?)?;
            } else if first & 0x40 != 0 {
                // Section 6.2.1: a literal that enters the table.
                let index = integer::decode(first, 6, &mut input)?;
                self.literal(index, &mut input, &mut list, true)?;
            } else if first & 0x20 == 0 {
                // Sections 6.2.2 and 6.2.3: a literal that does not, or never.
                let index = integer::decode(first, 4, &mut input)?;
                self.literal(index, &mut input, &mut list, false)?;
            } else {
                return Err(Error::InvalidSizeUpdate);
            }
        }
        Ok(())
    }

    /// Section 6.3: size updates, which are allowed before the first field only.
    fn size_updates(&mut self, input: &mut &[u8]) -> Result<(), Error> {
        while let Some((&first, rest)) = input.split_first()
            && first & 0xe0 == 0x20
        {
            *input = rest;
            let size = integer::decode(first, 5, input)?;
            if size > self.limit {
                return Err(Error::InvalidSizeUpdate);
            }
            self.table.set_max_size(size);
            self.must_lower = false;
        }
        if self.must_lower {
            return Err(Error::MissingSizeUpdate);
        }
        Ok(())
    }

    /// Fields that the tables hold, each an index of one octet.
    fn run(&mut self, indices: &[u8], list: &mut List<'_>) -> Result<(), Error> {
        let changes = self.table.changes();
        if let Some(fields) = self.repeats.fields(indices, changes)
            && list.append(fields)
        {
            return Ok(());
        }
        let start = list.fields.extent();
        let mut traits = Traits::default();
        for index in indices {
            let field = lookup(&self.table, usize::from(index & 0x7f))?;
            traits = traits.followed_by(field.traits);
            list.add(field)?;
        }
        let end = list.fields.extent();
        if !list.fields.overflowed()
            && let Some(fields) = self
                .repeats
                .remember(indices, list.fields, (start, end), changes)
        {
            fields.note(traits);
        }
        Ok(())
    }

    fn literal(
        &mut self,
        name_index: usize,
        input: &mut &[u8],
        list: &mut List<'_>,
        add: bool,
    ) -> Result<(), Error> {
        let draft = list.fields.draft();
        let start = draft.len();
        let mut known = None;
        if name_index == 0 {
            string(input, draft)?;
        } else {
            let field = lookup(&self.table, name_index)?;
            draft.extend_from_slice(&field.text[..field.name_len]);
            known = Some(field.traits);
        }
        let name_end = draft.len();
        string(input, draft)?;
        let (name, value) = draft[start..].split_at(name_end - start);
        let traits = match known {
            Some(same_name) => same_name.with_value(value),
            None => Traits::of(name, value),
        };
        if add {
            self.table.insert(name, value, traits);
        }
        list.settle(start, name_end, traits)
    }
}

/// Takes the one-octet indices off the front, if they are enough for a run.
#[inline]
fn split_run(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let is_short = |octet: &u8| (0x81..0xff).contains(octet);
    let shortest = input.first_chunk::<SHORTEST_RUN>()?;
    if !shortest.iter().all(is_short) {
        return None;
    }
    let end = input.iter().position(|octet| !is_short(octet));
    Some(input.split_at(end.unwrap_or(input.len())))
}

/// A list that is being decoded, and its size so far.
struct List<'a> {
    fields: &'a mut Fields,
    /// The size of all fields so far, including those left out.
    size: usize,
    max_size: usize,
    /// The size above which decoding fails.
    excess: usize,
}

impl List<'_> {
    /// Adds a field of a table.
    #[inline]
    fn add(&mut self, field: Field<'_>) -> Result<(), Error> {
        if !self.admit(field.text.len())? {
            return Ok(());
        }
        self.fields.push_joined(field.text, field.name_len);
        self.fields.note(field.traits);
        Ok(())
    }

    /// Adds a remembered run of fields; `false`, and none added, if they would exceed a
    /// limit.
    #[inline]
    fn append(&mut self, fields: &Fields) -> bool {
        let size = self.size + fields.size();
        if size > self.max_size {
            return false;
        }
        self.size = size;
        self.fields.append(fields);
        true
    }

    /// Adds the field drafted from `start` on.
    #[inline]
    fn settle(&mut self, start: usize, name_end: usize, traits: Traits) -> Result<(), Error> {
        let len = self.fields.draft().len() - start;
        if !self.admit(len)? {
            self.fields.discard(start);
            return Ok(());
        }
        self.fields.keep(start, name_end);
        self.fields.note(traits);
        Ok(())
    }

    /// Counts a field with `len` octets of text. Whether it is to be kept.
    #[inline]
    fn admit(&mut self, len: usize) -> Result<bool, Error> {
        self.size += len + FIELD_OVERHEAD;
        if self.size <= self.max_size {
            return Ok(true);
        }
        self.fields.mark_overflowed();
        if self.size > self.excess {
            return Err(Error::ExcessiveList);
        }
        Ok(false)
    }
}

/// The field at `index` of both tables (section 2.3.3).
#[inline]
fn lookup(table: &DynamicTable, index: usize) -> Result<Field<'_>, Error> {
    if let Some(field) = static_table::get(index) {
        return Ok(Field {
            text: field.text,
            name_len: field.name_len,
            traits: field.traits,
        });
    }
    // Index 0 wraps to an age no entry has.
    table
        .get(index.wrapping_sub(static_table::LEN + 1))
        .ok_or(Error::UnknownIndex)
}

/// Section 5.2: takes a string off `input` and appends it to `out`.
#[inline]
fn string(input: &mut &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    let (&first, rest) = input.split_first().ok_or(Error::Truncated)?;
    *input = rest;
    let len = integer::decode(first, 7, input)?;
    let (text, rest) = input.split_at_checked(len).ok_or(Error::Truncated)?;
    *input = rest;
    if first & 0x80 == 0 {
        out.extend_from_slice(text);
        return Ok(());
    }
    huffman::decode(text, out).map_err(|_| Error::InvalidHuffman)
}
