//! DATA (RFC 9113 section 6.1).

use bytes::{Bytes, BytesMut};

use super::{END_STREAM, FrameError, FrameHead, Kind, unpadded};

/// A DATA frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Data {
    pub(crate) stream_id: u32,
    pub(crate) end_stream: bool,
    /// The payload without its padding, sharing the memory it came in.
    pub(crate) data: Bytes,
    /// What the frame takes from the flow-control windows: all of its
    /// payload, padding included.
    pub(crate) flow_len: u32,
}

impl Data {
    /// Reads the frame.
    #[inline]
    pub(crate) fn parse(head: FrameHead, payload: Bytes) -> Result<Self, FrameError> {
        if head.stream_id == 0 {
            return Err(FrameError::protocol("DATA on stream 0"));
        }
        let rest = unpadded(head.flags, &payload)?;
        let flow_len = payload.len() as u32;
        let data = if rest.len() == payload.len() {
            payload
        } else {
            payload.slice(rest)
        };
        Ok(Self {
            stream_id: head.stream_id,
            end_stream: head.has(END_STREAM),
            data,
            flow_len,
        })
    }

    /// Appends the head of a frame whose `len` octets of payload follow.
    #[inline]
    pub(crate) fn encode_head(stream_id: u32, len: u32, end_stream: bool, out: &mut BytesMut) {
        FrameHead {
            length: len,
            kind: Kind::DATA,
            flags: u8::from(end_stream) * END_STREAM,
            stream_id,
        }
        .encode(out);
    }
}
