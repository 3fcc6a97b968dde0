//! The base64 of `-bin` values (PROTOCOL-HTTP2, "Binary-Header"): written
//! without padding, read with or without.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        // Some encoders leave bits behind the last byte, and other gRPC
        // implementations read past them.
        .with_decode_allow_trailing_bits(true),
);

/// How long the encoded form of `length` bytes is.
pub(super) const fn encoded_len(length: usize) -> usize {
    length / 3 * 4 + [0, 2, 3][length % 3]
}

/// Replaces the content of `out` with the encoded form of `bytes`, and returns
/// it.
pub(crate) fn encode<'a>(bytes: &[u8], out: &'a mut Vec<u8>) -> &'a [u8] {
    out.resize(encoded_len(bytes.len()), 0);
    // The length is exact, so the encoder always has room.
    let written = ENGINE.encode_slice(bytes, out).unwrap_or_default();
    &out[..written]
}

/// Appends what `text` stands for to `out`; `None`, and `out` as it was, if it
/// is not base64.
pub(crate) fn decode(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let start = out.len();
    let decoded = ENGINE.decode_vec(text, out);
    if decoded.is_err() {
        out.truncate(start);
    }
    decoded.ok()
}
