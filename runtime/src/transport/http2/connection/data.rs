//! DATA (RFC 9113 section 6.1): flow control, and pieces passed on as they arrive, before the
//! frame is whole.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::{Buf, Bytes, BytesMut};

use super::receive::FrameResult;
use super::{Connection, PartialData, Role};
use crate::transport::http2::error_code::ErrorCode;
use crate::transport::http2::event::{ConnectionError, Event, StreamId};
use crate::transport::http2::flow::Exceeded;
use crate::transport::http2::frame::{self, FrameHead};
use crate::transport::http2::stream::Stream;

/// RFC 9113 section 8.1.1.
pub(super) const WRONG_LENGTH: &str = "a body of another length than its content-length";

/// What a piece of a body means for its stream.
#[derive(Clone, Copy)]
enum Delivered {
    Open,
    Closed,
    WrongLength,
}

/// Passes a piece of the body on.
#[inline]
fn deliver(
    stream: &mut Stream,
    events: &mut VecDeque<Event>,
    id: StreamId,
    data: Bytes,
    end_stream: bool,
) -> Delivered {
    if !stream.take_body(data.len(), end_stream) {
        return Delivered::WrongLength;
    }
    if !data.is_empty() || end_stream {
        stream.remote_open = !end_stream;
        events.push_back(Event::Data {
            stream: id,
            data,
            end_stream,
        });
    }
    if stream.is_closed() {
        Delivered::Closed
    } else {
        Delivered::Open
    }
}

impl Connection {
    /// Counts the whole frame for flow control when its head is read (RFC 9113 section 6.1).
    /// `whole` is its payload if that has come; otherwise this returns whether the payload
    /// is wanted.
    fn account_data(
        &mut self,
        head: FrameHead,
        whole: Option<Bytes>,
        now: Instant,
    ) -> Result<bool, ConnectionError> {
        let id = head.stream_id;
        let length = head.length;
        if id == 0 {
            return Err(ConnectionError::protocol("DATA on stream 0"));
        }
        if self.credit.receive(length).is_err() {
            return Err(ConnectionError::new(
                ErrorCode::FLOW_CONTROL_ERROR,
                "more DATA than the connection's window allows",
            ));
        }
        if length == 0 && !head.has(frame::END_STREAM) {
            self.spend_control(now)?;
        }
        let Some(stream) = self.streams.get_mut(&id) else {
            self.check_not_idle(id)?;
            if length > 0 && self.departed.receive(id, length) {
                self.budgets.paid_late();
            } else {
                self.receive_on_closed(id, now)?;
            }
            return Ok(false);
        };
        let mut unread = 0;
        let violation = if !stream.remote_open {
            Some((ErrorCode::STREAM_CLOSED, "DATA after END_STREAM"))
        } else if self.role == Role::Client && !stream.head_received {
            Some((ErrorCode::PROTOCOL_ERROR, "DATA before the response's head"))
        } else {
            match stream.receive.receive(length) {
                Ok(taken) => {
                    unread = taken;
                    None
                }
                Err(Exceeded(excess)) if self.credit.forgive(excess) => {
                    unread = stream.receive.take(length);
                    None
                }
                Err(Exceeded(_)) => Some((
                    ErrorCode::FLOW_CONTROL_ERROR,
                    "more DATA than the stream's window allows",
                )),
            }
        };
        if let Some((code, reason)) = violation {
            self.violate(id, code, reason, now)?;
            return Ok(false);
        }
        if length > 0 {
            stream.body_begun = true;
            self.credit.add_unread(i64::from(unread));
            self.budgets.received_data();
        }
        if let Some(data) = whole {
            let end_stream = head.has(frame::END_STREAM);
            let delivered = deliver(stream, &mut self.events, id, data, end_stream);
            self.conclude(id, delivered, now)?;
        }
        Ok(true)
    }

    fn conclude(&mut self, id: StreamId, delivered: Delivered, now: Instant) -> FrameResult {
        match delivered {
            Delivered::Open => Ok(()),
            Delivered::Closed => {
                self.close(id);
                Ok(())
            }
            Delivered::WrongLength => {
                self.violate(id, ErrorCode::PROTOCOL_ERROR, WRONG_LENGTH, now)
            }
        }
    }

    /// Receives a DATA frame whose head is at the front of the input.
    pub(super) fn receive_data(
        &mut self,
        head: FrameHead,
        input: &mut BytesMut,
        now: Instant,
    ) -> FrameResult {
        let length = head.length as usize;
        let end = FrameHead::LEN + length;
        if end <= input.len() {
            // Advancing the frame's own bytes is cheaper than advancing the input.
            let mut data = input.split_to(end).freeze();
            data.advance(FrameHead::LEN);
            return self.account_data(head, Some(data), now).map(|_| ());
        }
        input.advance(FrameHead::LEN);
        self.account_data(head, None, now)?;
        self.partial_data = Some(PartialData {
            stream: head.stream_id,
            left: length,
            end_stream: head.has(frame::END_STREAM),
        });
        if input.is_empty() {
            return Ok(());
        }
        self.continue_data(input, now)
    }

    pub(super) fn continue_data(&mut self, input: &mut BytesMut, now: Instant) -> FrameResult {
        let Some(partial) = &mut self.partial_data else {
            return Ok(());
        };
        let length = partial.left.min(input.len());
        partial.left -= length;
        let (id, last) = (partial.stream, partial.left == 0);
        let end_stream = partial.end_stream && last;
        if last {
            self.partial_data = None;
        }
        let data = input.split_to(length).freeze();
        match self.streams.get_mut(&id) {
            Some(stream) if stream.remote_open => {
                let delivered = deliver(stream, &mut self.events, id, data, end_stream);
                self.conclude(id, delivered, now)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn receive_padded_data(
        &mut self,
        head: FrameHead,
        payload: Bytes,
        now: Instant,
    ) -> FrameResult {
        let length = payload.len();
        let data = match frame::Data::parse(head, payload) {
            Ok(data) => data,
            Err(error) => return self.frame_error(head.stream_id, error, now),
        };
        let padding = length - data.data.len();
        if self.account_data(head, Some(data.data), now)? {
            // Padding does not reach the application, so its credit is returned here.
            self.release(head.stream_id, padding);
        }
        Ok(())
    }
}
