//! Receives the peer's bytes: cuts frames from the input, checks their order, and passes
//! them to `data.rs`, `blocks.rs` and `control.rs`. No length, identifier or order is
//! trusted.

use std::time::Instant;

use bytes::{Buf, BytesMut};

use super::{Connection, Drain, PREFACE, Role, too_many_resets};
use crate::transport::http2::error_code::ErrorCode;
use crate::transport::http2::event::{ConnectionError, StreamId};
use crate::transport::http2::frame::{self, FrameHead, Kind};

pub(super) type FrameResult = Result<(), ConnectionError>;

impl Connection {
    /// Takes one frame or a piece of DATA off `input`; `false` if no further frame is
    /// complete. An incomplete frame stays in `input` for the next call.
    ///
    /// The owner handles the events after each frame, so that one field list serves all
    /// header blocks of a read.
    pub(crate) fn receive(
        &mut self,
        input: &mut BytesMut,
        now: Instant,
    ) -> Result<bool, ConnectionError> {
        while self.unpaid > 0 {
            self.unpaid -= 1;
            too_many_resets(self.budgets.provoked(now))?;
        }
        self.receive_preface(input)?;
        if !self.wants_input() {
            return Ok(false);
        }
        if self.partial_data.is_some() {
            if input.is_empty() {
                return Ok(false);
            }
            self.continue_data(input, now)?;
            return Ok(true);
        }
        let Some(bytes) = input.first_chunk::<{ FrameHead::LEN }>() else {
            return Ok(false);
        };
        if self.preface_left > 0 {
            return Ok(false);
        }
        let head = FrameHead::parse(bytes);
        self.check_order(head)?;
        let length = head.length as usize;
        if head.kind == Kind::DATA && !head.has(frame::PADDED) {
            self.receive_data(head, input, now)?;
        } else if input.len() < FrameHead::LEN + length {
            if matches!(head.kind, Kind::HEADERS | Kind::CONTINUATION) {
                self.await_header_block(now);
            }
            return Ok(false);
        } else if head.kind == Kind::DATA {
            input.advance(FrameHead::LEN);
            let payload = input.split_to(length).freeze();
            self.receive_padded_data(head, payload, now)?;
        } else {
            // Advancing the input costs more than a slice, so it is done once.
            let end = FrameHead::LEN + length;
            let result = self.receive_frame(head, &input[FrameHead::LEN..end], now);
            input.advance(end);
            result?;
        }
        if !self.credit.is_settled() {
            self.change_credit();
        }
        Ok(true)
    }

    fn receive_preface(&mut self, input: &mut BytesMut) -> FrameResult {
        if self.preface_left == 0 {
            return Ok(());
        }
        let expected = &PREFACE[PREFACE.len() - self.preface_left..];
        let length = expected.len().min(input.len());
        if input[..length] != expected[..length] {
            return Err(ConnectionError::protocol(
                "not HTTP/2: the preface does not match",
            ));
        }
        input.advance(length);
        self.preface_left -= length;
        Ok(())
    }

    #[inline]
    fn check_order(&mut self, head: FrameHead) -> FrameResult {
        if head.length > self.options.max_frame_size {
            return Err(ConnectionError::new(
                ErrorCode::FRAME_SIZE_ERROR,
                "a frame above SETTINGS_MAX_FRAME_SIZE",
            ));
        }
        // RFC 9113 section 3.4: SETTINGS come first.
        let is_settings = head.kind == Kind::SETTINGS && !head.has(frame::ACK);
        if !self.settings_received && !is_settings {
            return Err(ConnectionError::protocol("the first frame is not SETTINGS"));
        }
        // Section 4.3: no other frame may come between the frames of a header block.
        if let Some(block) = &self.partial_block
            && (head.kind != Kind::CONTINUATION || head.stream_id != block.stream)
        {
            return Err(ConnectionError::protocol("a header block was interrupted"));
        }
        Ok(())
    }

    fn receive_frame(&mut self, head: FrameHead, payload: &[u8], now: Instant) -> FrameResult {
        match head.kind {
            Kind::HEADERS => self.receive_headers(head, payload, now),
            Kind::CONTINUATION => self.receive_continuation(head, payload, now),
            Kind::SETTINGS => self.receive_settings(head, payload, now),
            Kind::PING => self.receive_ping(head, payload, now),
            Kind::GOAWAY => self.receive_go_away(head, payload, now),
            Kind::WINDOW_UPDATE => self.receive_window_update(head, payload, now),
            Kind::RST_STREAM => self.receive_reset(head, payload, now),
            Kind::PUSH_PROMISE => Err(ConnectionError::protocol("PUSH_PROMISE is switched off")),
            Kind::PRIORITY => {
                self.spend_control(now)?;
                match frame::Priority::parse(head, payload) {
                    Ok(_) => Ok(()),
                    Err(error) => {
                        // RST_STREAM may not be sent on an idle stream.
                        self.check_not_idle(head.stream_id)
                            .map_err(|_| ConnectionError::new(error.code, error.reason))?;
                        self.frame_error(head.stream_id, error, now)
                    }
                }
            }
            // RFC 9113 section 4.1: unknown types are ignored.
            _ => self.spend_control(now),
        }
    }

    /// A frame that is malformed by itself.
    pub(super) fn frame_error(
        &mut self,
        id: StreamId,
        error: frame::FrameError,
        now: Instant,
    ) -> FrameResult {
        match error.scope {
            frame::Scope::Connection => Err(ConnectionError::new(error.code, error.reason)),
            frame::Scope::Stream => self.violate(id, error.code, error.reason, now),
        }
    }

    /// RFC 9113 section 5.1: on an idle stream only HEADERS and PRIORITY may
    /// arrive.
    pub(super) fn check_not_idle(&self, id: StreamId) -> FrameResult {
        let idle = match self.role {
            Role::Client => id.is_multiple_of(2) || id >= self.next_stream,
            Role::Server => id.is_multiple_of(2) || id > self.last_peer_stream,
        };
        if idle {
            return Err(ConnectionError::protocol(
                "a frame on a stream that was never opened",
            ));
        }
        Ok(())
    }

    /// A frame for a closed stream: expected after a reset of ours, otherwise an error.
    /// Either way it is charged, so that ignored frames are not free.
    pub(super) fn receive_on_closed(&mut self, id: StreamId, now: Instant) -> FrameResult {
        self.spend_control(now)?;
        if self.departed.contains(id) || self.drain == Drain::Final {
            return Ok(());
        }
        self.encode_reset(id, ErrorCode::STREAM_CLOSED, 0);
        self.induced += FrameHead::LEN + 4;
        Ok(())
    }
}
