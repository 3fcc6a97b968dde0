//! The header and trailer of a gzip member (RFC 1952 section 2.3). Lengths in them are not
//! trusted.

use bytes::Buf;

use super::fault::Fault;
use crate::framing::payload::PayloadReader;

const MAGIC: [u8; 2] = [0x1f, 0x8b];
/// CM: the only method that exists.
const DEFLATE: u8 = 8;

// FLG.
const HEADER_CRC: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0xe0;

/// Reads a member's header.
pub(super) fn read_header(input: &mut PayloadReader<'_>) -> Result<(), Fault> {
    let header: [u8; 10] = take(input)?;
    let [first, second, method, flags, ..] = header;
    if [first, second] != MAGIC {
        return Err(corrupt("it does not begin like gzip"));
    }
    if method != DEFLATE || flags & RESERVED != 0 {
        return Err(corrupt(
            "its gzip header has an unknown method or reserved flags",
        ));
    }
    if flags & EXTRA != 0 {
        let length = u16::from_le_bytes(take(input)?).into();
        if input.remaining() < length {
            return Err(Fault::Truncated);
        }
        input.advance(length);
    }
    for text in [NAME, COMMENT] {
        // Ended by a zero.
        while flags & text != 0 && take::<1>(input)? != [0] {}
    }
    if flags & HEADER_CRC != 0 {
        let _checksum: [u8; 2] = take(input)?;
    }
    Ok(())
}

/// Whether another member seems to follow (section 2.2 allows several).
pub(super) fn begins(input: &PayloadReader<'_>) -> bool {
    take(&mut input.clone()).is_ok_and(|start| start == MAGIC)
}

/// Reads a member's trailer and compares it with the checksum and the length of the
/// decompressed data.
pub(super) fn read_trailer(
    input: &mut PayloadReader<'_>,
    checksum: u32,
    length: u32,
) -> Result<(), Fault> {
    if u32::from_le_bytes(take(input)?) != checksum {
        return Err(corrupt("its checksum does not match"));
    }
    if u32::from_le_bytes(take(input)?) != length {
        return Err(corrupt("its length does not match"));
    }
    Ok(())
}

fn take<const N: usize>(input: &mut PayloadReader<'_>) -> Result<[u8; N], Fault> {
    let mut bytes = [0; N];
    match input.try_copy_to_slice(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(_) => Err(Fault::Truncated),
    }
}

fn corrupt(reason: &'static str) -> Fault {
    Fault::Corrupt(reason.into())
}
