//! Length-prefixed messages (PROTOCOL-HTTP2, "Length-Prefixed-Message"): one flag byte, four
//! bytes of length, the body. Converts messages to bytes and back without I/O, and
//! compresses and decompresses bodies in the caller's task. A received length alone reserves
//! little memory.

mod boundaries;
mod compression;
mod decode;
pub(crate) mod encoding;
mod error;
mod payload;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use self::boundaries::Boundaries;
pub(crate) use self::compression::{Encodings, compress};
pub(crate) use self::decode::{decode_message, plain};
pub(crate) use self::encoding::Compression;
pub(crate) use self::error::FramingError;
pub use self::error::Side;
pub(crate) use self::payload::Payload;
pub(crate) use self::reader::{MessageReader, sole_message};
pub(crate) use self::writer::{compress_message, encode_message, framed_len, put_message};

/// The flag and the length before each body.
pub(crate) const PREFIX_LEN: usize = 5;
