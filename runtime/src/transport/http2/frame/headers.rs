//! HEADERS (RFC 9113 section 6.2), and writing a field block over as many
//! frames as it needs (section 6.10).

use std::ops::Range;

use bytes::BytesMut;

use super::{
    Continuation, END_HEADERS, END_STREAM, FrameError, FrameHead, Kind, PRIORITY, Priority,
    unpadded,
};

/// A HEADERS frame.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "END_HEADERS is the flag's name")]
pub(crate) struct Headers {
    pub(crate) end_stream: bool,
    /// Whether the block is complete, with no CONTINUATION to follow.
    pub(crate) end_headers: bool,
    /// Whether the frame's priority makes the stream depend on itself. RFC
    /// 9113 ignores priorities; RFC 7540 section 5.3.1 makes this a stream
    /// error. The block has to be decoded either way.
    pub(crate) depends_on_itself: bool,
    /// Where in the payload the fragment of the field block stands.
    pub(crate) fragment: Range<usize>,
}

impl Headers {
    /// Reads the frame.
    #[inline]
    pub(crate) fn parse(head: FrameHead, payload: &[u8]) -> Result<Self, FrameError> {
        if head.stream_id == 0 {
            return Err(FrameError::protocol("HEADERS on stream 0"));
        }
        let mut fragment = unpadded(head, payload)?;
        let mut depends_on_itself = false;
        if head.has(PRIORITY) {
            let priority = payload[fragment.clone()]
                .first_chunk()
                .ok_or(FrameError::size("HEADERS too short for its priority"))?;
            depends_on_itself = Priority::read(*priority).is_on(head.stream_id);
            fragment.start += Priority::LEN;
        }
        Ok(Self {
            end_stream: head.has(END_STREAM),
            end_headers: head.has(END_HEADERS),
            depends_on_itself,
            fragment,
        })
    }

    /// Leaves room for a head at the end of `out`, for the field block to be
    /// written behind it. [`FieldBlock::finish`] completes the frame.
    #[inline]
    pub(crate) fn begin(out: &mut BytesMut) -> FieldBlock {
        let start = out.len();
        out.extend_from_slice(&[0; FrameHead::LEN]);
        FieldBlock { start }
    }
}

/// A field block that is being written, with the place of its first head.
#[must_use]
#[derive(Debug)]
pub(crate) struct FieldBlock {
    start: usize,
}

impl FieldBlock {
    /// Completes the frame: everything in `out` behind the head is the field
    /// block of `stream_id`. A block longer than `max_frame_size` goes on in
    /// CONTINUATION frames.
    #[inline]
    pub(crate) fn finish(
        self,
        stream_id: u32,
        end_stream: bool,
        max_frame_size: u32,
        out: &mut BytesMut,
    ) {
        let length = (out.len() - self.start - FrameHead::LEN) as u32;
        let flags = END_HEADERS | (u8::from(end_stream) * END_STREAM);
        let head = FrameHead::new(length, Kind::HEADERS, flags, stream_id);
        if length > max_frame_size {
            self.split(head, max_frame_size, out);
        } else {
            self.put(head, out);
        }
    }

    #[inline]
    fn put(&self, head: FrameHead, out: &mut BytesMut) {
        out[self.start..self.start + FrameHead::LEN].copy_from_slice(&head.octets());
    }

    #[cold]
    fn split(&self, head: FrameHead, max_frame_size: u32, out: &mut BytesMut) {
        let first = FrameHead {
            length: max_frame_size,
            flags: head.flags & !END_HEADERS,
            ..head
        };
        self.put(first, out);
        let max_len = max_frame_size as usize;
        let tail = out.split_off(self.start + FrameHead::LEN + max_len);
        let mut fragments = tail.chunks(max_len).peekable();
        while let Some(fragment) = fragments.next() {
            let last = fragments.peek().is_none();
            Continuation::encode(head.stream_id, last, fragment, out);
        }
    }
}
