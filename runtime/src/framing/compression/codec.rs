//! What an encoding needs to be one: a way there and a way back. Each codec is
//! one value of this type, so that nobody but [`Compression`](super::Compression)
//! has to know which there are.

use super::fault::{Fault, FaultReason};
use super::inflated::Inflated;
use crate::framing::payload::PayloadReader;

/// One encoding at work.
pub(super) struct Codec {
    /// Appends the compressed bytes, or says why there are none.
    pub(super) compress: fn(&[u8], &mut Vec<u8>) -> Result<(), FaultReason>,
    /// Decompresses all of the input.
    pub(super) decompress: fn(PayloadReader<'_>, &mut Inflated) -> Result<(), Fault>,
}
