//! The percent-coding of `grpc-message` (PROTOCOL-HTTP2, "Status-Message"). Decoding does
//! not fail: malformed text is shown as it came.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode, utf8_percent_encode};

/// The characters that are encoded: those outside printable ASCII, and the percent sign.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');

/// The value of `grpc-message`. A message of plain ASCII is borrowed unchanged.
pub(crate) fn encode(message: &str) -> Cow<'_, str> {
    // RFC 9113 section 8.2.1: no field value begins or ends with a space.
    let start = message.trim_start_matches(' ');
    let inner = start.trim_end_matches(' ');
    let encoded = Cow::from(utf8_percent_encode(inner, ENCODED));
    if inner.len() == message.len() {
        return encoded;
    }
    let before = "%20".repeat(message.len() - start.len());
    let after = "%20".repeat(start.len() - inner.len());
    Cow::Owned([&before, &*encoded, &after].concat())
}

/// As much of `message` as fits in a field list that has `room` bytes left.
pub(crate) fn cut(message: &str, room: usize) -> &str {
    /// The size of the field without its value: its name, and 32 bytes (RFC 9113 section
    /// 6.5.2).
    const FIELD: usize = "grpc-message".len() + 32;
    // Spaces at either end are encoded too, and a cut can put any space at the end.
    let mut left = room.saturating_sub(FIELD);
    for (index, character) in message.char_indices() {
        let plain = ('!'..='~').contains(&character) && character != '%';
        let size = if plain { 1 } else { 3 * character.len_utf8() };
        if size > left {
            return &message[..index];
        }
        left -= size;
    }
    message
}

/// The text of a received `grpc-message`. A percent sign that begins no code is kept, and
/// bytes that are not UTF-8 become U+FFFD.
pub(crate) fn decode(value: &[u8]) -> String {
    percent_decode(value).decode_utf8_lossy().into_owned()
}
