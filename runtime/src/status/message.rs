//! The percent-coding of `grpc-message` (PROTOCOL-HTTP2, "Status-Message"). A message that is
//! garbled is shown as it is: decoding does not fail.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode, utf8_percent_encode};

/// All that is not printable ASCII, and the percent sign.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');

/// The value of `grpc-message`. A message of plain ASCII is lent as it is.
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

/// As much of `message` as a field list with `room` bytes more can hold.
pub(crate) fn cut(message: &str, room: usize) -> &str {
    /// Of the field: its name, and what RFC 9113 section 6.5.2 counts beside that.
    const FIELD: usize = "grpc-message".len() + 32;
    // Spaces at either end are encoded too, and each may come to an end.
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

/// What a received `grpc-message` says. A percent sign that begins no code stays
/// as it is, and what is not UTF-8 becomes U+FFFD.
pub(crate) fn decode(value: &[u8]) -> String {
    percent_decode(value).decode_utf8_lossy().into_owned()
}
