//! `RST_STREAM` (RFC 9113 section 6.4).

use bytes::BytesMut;

use super::{ErrorCode, FrameError, FrameHead, Kind};

/// A `RST_STREAM` frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reset {
    pub(crate) stream_id: u32,
    pub(crate) code: ErrorCode,
}

impl Reset {
    /// Reads the frame.
    pub(crate) fn parse(head: FrameHead, payload: &[u8]) -> Result<Self, FrameError> {
        if head.stream_id == 0 {
            return Err(FrameError::protocol("RST_STREAM on stream 0"));
        }
        let code = <[u8; 4]>::try_from(payload)
            .map_err(|_| FrameError::size("RST_STREAM not of 4 octets"))?;
        Ok(Self {
            stream_id: head.stream_id,
            code: ErrorCode(u32::from_be_bytes(code)),
        })
    }

    /// Appends the frame.
    pub(crate) fn encode(self, out: &mut BytesMut) {
        FrameHead::new(4, Kind::RST_STREAM, 0, self.stream_id).encode(out);
        out.extend_from_slice(&self.code.0.to_be_bytes());
    }
}
