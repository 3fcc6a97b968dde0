//! CONTINUATION (RFC 9113 section 6.10).

use bytes::BytesMut;

use super::{END_HEADERS, FrameError, FrameHead, Kind};

/// A CONTINUATION frame. Its whole payload is a fragment of the field block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Continuation {
    /// Whether the block is complete.
    pub(crate) end_headers: bool,
}

impl Continuation {
    /// Reads the frame.
    #[inline]
    pub(crate) fn parse(head: FrameHead) -> Result<Self, FrameError> {
        if head.stream_id == 0 {
            return Err(FrameError::protocol("CONTINUATION on stream 0"));
        }
        Ok(Self {
            end_headers: head.has(END_HEADERS),
        })
    }

    /// Appends the frame.
    pub(super) fn encode(stream_id: u32, last: bool, fragment: &[u8], out: &mut BytesMut) {
        let flags = u8::from(last) * END_HEADERS;
        FrameHead::new(fragment.len() as u32, Kind::CONTINUATION, flags, stream_id).encode(out);
        out.extend_from_slice(fragment);
    }
}
