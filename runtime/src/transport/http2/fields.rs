//! A list of header fields in one arena, made to be filled, read and cleared
//! again for every header block of a connection.
//!
//! It must never allocate once its two buffers have grown to the size of the
//! connection's usual header list, and never drop or reorder a field.

use std::fmt;

#[cfg(test)]
mod tests;

/// What RFC 9113 section 6.5.2 adds to a field's name and value for its size.
pub(crate) const FIELD_OVERHEAD: usize = 32;

/// What [`Fields::clear`] keeps of the arena. One outsized header list must
/// not pin its memory for the life of the connection.
const KEPT_CAPACITY: usize = 16 * 1024;

/// An ordered list of header fields. By default it is empty and owns no memory.
#[derive(Clone, Default)]
pub(crate) struct Fields {
    /// Names and values, one after the other. While a field is being drafted,
    /// its octets stand behind the last span.
    bytes: Vec<u8>,
    spans: Vec<Span>,
    overflowed: bool,
    malformed: bool,
}

/// Where one field stands in the arena: name, then value, without a gap.
#[derive(Clone, Copy)]
struct Span {
    start: usize,
    name_end: usize,
    end: usize,
}

impl Fields {
    /// Appends a field.
    pub(crate) fn push(&mut self, name: &[u8], value: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name);
        self.bytes.extend_from_slice(value);
        self.keep(start, start + name.len());
    }

    /// Appends a field whose name is the first `name_len` octets of `text`
    /// and whose value is the rest, as the header tables hold it.
    #[inline]
    pub(super) fn push_joined(&mut self, text: &[u8], name_len: usize) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(text);
        self.keep(start, start + name_len);
    }

    /// The arena, to write a field's name and value at its end. Whoever writes
    /// there ends with [`keep`](Self::keep) or [`discard`](Self::discard).
    #[inline]
    pub(super) fn draft(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Makes a field of the octets drafted from `start` on.
    #[inline]
    pub(super) fn keep(&mut self, start: usize, name_end: usize) {
        let end = self.bytes.len();
        debug_assert!(start <= name_end && name_end <= end);
        self.spans.push(Span {
            start,
            name_end,
            end,
        });
    }

    /// Forgets the octets drafted from `start` on.
    #[inline]
    pub(super) fn discard(&mut self, start: usize) {
        self.bytes.truncate(start);
    }

    /// Records that a field went over the limit and is not in the list.
    #[inline]
    pub(super) fn mark_overflowed(&mut self) {
        self.overflowed = true;
    }

    /// Records that a field has octets that RFC 9113 section 8.2.1 forbids.
    #[inline]
    pub(super) fn mark_malformed(&mut self) {
        self.malformed = true;
    }

    /// The fields as (name, value), in the order they came.
    #[inline]
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> + Clone {
        self.spans.iter().map(|span| {
            (
                &self.bytes[span.start..span.name_end],
                &self.bytes[span.name_end..span.end],
            )
        })
    }

    /// The value of the first field of that name; the case must match.
    pub(crate) fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter()
            .find_map(|(each, value)| (each == name).then_some(value))
    }

    /// The size that `SETTINGS_MAX_HEADER_LIST_SIZE` limits, in octets
    /// (RFC 9113 section 6.5.2): each name and value, and 32 for each field.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len() + self.spans.len() * FIELD_OVERHEAD
    }

    /// Whether the list is incomplete because it went over the limit.
    pub(crate) fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// Whether a decoded field has a name or value with octets that RFC 9113
    /// section 8.2.1 forbids (an upper-case letter in a name, NUL, CR or LF in
    /// a value, …), which makes the message malformed: a stream error. Space
    /// around a value is let through, since some peers send it.
    pub(crate) fn malformed(&self) -> bool {
        self.malformed
    }

    /// Empties the list and takes back its marks, but keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
        self.overflowed = false;
        self.malformed = false;
        if self.bytes.capacity() > KEPT_CAPACITY {
            self.bytes.shrink_to(KEPT_CAPACITY);
            self.spans.shrink_to(KEPT_CAPACITY / FIELD_OVERHEAD);
        }
    }
}

/// Shows names only: values can be credentials.
impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|(name, _)| name.escape_ascii().to_string()))
            .finish()
    }
}
