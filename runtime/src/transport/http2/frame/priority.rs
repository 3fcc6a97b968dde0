//! PRIORITY (RFC 9113 section 6.3): deprecated, so only checked.

use super::{FrameError, FrameHead, MAX_31_BITS};

/// A PRIORITY frame, or the priority in a HEADERS frame. Its weight and its
/// exclusive flag mean nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Priority {
    stream_id: u32,
    dependency: u32,
}

impl Priority {
    /// The length of the payload.
    pub(super) const LEN: usize = 5;

    /// Checks the frame. A stream that depends on itself is an error of
    /// RFC 7540 section 5.3.1 that RFC 9113 no longer has; peers and
    /// conformance suites still go by it.
    pub(crate) fn parse(head: FrameHead, payload: &[u8]) -> Result<Self, FrameError> {
        if head.stream_id == 0 {
            return Err(FrameError::protocol("PRIORITY on stream 0"));
        }
        let octets = <[u8; Self::LEN]>::try_from(payload)
            .map_err(|_| FrameError::size("PRIORITY not of 5 octets").on_stream())?;
        let priority = Self::read(head.stream_id, octets);
        if priority.depends_on_itself() {
            return Err(FrameError::protocol("stream depends on itself").on_stream());
        }
        Ok(priority)
    }

    #[inline]
    pub(super) const fn read(stream_id: u32, octets: [u8; Self::LEN]) -> Self {
        let [d0, d1, d2, d3, _weight] = octets;
        Self {
            stream_id,
            dependency: u32::from_be_bytes([d0, d1, d2, d3]) & MAX_31_BITS,
        }
    }

    #[inline]
    pub(super) const fn depends_on_itself(self) -> bool {
        self.stream_id == self.dependency
    }
}
