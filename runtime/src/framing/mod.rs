//! Length-prefixed messages (PROTOCOL-HTTP2, "Length-Prefixed-Message"): one
//! flag byte, four bytes of length, the body. Bytes in, messages out, and back;
//! no I/O, and never a byte of memory on the word of a prefix alone.

mod error;
mod payload;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use self::error::{FramingError, Side};
pub(crate) use self::payload::{Payload, decode_message};
pub(crate) use self::reader::{MessageReader, sole_message};
pub(crate) use self::writer::{encode_message, framed_len, put_message};

/// The flag and the length before each body.
pub(crate) const PREFIX_LEN: usize = 5;

/// Received bytes below this are copied rather than kept, once they have to wait:
/// they may be a slice of a read buffer many times their size.
const SMALL: usize = 1024;
