//! DATA (RFC 9113 section 6.1): flow control, and pieces passed on as they come.
//! It must never gather a frame whose payload can be passed on.

use std::time::Instant;

use bytes::{Buf, Bytes, BytesMut};

use super::receive::Outcome;
use super::{Connection, PartialData, Role};
use crate::transport::http2::error_code::ErrorCode;
use crate::transport::http2::event::{ConnectionError, Event, StreamId};
use crate::transport::http2::frame::{self, FrameHead};

impl Connection {
    /// Flow control counts the whole frame when its head is seen (RFC 9113
    /// section 6.1); returns whether the payload is wanted.
    pub(super) fn account_data(
        &mut self,
        head: FrameHead,
        now: Instant,
    ) -> Result<bool, ConnectionError> {
        let id = head.stream_id;
        let length = head.length;
        if id == 0 {
            return Err(ConnectionError::protocol("DATA on stream 0"));
        }
        self.check_not_idle(id)?;
        if self.receive_window.receive(length).is_err() {
            return Err(ConnectionError::new(
                ErrorCode::FLOW_CONTROL_ERROR,
                "more DATA than the connection's window allows",
            ));
        }
        if length == 0 && !head.has(frame::END_STREAM) {
            self.spend_control(now)?;
        }
        let Some(stream) = self.streams.get_mut(&id) else {
            self.receive_window.release(length);
            self.receive_on_closed(id, now)?;
            return Ok(false);
        };
        let violation = if !stream.remote_open {
            Some((ErrorCode::STREAM_CLOSED, "DATA after END_STREAM"))
        } else if self.role == Role::Client && !stream.head_received {
            Some((ErrorCode::PROTOCOL_ERROR, "DATA before the response's head"))
        } else if stream.receive.receive(length).is_err() {
            Some((
                ErrorCode::FLOW_CONTROL_ERROR,
                "more DATA than the stream's window allows",
            ))
        } else {
            None
        };
        if let Some((code, reason)) = violation {
            self.receive_window.release(length);
            // What `receive` did not take is not held by the stream either.
            self.violate(id, code, reason, now)?;
            return Ok(false);
        }
        if length > 0 {
            self.controls.earn();
        }
        Ok(true)
    }

    pub(super) fn begin_data(
        &mut self,
        head: FrameHead,
        input: &mut BytesMut,
        now: Instant,
    ) -> Outcome {
        let wanted = self.account_data(head, now)?;
        let (id, length) = (head.stream_id, head.length as usize);
        let end_stream = head.has(frame::END_STREAM);
        if length <= input.len() {
            if wanted {
                let data = input.split_to(length).freeze();
                self.deliver_data(id, data, end_stream);
            } else {
                input.advance(length);
            }
            return Ok(());
        }
        self.partial_data = Some(PartialData {
            stream: id,
            left: length,
            end_stream,
        });
        if !input.is_empty() {
            self.continue_data(input);
        }
        Ok(())
    }

    pub(super) fn continue_data(&mut self, input: &mut BytesMut) {
        let Some(partial) = &mut self.partial_data else {
            return;
        };
        let length = partial.left.min(input.len());
        partial.left -= length;
        let (id, last) = (partial.stream, partial.left == 0);
        let end_stream = partial.end_stream && last;
        if last {
            self.partial_data = None;
        }
        if self
            .streams
            .get(&id)
            .is_some_and(|stream| stream.remote_open)
        {
            let data = input.split_to(length).freeze();
            self.deliver_data(id, data, end_stream);
        } else {
            input.advance(length);
        }
    }

    pub(super) fn receive_padded_data(
        &mut self,
        head: FrameHead,
        payload: Bytes,
        now: Instant,
    ) -> Outcome {
        let length = payload.len();
        let data = match frame::Data::parse(head, payload) {
            Ok(data) => data,
            Err(error) => return self.frame_error(head.stream_id, error, now),
        };
        if !self.account_data(head, now)? {
            return Ok(());
        }
        // Padding is nothing the application could ever consume.
        self.release(head.stream_id, length - data.data.len());
        self.deliver_data(head.stream_id, data.data, data.end_stream);
        Ok(())
    }

    pub(super) fn deliver_data(&mut self, id: StreamId, data: Bytes, end_stream: bool) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if !stream.remote_open || (data.is_empty() && !end_stream) {
            return;
        }
        stream.remote_open = !end_stream;
        let closed = stream.is_closed();
        self.events.push_back(Event::Data {
            stream: id,
            data,
            end_stream,
        });
        if closed {
            self.close(id);
        }
    }
}
