//! GOAWAY (RFC 9113 section 6.8).

use bytes::BytesMut;

use super::{ErrorCode, FrameError, FrameHead, Kind, MAX_31_BITS};

/// What precedes the debug data.
const FIXED_LEN: usize = 8;

/// A GOAWAY frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GoAway<'a> {
    /// The last stream of ours the peer may have acted on.
    pub(crate) last_stream_id: u32,
    pub(crate) code: ErrorCode,
    /// Usually text for people; any length and content.
    pub(crate) debug_data: &'a [u8],
}

impl<'a> GoAway<'a> {
    /// Reads the frame.
    pub(crate) fn parse(head: FrameHead, payload: &'a [u8]) -> Result<Self, FrameError> {
        if head.stream_id != 0 {
            return Err(FrameError::protocol("GOAWAY on a stream"));
        }
        let (fixed, debug_data) = payload
            .split_first_chunk::<FIXED_LEN>()
            .ok_or(FrameError::size("GOAWAY shorter than 8 octets"))?;
        let [l0, l1, l2, l3, c0, c1, c2, c3] = *fixed;
        Ok(Self {
            last_stream_id: u32::from_be_bytes([l0, l1, l2, l3]) & MAX_31_BITS,
            code: ErrorCode(u32::from_be_bytes([c0, c1, c2, c3])),
            debug_data,
        })
    }

    /// Appends the frame.
    pub(crate) fn encode(self, out: &mut BytesMut) {
        let length = (FIXED_LEN + self.debug_data.len()) as u32;
        FrameHead::new(length, Kind::GOAWAY, 0, 0).encode(out);
        out.extend_from_slice(&self.last_stream_id.to_be_bytes());
        out.extend_from_slice(&self.code.0.to_be_bytes());
        out.extend_from_slice(self.debug_data);
    }
}
