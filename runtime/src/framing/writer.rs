//! Encodes messages with their prefix directly into the output; only compression needs a
//! buffer in between.

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;

use super::compression::compress;
use super::encoding::Compression;
use super::{FramingError, PREFIX_LEN};
use crate::spare;

/// Appends `message` with its prefix to `out`. A body over `limit` bytes is an error, and
/// nothing is appended.
pub(crate) fn encode_message<M: Message>(
    message: &M,
    limit: usize,
    out: &mut BytesMut,
) -> Result<(), FramingError> {
    let length = framed_len(message, limit)?;
    if out.capacity() == 0 {
        // A buffer of the exact size is cheaper than growing one.
        *out = spare::take(length);
    }
    put_message(message, length, out);
    Ok(())
}

/// The size of `message` with its prefix. The first step of [`encode_message`], for callers
/// that need the size before they have a buffer.
pub(crate) fn framed_len<M: Message>(message: &M, limit: usize) -> Result<usize, FramingError> {
    let size = message.encoded_len();
    // The prefix has 32 bits for the length.
    let limit = limit.min(u32::MAX as usize);
    if size > limit {
        return Err(FramingError::SendTooLarge { size, limit });
    }
    Ok(PREFIX_LEN + size)
}

/// Appends `message` to `out`: the second step of [`encode_message`]. `length` is the result
/// of [`framed_len`] for the same message.
pub(crate) fn put_message<M: Message>(message: &M, length: usize, out: &mut BytesMut) {
    out.reserve(length);
    out.put_u8(0);
    out.put_u32((length - PREFIX_LEN) as u32);
    let start = out.len();
    // `Message::encode` is this after a second `encoded_len`, which walks the
    // whole message.
    message.encode_raw(out);
    debug_assert_eq!(
        out.len() - start,
        length - PREFIX_LEN,
        "encoded_len was wrong"
    );
}

/// `message` with its prefix, compressed, and its uncompressed length with the prefix. An
/// uncompressed body over `limit` bytes is an error.
pub(crate) fn compress_message<M: Message>(
    message: &M,
    limit: usize,
    compression: Compression,
) -> Result<(Bytes, usize), FramingError> {
    let mut plain = BytesMut::new();
    encode_message(message, limit, &mut plain)?;
    Ok((compress(compression, &plain[PREFIX_LEN..])?, plain.len()))
}
