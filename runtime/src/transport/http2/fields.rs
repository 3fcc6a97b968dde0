//! A list of header fields in one arena, reused for the header blocks of a connection.
//! Fields keep their order. It allocates nothing once its two buffers have grown to the size
//! of the connection's usual header list.

use std::fmt;

use super::field_rules::Traits;

#[cfg(test)]
mod tests;

/// The overhead of a field's size, by RFC 9113 section 6.5.2.
pub(crate) const FIELD_OVERHEAD: usize = 32;

/// The capacity that [`Fields::clear`] keeps, so that one large header list does not occupy
/// memory for the life of the connection.
const KEPT_CAPACITY: usize = 2 * 1024;

/// An ordered list of header fields. By default it is empty and owns no memory.
#[derive(Clone, Default)]
pub(crate) struct Fields {
    /// Names and values, one after the other. While a field is being drafted,
    /// its octets stand behind the last span.
    bytes: Vec<u8>,
    spans: Vec<Span>,
    /// The number of fields at the front that are the same in many lists.
    common: usize,
    /// The traits of all fields together, if they were received.
    traits: Traits,
    overflowed: bool,
}

/// The lengths of one field in the arena. It starts where the field before it ends.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Span {
    name: usize,
    value: usize,
}

impl Fields {
    /// Appends a field.
    #[inline]
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

    /// The arena, for writing a field's name and value at its end. The writer then calls
    /// [`keep`](Self::keep) or [`discard`](Self::discard).
    #[inline]
    pub(super) fn draft(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Makes a field of the octets drafted from `start` on, all that follow the
    /// last field.
    #[inline]
    pub(super) fn keep(&mut self, start: usize, name_end: usize) {
        let end = self.bytes.len();
        debug_assert!(start <= name_end && name_end <= end);
        self.spans.push(Span {
            name: name_end - start,
            value: end - name_end,
        });
    }

    /// Appends all fields of `other`, with what is known of them.
    #[inline]
    pub(crate) fn append(&mut self, other: &Self) {
        self.bytes.extend_from_slice(&other.bytes);
        self.spans.extend_from_slice(&other.spans);
        self.traits = self.traits.followed_by(other.traits);
    }

    /// Marks the fields so far as the same in many lists, while those that follow differ: an
    /// encoder remembers the two parts separately. Without this call the whole list is one
    /// part.
    pub(crate) fn end_common_part(&mut self) {
        self.common = self.spans.len();
    }

    /// How many fields, and octets of the arena, are common to many lists.
    pub(super) fn common_part(&self) -> (usize, usize) {
        if self.common == 0 {
            return (self.spans.len(), self.bytes.len());
        }
        let spans = &self.spans[..self.common];
        let octets = spans.iter().map(|span| span.name + span.value).sum();
        (self.common, octets)
    }

    /// Whether the first fields, given by their number and octets, are the same as those of
    /// `other`.
    #[inline]
    pub(super) fn begins_with(&self, other: &Self, (count, octets): (usize, usize)) -> bool {
        other.spans.len() == count
            && other.bytes.len() == octets
            && other.bytes == self.bytes[..octets]
            && other.spans == self.spans[..count]
    }

    /// Appends the fields of `other` between these counts of fields and of octets, without
    /// their traits.
    pub(super) fn copy_part(&mut self, other: &Self, from: (usize, usize), to: (usize, usize)) {
        self.clear();
        self.bytes.extend_from_slice(&other.bytes[from.1..to.1]);
        self.spans.extend_from_slice(&other.spans[from.0..to.0]);
    }

    /// The numbers of fields and octets.
    #[inline]
    pub(super) fn extent(&self) -> (usize, usize) {
        (self.spans.len(), self.bytes.len())
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

    /// Notes what is known of the fields appended last.
    #[inline]
    pub(super) fn note(&mut self, traits: Traits) {
        self.traits = self.traits.followed_by(traits);
    }

    /// What is known of the fields together.
    #[inline]
    pub(super) fn traits(&self) -> Traits {
        self.traits
    }

    /// The fields as (name, value), in the order they came.
    #[inline]
    pub(crate) fn iter(&self) -> FieldsIter<'_> {
        self.skip(0, 0)
    }

    /// As [`iter`](Self::iter), after this many fields and octets.
    #[inline]
    pub(super) fn skip(&self, count: usize, octets: usize) -> FieldsIter<'_> {
        FieldsIter {
            bytes: &self.bytes[octets..],
            spans: self.spans[count..].iter(),
        }
    }

    /// The value of the first field of that name; the case must match.
    pub(crate) fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter()
            .find_map(|(each, value)| (each == name).then_some(value))
    }

    /// The body's length by `content-length`; `None` if there are different values (RFC 9110
    /// section 8.6).
    pub(super) fn content_length(&self) -> Option<u64> {
        let told = |(name, value)| (name == b"content-length").then_some(value);
        let mut lengths = self.iter().filter_map(told);
        let first = lengths.next().unwrap_or_default();
        if !lengths.all(|length| length == first) {
            return None;
        }
        std::str::from_utf8(first).ok()?.parse().ok()
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

    /// Empties the list and resets its marks, but keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
        self.common = 0;
        self.traits = Traits::default();
        self.overflowed = false;
        if self.bytes.capacity() > KEPT_CAPACITY {
            self.bytes.shrink_to(KEPT_CAPACITY);
            self.spans.shrink_to(KEPT_CAPACITY / FIELD_OVERHEAD);
        }
    }
}

/// The fields of a list, in order.
#[derive(Clone)]
pub(crate) struct FieldsIter<'a> {
    /// What `spans` divide.
    bytes: &'a [u8],
    spans: std::slice::Iter<'a, Span>,
}

impl<'a> Iterator for FieldsIter<'a> {
    type Item = (&'a [u8], &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let span = self.spans.next()?;
        let (name, rest) = self.bytes.split_at(span.name);
        let (value, rest) = rest.split_at(span.value);
        self.bytes = rest;
        Some((name, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.spans.size_hint()
    }
}

impl ExactSizeIterator for FieldsIter<'_> {}

/// Shows names only: values can be credentials.
impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|(name, _)| name.escape_ascii().to_string()))
            .finish()
    }
}
