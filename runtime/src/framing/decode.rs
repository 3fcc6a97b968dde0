//! From a payload to a message, decompressed on the way where it came so.

use std::ops::Range;

use bytes::{Buf, Bytes};
use prost::Message;

use super::compression::decompress;
use super::error::FramingError;
use super::payload::{Payload, PayloadReader};
use crate::spare;

/// Decodes a message, decompressed first where it needs to be, which is work for
/// the receiver's task; its bytes then. prost bounds how deep it may nest.
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

/// The bytes of a message in one piece, decompressed where it came compressed.
pub(crate) fn plain(mut payload: Payload) -> Result<Bytes, FramingError> {
    if payload.is_compressed() {
        payload = decompress(&payload)?;
    }
    Ok(payload.reader().copy_to_bytes(payload.len()))
}

/// Decodes the message that lies in `range` of `piece`.
pub(super) fn decode_slice<M: Message + Default>(
    piece: &Bytes,
    range: Range<usize>,
) -> Result<M, FramingError> {
    let reader = PayloadReader::of(piece, range);
    M::decode(reader).map_err(FramingError::Decode)
}
