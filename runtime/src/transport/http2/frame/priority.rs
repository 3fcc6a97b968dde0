//! PRIORITY (RFC 9113 section 6.3): deprecated, so only checked.

use super::{FrameError, FrameHead, MAX_31_BITS};

/// A PRIORITY frame, or the priority in a HEADERS frame. Its weight and its
/// exclusive flag mean nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Priority {
    dependency: u32,
}

impl Priority {
    /// The length of the payload.
    pub(super) const LEN: usize = 5;

    /// Checks the frame. A stream that depends on itself is an error by RFC 7540 section
    /// 5.3.1 but not by RFC 9113; conformance suites still test it.
    pub(crate) fn parse(head: FrameHead, payload: &[u8]) -> Result<Self, FrameError> {
        if head.stream_id == 0 {
            return Err(FrameError::protocol("PRIORITY on stream 0"));
        }
        let octets = <[u8; Self::LEN]>::try_from(payload)
            .map_err(|_| FrameError::size("PRIORITY not of 5 octets").on_stream())?;
        let priority = Self::read(octets);
        if priority.is_on(head.stream_id) {
            return Err(FrameError::protocol("stream depends on itself").on_stream());
        }
        Ok(priority)
    }

    #[inline]
    pub(super) const fn read([d0, d1, d2, d3, _weight]: [u8; Self::LEN]) -> Self {
        Self {
            dependency: u32::from_be_bytes([d0, d1, d2, d3]) & MAX_31_BITS,
        }
    }

    #[inline]
    pub(super) const fn is_on(self, stream_id: u32) -> bool {
        self.dependency == stream_id
    }
}
