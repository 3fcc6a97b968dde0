//! HPACK, the header compression of HTTP/2 (RFC 7541).
//!
//! ```text
//! block ──► decoder ──► Fields               Fields ──► encoder ──► block
//!              │                                          │
//!      static_table, dynamic_table            static_table, dynamic_table
//!      repeats, integer, huffman              repeats, sequel, index, integer, huffman
//! ```
//!
//! Both directions keep state that must match the peer's exactly, so an [`Error`] always
//! ends the connection. A header list that is only too long does not, and leaves the state
//! intact.

mod decoder;
mod dynamic_table;
mod encoder;
mod huffman;
mod index;
mod integer;
mod octets;
mod repeats;
mod sequel;
mod static_table;

use std::fmt;

use super::error_code::ErrorCode;

pub(crate) use decoder::Decoder;
pub(crate) use encoder::{Encoder, Indexing};

/// The size of a dynamic table, in octets, before any SETTINGS
/// (RFC 9113 section 6.5.2).
pub(crate) const DEFAULT_TABLE_SIZE: usize = 4096;

/// Why a header block cannot be decoded. Each is a connection error, since
/// the dynamic table is lost with the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Error {
    /// The block ends inside a field.
    Truncated,
    /// An integer is too large to mean anything (section 5.1).
    IntegerOverflow,
    /// An index that no table holds (section 2.3.3).
    UnknownIndex,
    /// A string that is no valid Huffman code (section 5.2).
    InvalidHuffman,
    /// A table size update behind a field, or above the limit (section 6.3).
    InvalidSizeUpdate,
    /// The table size had to be lowered and was not (section 4.2).
    MissingSizeUpdate,
    /// The header list is so far over the limit that decoding the rest for
    /// the table's sake costs too much.
    ExcessiveList,
}

impl Error {
    /// The code to close the connection with.
    pub(crate) const fn code(self) -> ErrorCode {
        match self {
            Self::ExcessiveList => ErrorCode::ENHANCE_YOUR_CALM,
            _ => ErrorCode::COMPRESSION_ERROR,
        }
    }

    /// The reason as text, for GOAWAY's debug data and the log.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Truncated => "header block ends inside a field",
            Self::IntegerOverflow => "header block has an integer out of range",
            Self::UnknownIndex => "header block refers to an index no table holds",
            Self::InvalidHuffman => "header block has an invalid Huffman string",
            Self::InvalidSizeUpdate => "header block has an invalid table size update",
            Self::MissingSizeUpdate => "header block lacks a required table size update",
            Self::ExcessiveList => "header list is far above the advertised limit",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod appendix_c_tests;
#[cfg(test)]
mod roundtrip_tests;
