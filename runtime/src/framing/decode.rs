//! Decodes a payload into a message, decompressing it first if it is compressed.

use std::ops::Range;

use bytes::{Buf, Bytes};
use prost::Message;

use super::compression::decompress;
use super::error::FramingError;
use super::payload::{Payload, PayloadReader};
use crate::spare;

/// Decodes a message in the receiver's task, decompressing it first if it is compressed.
/// Returns its decompressed size too. prost limits the depth of nesting.
pub(crate) fn decode_message<M: Message + Default>(
    mut payload: Payload,
) -> Result<(M, usize), FramingError> {
    if payload.is_compressed() {
        payload = decompress(&payload)?;
    }
    let size = payload.len();
    let decoded = M::decode(payload.reader());
    spare::keep_message(payload.into_front());
    Ok((decoded.map_err(FramingError::Decode)?, size))
}

/// The bytes of a message in one piece, decompressed if it is compressed.
pub(crate) fn plain(mut payload: Payload) -> Result<Bytes, FramingError> {
    if payload.is_compressed() {
        payload = decompress(&payload)?;
    }
    Ok(payload.reader().copy_to_bytes(payload.len()))
}

/// Decodes the message in `range` of `piece`.
pub(super) fn decode_slice<M: Message + Default>(
    piece: &Bytes,
    range: Range<usize>,
) -> Result<M, FramingError> {
    let reader = PayloadReader::of(piece, range);
    M::decode(reader).map_err(FramingError::Decode)
}
