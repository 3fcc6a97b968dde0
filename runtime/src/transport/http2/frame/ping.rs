//! PING (RFC 9113 section 6.7).

use bytes::BytesMut;

use super::{ACK, FrameError, FrameHead, Kind};

/// A PING frame, or the answer to one with the same data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ping {
    pub(crate) ack: bool,
    pub(crate) data: [u8; 8],
}

impl Ping {
    /// Reads the frame.
    pub(crate) fn parse(head: FrameHead, payload: &[u8]) -> Result<Self, FrameError> {
        if head.stream_id != 0 {
            return Err(FrameError::protocol("PING on a stream"));
        }
        let data =
            <[u8; 8]>::try_from(payload).map_err(|_| FrameError::size("PING not of 8 octets"))?;
        Ok(Self {
            ack: head.has(ACK),
            data,
        })
    }

    /// Appends the frame.
    pub(crate) fn encode(self, out: &mut BytesMut) {
        let flags = u8::from(self.ack) * ACK;
        FrameHead::new(8, Kind::PING, flags, 0).encode(out);
        out.extend_from_slice(&self.data);
    }
}
