//! The interface of an encoding: a function to compress and one to decompress. Each codec is
//! one value of this type, so only [`Compression`](super::Compression) lists the codecs.

use super::fault::{Fault, FaultReason};
use super::inflated::Inflated;
use crate::framing::payload::PayloadReader;

/// One encoding.
pub(super) struct Codec {
    /// Appends the compressed bytes, or returns why it cannot.
    pub(super) compress: fn(&[u8], &mut Vec<u8>) -> Result<(), FaultReason>,
    /// Decompresses all of the input.
    pub(super) decompress: fn(PayloadReader<'_>, &mut Inflated) -> Result<(), Fault>,
}
