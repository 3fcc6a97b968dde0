//! The prefixed integers of RFC 7541 section 5.1.
//!
//! Decoding takes at most five continuation octets, so that neither a value
//! nor a run of padding octets can grow without end.

use bytes::{BufMut, BytesMut};

use super::Error;

#[cfg(test)]
mod tests;

/// Takes an integer whose first octet is `first` and whose continuation
/// octets, if any, stand at the start of `input`.
#[inline]
pub(super) fn decode(first: u8, prefix_bits: u32, input: &mut &[u8]) -> Result<usize, Error> {
    let mask = u8::MAX >> (8 - prefix_bits);
    let prefix = first & mask;
    if prefix < mask {
        return Ok(usize::from(prefix));
    }
    decode_continued(mask, input)
}

#[cold]
fn decode_continued(mask: u8, input: &mut &[u8]) -> Result<usize, Error> {
    let mut value = u64::from(mask);
    for shift in (0..35).step_by(7) {
        let (&octet, rest) = input.split_first().ok_or(Error::Truncated)?;
        *input = rest;
        value += u64::from(octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            let value = u32::try_from(value).map_err(|_| Error::IntegerOverflow)?;
            return usize::try_from(value).map_err(|_| Error::IntegerOverflow);
        }
    }
    Err(Error::IntegerOverflow)
}

/// Writes `value` with a prefix of `prefix_bits` below the bits of `pattern`.
#[inline]
pub(super) fn encode(pattern: u8, prefix_bits: u32, value: usize, out: &mut BytesMut) {
    let mask = u8::MAX >> (8 - prefix_bits);
    if value < usize::from(mask) {
        out.put_u8(pattern | value as u8);
    } else {
        encode_continued(pattern | mask, value - usize::from(mask), out);
    }
}

fn encode_continued(first: u8, mut rest: usize, out: &mut BytesMut) {
    out.put_u8(first);
    while rest >= 0x80 {
        out.put_u8(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.put_u8(rest as u8);
}
