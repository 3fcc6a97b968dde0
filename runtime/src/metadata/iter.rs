//! Iterates over metadata. Every entry is shown, malformed values of peers included.

use std::iter::FusedIterator;

use super::{Head, Metadata, is_binary};

/// One value of [`Metadata`](crate::Metadata).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MetadataValue<'a> {
    /// Text: printable ASCII, or other UTF-8 that a peer sent.
    Text(&'a str),
    /// The decoded bytes of a `-bin` key, or a value that a peer sent for another key and
    /// that is not UTF-8.
    Binary(&'a [u8]),
}

impl<'a> MetadataValue<'a> {
    pub(super) fn new(name: &[u8], value: &'a [u8]) -> Self {
        if is_binary(name) {
            return Self::Binary(value);
        }
        str::from_utf8(value).map_or(Self::Binary(value), Self::Text)
    }

    /// The text, if it is text.
    pub const fn as_str(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// The bytes of either.
    pub const fn as_bytes(self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

/// The keys and values of [`Metadata`](crate::Metadata), in order.
#[derive(Debug, Clone)]
pub struct MetadataIter<'a> {
    raw: Raw<'a>,
}

impl<'a> MetadataIter<'a> {
    pub(super) fn new(raw: Raw<'a>) -> Self {
        Self { raw }
    }
}

impl<'a> Iterator for MetadataIter<'a> {
    type Item = (&'a str, MetadataValue<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = self.raw.next()?;
        // Names are ASCII, received ones too: `append_wire` takes no others.
        Some((
            str::from_utf8(name).unwrap_or_default(),
            MetadataValue::new(name, value),
        ))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.raw.clone().count();
        (left, Some(left))
    }
}

impl ExactSizeIterator for MetadataIter<'_> {}
impl FusedIterator for MetadataIter<'_> {}

impl<'a> IntoIterator for &'a Metadata {
    type Item = (&'a str, MetadataValue<'a>);
    type IntoIter = MetadataIter<'a>;

    fn into_iter(self) -> MetadataIter<'a> {
        self.iter()
    }
}

/// Names and values as they are in the arena.
#[derive(Debug, Clone)]
pub(super) struct Raw<'a> {
    /// Whole entries.
    arena: &'a [u8],
}

impl<'a> Raw<'a> {
    pub(super) fn new(arena: &'a [u8]) -> Self {
        Self { arena }
    }
}

impl<'a> Iterator for Raw<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (head, rest) = self.arena.split_first_chunk()?;
        let head = Head::read(*head);
        let (name, rest) = rest.split_at(head.name);
        let (value, rest) = rest.split_at(head.value);
        self.arena = rest;
        Some((name, value))
    }
}
