//! The percent-coding of `grpc-message` (PROTOCOL-HTTP2, "Status-Message").
//! Decoding must never fail: a message that is garbled is still a message, and
//! the code beside it stands.

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

/// What a received `grpc-message` says. A percent sign that begins no code stays
/// as it is, and what is not UTF-8 becomes U+FFFD.
pub(crate) fn decode(value: &[u8]) -> String {
    percent_decode(value).decode_utf8_lossy().into_owned()
}
