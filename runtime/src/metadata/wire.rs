//! Metadata as HTTP/2 header fields. Reserved fields are not written, even if they were
//! received from a peer.

use super::error::Problem;
use super::{Metadata, MetadataError, base64, is_binary, is_reserved};

/// RFC 9113 section 6.5.2: what each field counts beyond its bytes.
const FIELD_OVERHEAD: usize = 32;

impl Metadata {
    /// Adds a received field. The caller decides which fields are metadata.
    ///
    /// A `-bin` value is decoded; values that are joined with commas are added one by one.
    /// Any other value is kept unchanged.
    ///
    /// # Errors
    ///
    /// A `-bin` value is not base64, or the name is not visible ASCII. The metadata is
    /// unchanged then.
    pub(crate) fn append_wire(&mut self, name: &[u8], value: &[u8]) -> Result<(), MetadataError> {
        if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
            return Err(refused(name, Problem::Key));
        }
        if !is_binary(name) {
            self.push(name, value);
            return Ok(());
        }
        let before = self.arena.len();
        for encoded in value.split(|byte| *byte == b',') {
            let start = self.begin(name, encoded.len());
            if base64::decode(encoded.trim_ascii(), &mut self.arena).is_none() {
                self.arena.truncate(before);
                return Err(refused(name, Problem::Base64));
            }
            self.finish(start, name.len());
        }
        Ok(())
    }

    /// Calls `field` with the name and the value of each field to send, in
    /// order.
    #[inline]
    pub(crate) fn for_each_wire(&self, mut field: impl FnMut(&[u8], &[u8])) {
        let mut scratch = Vec::new();
        for (name, value) in self.raw().filter(|(name, _)| !is_reserved(name)) {
            if is_binary(name) {
                field(name, base64::encode(value, &mut scratch));
            } else {
                field(name, value);
            }
        }
    }
}

pub(super) fn size(metadata: &Metadata) -> usize {
    metadata
        .raw()
        .filter(|(name, _)| !is_reserved(name))
        .map(|(name, value)| {
            let value = if is_binary(name) {
                base64::encoded_len(value.len())
            } else {
                value.len()
            };
            name.len() + value + FIELD_OVERHEAD
        })
        .sum()
}

#[cold]
fn refused(name: &[u8], problem: Problem) -> MetadataError {
    MetadataError::new(&String::from_utf8_lossy(name), problem)
}
