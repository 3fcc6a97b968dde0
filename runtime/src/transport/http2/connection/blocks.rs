//! Header blocks (RFC 9113 section 4.3): gathered from HEADERS and CONTINUATION, decoded,
//! and handled as heads or trailers. Every block is decoded, even if its stream is refused
//! or gone, to keep the HPACK state.

use std::time::Instant;

use bytes::BytesMut;

use super::data::WRONG_LENGTH;
use super::receive::FrameResult;
use super::{Connection, Drain, PartialBlock, Role, too_many_resets};
use crate::transport::http2::error_code::ErrorCode;
use crate::transport::http2::event::{ConnectionError, Event, StreamId};
use crate::transport::http2::field_rules::{self, BlockKind};
use crate::transport::http2::fields::Fields;
use crate::transport::http2::frame::{self, FrameHead};
use crate::transport::http2::stream::Stream;

/// A header block may have at most this many times the list's limit in bytes on the wire,
/// and [`MAX_BLOCK_FRAMES`] frames, before the connection is closed.
const BLOCK_FACTOR: usize = 2;
const MAX_BLOCK_FRAMES: u32 = 64;

/// Takes the body's length from the head's `content-length`; `false` if there are several
/// different ones, or the stream ends here with another length.
#[cold]
fn expect_body(stream: &mut Stream, fields: &Fields, end_stream: bool) -> bool {
    let length = fields.content_length();
    length.is_some_and(|length| {
        stream.expect_body(length);
        stream.take_body(0, end_stream)
    })
}

impl Connection {
    pub(super) fn await_header_block(&mut self, now: Instant) {
        let timeout = self.options.header_timeout;
        self.header_deadline.get_or_insert(now + timeout);
    }

    pub(super) fn receive_headers(
        &mut self,
        head: FrameHead,
        payload: &[u8],
        now: Instant,
    ) -> FrameResult {
        let headers = match frame::Headers::parse(head, payload) {
            Ok(headers) => headers,
            Err(error) => return self.frame_error(head.stream_id, error, now),
        };
        let fragment = &payload[headers.fragment.clone()];
        if headers.end_headers {
            self.header_deadline = None;
            return self.receive_block(head.stream_id, headers.end_stream, fragment, now);
        }
        self.await_header_block(now);
        self.partial_block = Some(PartialBlock {
            stream: head.stream_id,
            end_stream: headers.end_stream,
            bytes: BytesMut::from(fragment),
            frames: 1,
        });
        Ok(())
    }

    pub(super) fn receive_continuation(
        &mut self,
        head: FrameHead,
        payload: &[u8],
        now: Instant,
    ) -> FrameResult {
        let Some(mut block) = self.partial_block.take() else {
            return Err(ConnectionError::protocol("CONTINUATION without HEADERS"));
        };
        let continuation = match frame::Continuation::parse(head) {
            Ok(continuation) => continuation,
            Err(error) => return self.frame_error(head.stream_id, error, now),
        };
        block.frames += 1;
        let limit = BLOCK_FACTOR.saturating_mul(self.options.max_header_list_size as usize);
        if block.frames > MAX_BLOCK_FRAMES || block.bytes.len() + payload.len() > limit {
            return Err(ConnectionError::calm(
                "a header block of too many frames or bytes",
            ));
        }
        block.bytes.extend_from_slice(payload);
        if !continuation.end_headers {
            self.partial_block = Some(block);
            return Ok(());
        }
        self.header_deadline = None;
        self.receive_block(block.stream, block.end_stream, &block.bytes, now)
    }

    /// Handles a whole header block. It is always decoded, since the dynamic table belongs
    /// to the connection (RFC 7541 section 2.2).
    pub(super) fn receive_block(
        &mut self,
        id: StreamId,
        end_stream: bool,
        block: &[u8],
        now: Instant,
    ) -> FrameResult {
        let mut fields = self.take_fields();
        let limit = self.options.max_header_list_size as usize;
        if let Err(error) = self.decoder.decode(block, limit, &mut fields) {
            return Err(ConnectionError::new(error.code(), error.reason()));
        }
        match self.role {
            Role::Server => self.receive_request_block(id, end_stream, fields, now),
            Role::Client => self.receive_response_block(id, end_stream, fields, now),
        }
    }

    pub(super) fn receive_request_block(
        &mut self,
        id: StreamId,
        end_stream: bool,
        fields: Fields,
        now: Instant,
    ) -> FrameResult {
        if id.is_multiple_of(2) {
            return Err(ConnectionError::protocol("a client opened an even stream"));
        }
        if id <= self.last_peer_stream {
            if !self.streams.contains_key(&id) {
                self.recycle(fields);
                return self.receive_head_on_closed(id, now);
            }
            return self.receive_trailers(id, end_stream, fields, now);
        }
        if id > self.last_peer_stream + 2 {
            self.note_skipped(id);
        }
        if self.drain == Drain::Final {
            self.recycle(fields);
            return self.spend_control(now);
        }
        self.last_peer_stream = id;
        if self.streams.len() >= self.options.max_concurrent_streams as usize {
            self.recycle(fields);
            return self.refuse_stream(id, now);
        }
        if let Err(reason) =
            field_rules::check(fields.traits(), fields.overflowed(), BlockKind::Request)
        {
            self.recycle(fields);
            return self.violate(id, ErrorCode::PROTOCOL_ERROR, reason, now);
        }
        let window = self.credit.initial_window();
        let mut stream = Stream::new(window, self.peer.initial_window, now);
        stream.head_received = true;
        stream.remote_open = !end_stream;
        if fields.traits().tell_length() && !expect_body(&mut stream, &fields, end_stream) {
            self.recycle(fields);
            return self.violate(id, ErrorCode::PROTOCOL_ERROR, WRONG_LENGTH, now);
        }
        self.streams.insert(id, stream);
        self.events.push_back(Event::Headers {
            stream: id,
            fields,
            end_stream,
        });
        Ok(())
    }

