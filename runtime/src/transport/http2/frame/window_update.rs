//! `WINDOW_UPDATE` (RFC 9113 section 6.9).

use bytes::BytesMut;

use super::{FrameError, FrameHead, Kind, MAX_31_BITS};

/// A `WINDOW_UPDATE` frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WindowUpdate {
    /// Zero for the connection's window.
    pub(crate) stream_id: u32,
    /// How many octets more may be sent, 1 to 2^31 - 1.
    pub(crate) increment: u32,
}

impl WindowUpdate {
    /// Reads the frame.
    pub(crate) fn parse(head: FrameHead, payload: &[u8]) -> Result<Self, FrameError> {
        let octets = <[u8; 4]>::try_from(payload)
            .map_err(|_| FrameError::size("WINDOW_UPDATE not of 4 octets"))?;
        let increment = u32::from_be_bytes(octets) & MAX_31_BITS;
        if increment == 0 {
            let error = FrameError::protocol("window increment of 0");
            return Err(if head.stream_id == 0 {
                error
            } else {
                error.on_stream()
            });
        }
        Ok(Self {
            stream_id: head.stream_id,
            increment,
        })
    }

    /// Appends the frame.
    pub(crate) fn encode(self, out: &mut BytesMut) {
        FrameHead::new(4, Kind::WINDOW_UPDATE, 0, self.stream_id).encode(out);
        out.extend_from_slice(&self.increment.to_be_bytes());
    }
}
