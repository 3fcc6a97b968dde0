//! What an encoding needs to be one: a way there and a way back. Each codec is
//! one value of this type, so that nobody but [`Compression`](super::Compression)
//! has to know which there are.

use std::borrow::Cow;

use super::inflated::Inflated;
use crate::framing::payload::PayloadReader;

/// What is wrong, in the codec's words.
pub(super) type Reason = Cow<'static, str>;

/// One encoding at work.
pub(super) struct Codec {
    /// Appends the compressed bytes, or says why there are none.
    pub(super) compress: fn(&[u8], &mut Vec<u8>) -> Result<(), Reason>,
    /// Decompresses all of the input.
    pub(super) decompress: fn(PayloadReader<'_>, &mut Inflated) -> Result<(), Fault>,
}

/// Why a body cannot be decompressed.
#[derive(Debug)]
pub(super) enum Fault {
    /// There would be more than the limit.
    TooLarge,
    /// The input ended too soon.
    Truncated,
    /// So many bytes follow the end of the compressed data.
    Trailing(usize),
    /// It breaks its format: what the codec says of it.
    Corrupt(Reason),
}

impl Fault {
    pub(super) fn reason(self) -> Reason {
        match self {
            Self::TooLarge => "it is too large".into(),
            Self::Truncated => "it ends before its compressed data does".into(),
            Self::Trailing(count) => {
                format!("{count} bytes follow the end of its compressed data").into()
            }
            Self::Corrupt(reason) => reason,
        }
    }
}