    /// Refuses a call above the limit. It costs the peer nothing if it was sent before the
    /// peer could know the limit.
    fn refuse_stream(&mut self, id: StreamId, now: Instant) -> FrameResult {
        too_many_resets(self.budgets.refused(now))?;
        self.encode_reset(id, ErrorCode::REFUSED_STREAM, self.credit.initial_window());
        self.induced += FrameHead::LEN + 4;
        Ok(())
    }

    /// HEADERS on a stream that has ended or was skipped (RFC 9113 sections 5.1 and 5.1.1).
    /// They are no error if this side has reset the stream meanwhile.
    fn receive_head_on_closed(&mut self, id: StreamId, now: Instant) -> FrameResult {
        if self.departed.contains(id) || self.departed.may_have_forgotten(id) {
            return self.receive_on_closed(id, now);
        }
        if self.skipped.iter().any(|skipped| skipped.contains(&id)) {
            let reason = "a stream that is lower than the last one";
            return Err(ConnectionError::protocol(reason));
        }
        let reason = "HEADERS on a stream that has ended";
        Err(ConnectionError::new(ErrorCode::STREAM_CLOSED, reason))
    }

    /// Remembers the streams that the peer skips by opening this one.
    #[cold]
    fn note_skipped(&mut self, id: StreamId) {
        const KEPT: usize = 16;
        if self.skipped.len() == KEPT {
            self.skipped.pop_front();
        }
        self.skipped.push_back(self.last_peer_stream + 1..=id - 2);
    }

    pub(super) fn receive_response_block(
        &mut self,
        id: StreamId,
        end_stream: bool,
        fields: Fields,
        now: Instant,
    ) -> FrameResult {
        self.check_not_idle(id)?;
        let Some(stream) = self.streams.get_mut(&id) else {
            self.recycle(fields);
            return self.receive_on_closed(id, now);
        };
        if stream.head_received {
            return self.receive_trailers(id, end_stream, fields, now);
        }
        if let Err(reason) =
            field_rules::check(fields.traits(), fields.overflowed(), BlockKind::Response)
        {
            self.recycle(fields);
            return self.violate(id, ErrorCode::PROTOCOL_ERROR, reason, now);
        }
        // RFC 9113 section 8.1: interim responses come before the final one.
        if fields
            .get(b":status")
            .is_some_and(|status| status.starts_with(b"1"))
        {
            self.recycle(fields);
            if end_stream {
                return self.violate(id, ErrorCode::PROTOCOL_ERROR, "1xx with END_STREAM", now);
            }
            return self.spend_control(now);
        }
        if fields.traits().tell_length() && !expect_body(stream, &fields, end_stream) {
            self.recycle(fields);
            return self.violate(id, ErrorCode::PROTOCOL_ERROR, WRONG_LENGTH, now);
        }
        stream.head_received = true;
        stream.remote_open = !end_stream;
        let closed = stream.is_closed();
        self.events.push_back(Event::Headers {
            stream: id,
            fields,
            end_stream,
        });
        if closed {
            self.close(id);
        }
        Ok(())
    }

    pub(super) fn receive_trailers(
        &mut self,
        id: StreamId,
        end_stream: bool,
        fields: Fields,
        now: Instant,
    ) -> FrameResult {
        let Some(stream) = self.streams.get_mut(&id) else {
            self.recycle(fields);
            return self.receive_on_closed(id, now);
        };
        let broken = if !stream.remote_open {
            Some((ErrorCode::STREAM_CLOSED, "HEADERS after END_STREAM"))
        } else if !end_stream {
            Some((
                ErrorCode::PROTOCOL_ERROR,
                "HEADERS in mid-stream without END_STREAM",
            ))
        } else if !stream.take_body(0, true) {
            Some((ErrorCode::PROTOCOL_ERROR, WRONG_LENGTH))
        } else {
            field_rules::check(fields.traits(), fields.overflowed(), BlockKind::Trailers)
                .err()
                .map(|reason| (ErrorCode::PROTOCOL_ERROR, reason))
        };
        if let Some((code, reason)) = broken {
            self.recycle(fields);
            return self.violate(id, code, reason, now);
        }
        stream.remote_open = false;
        let closed = stream.is_closed();
        self.events
            .push_back(Event::Trailers { stream: id, fields });
        if closed {
            self.close(id);
        }
        Ok(())
    }
}
