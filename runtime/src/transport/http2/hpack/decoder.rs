//! Header blocks to field lists (RFC 7541 section 3).
//!
//! Everything here is the peer's. It must never panic, never hold more than
//! the caller's limit and one field of the block, and never spend more than a
//! fixed multiple of the limit on a block: an octet can refer to an entry of
//! four thousand, so the cost is counted in decoded octets.

use super::super::fields::{FIELD_OVERHEAD, Fields};
use super::dynamic_table::{DynamicTable, Field};
use super::{DEFAULT_TABLE_SIZE, Error, huffman, integer, static_table};

#[cfg(test)]
#[path = "decoder_tests.rs"]
mod tests;

/// How far over its limit a header list is still decoded, so that only its
/// stream is lost and not the connection.
const TOLERANCE: usize = 4;

/// A list of this size is tolerated under any limit, however low.
const TOLERATED_SIZE: usize = 64 * 1024;

/// One direction's decompression state.
pub(crate) struct Decoder {
    table: DynamicTable,
    /// The greatest table size the peer may choose.
    limit: usize,
    /// What `limit` will be once the peer has acknowledged our SETTINGS.
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
    /// Once the list's size goes over `max_list_size` (octets as
    /// [`Fields::size`] counts them), `fields` is marked overflowed and takes
    /// no more, while the block is decoded on for the table's sake. Over four
    /// times that size, and over 64 KiB, it fails with
    /// [`Error::ExcessiveList`]. After any error the decoder must not be used
    /// again.
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

    /// Section 6.3: size updates, which stand before the first field only.
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

    fn literal(
        &mut self,
        name_index: usize,
        input: &mut &[u8],
        list: &mut List<'_>,
        add: bool,
    ) -> Result<(), Error> {
        let draft = list.fields.draft();
        let start = draft.len();
        if name_index == 0 {
            string(input, draft)?;
        } else {
            let field = lookup(&self.table, name_index)?;
            draft.extend_from_slice(&field.text[..field.name_len]);
        }
        let name_end = draft.len();
        string(input, draft)?;
        let (name, value) = draft[start..].split_at(name_end - start);
        let malformed = !is_name(name) || !is_value(value);
        if add {
            self.table.insert(name, value, malformed);
        }
        list.settle(start, name_end, malformed)
    }
}

/// A list under way, and what it has cost.
struct List<'a> {
    fields: &'a mut Fields,
    /// The size of all fields so far, those left out included.
    size: usize,
    max_size: usize,
    /// The size at which the block is given up.
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
        if field.malformed {
            self.fields.mark_malformed();
        }
        Ok(())
    }

    /// Adds the field drafted from `start` on.
    #[inline]
    fn settle(&mut self, start: usize, name_end: usize, malformed: bool) -> Result<(), Error> {
        let len = self.fields.draft().len() - start;
        if !self.admit(len)? {
            self.fields.discard(start);
            return Ok(());
        }
        self.fields.keep(start, name_end);
        if malformed {
            self.fields.mark_malformed();
        }
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
            malformed: false,
        });
    }
    // Index 0 wraps to an age no entry has.
    table
        .get(index.wrapping_sub(static_table::LEN + 1))
        .ok_or(Error::UnknownIndex)
}

/// Section 5.2: takes a string off `input` and puts it at the end of `out`.
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

/// RFC 9113 section 8.2.1, field names: a token (RFC 9110 section 5.6.2) with
/// no upper-case letter, and a colon in front of it for a pseudo-header.
fn is_name(name: &[u8]) -> bool {
    let token = name.strip_prefix(b":").unwrap_or(name);
    !token.is_empty() && token.iter().all(|&octet| TOKEN[usize::from(octet)])
}

static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut octet = 0;
    while octet < 128_u8 {
        table[octet as usize] = matches!(
            octet,
            b'a'..=b'z' | b'0'..=b'9' | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+'
                | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        );
        octet += 1;
    }
    table
};

/// RFC 9113 section 8.2.1, field values: no NUL, LF or CR.
fn is_value(value: &[u8]) -> bool {
    // Without a way out in the middle this runs many octets at a time.
    !value.iter().fold(false, |bad, &octet| {
        bad | matches!(octet, 0 | b'\n' | b'\r')
    })
}
