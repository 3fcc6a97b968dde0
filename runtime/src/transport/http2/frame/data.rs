//! DATA (RFC 9113 section 6.1).

use bytes::{Bytes, BytesMut};

use super::{END_STREAM, FrameError, FrameHead, Kind, unpadded};

/// A DATA frame. From the flow-control windows it takes the length in its
/// head, which includes the padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Data {
    pub(crate) end_stream: bool,
    /// The payload without its padding, sharing the memory it came in.
    pub(crate) data: Bytes,
}

impl Data {
    /// Reads the frame.
    #[inline]
    pub(crate) fn parse(head: FrameHead, payload: Bytes) -> Result<Self, FrameError> {
        if head.stream_id == 0 {
            return Err(FrameError::protocol("DATA on stream 0"));
        }
        let rest = unpadded(head, &payload)?;
        let data = if rest.len() == payload.len() {
            payload
        } else {
            payload.slice(rest)
        };
        Ok(Self {
            end_stream: head.has(END_STREAM),
            data,
        })
    }

    /// Appends the head of a frame whose `length` octets of payload follow.
    #[inline]
    pub(crate) fn encode_head(stream_id: u32, length: u32, end_stream: bool, out: &mut BytesMut) {
        let flags = u8::from(end_stream) * END_STREAM;
        FrameHead::new(length, Kind::DATA, flags, stream_id).encode(out);
    }
}
