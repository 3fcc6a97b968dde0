//! Requests as they arrive: heads, messages that come whole or in pieces, and the end of the
//! client's half.

use std::time::Instant;

use bytes::Bytes;

use super::refused::status_of_http;
use super::{ServerConnection, expired};
use crate::call::command::Finished;
use crate::call::envelope::{CallCompression, Envelope};
use crate::call::gather::Gather;
use crate::call::request_head::{ReceivedRequest, Refusal};
use crate::deadline::Deadline;
use crate::framing::{self, Side};
use crate::server::answer;
use crate::server::calls::{CallStage, Gathering, Request, RunningHandler, ServerCall};
use crate::server::context::Unknown;
use crate::status::{Code, Status};
use crate::transport::http2::connection::Connection;
use crate::transport::http2::event::StreamId;
use crate::transport::http2::fields::Fields;

impl ServerConnection {
    pub(super) fn on_headers(
        &mut self,
        connection: &mut Connection,
        stream: StreamId,
        fields: &Fields,
        end_stream: bool,
        now: Instant,
    ) {
        connection.tally().call();
        if fields.overflowed() {
            let text = "the request's metadata is above the server's limit \
                        (Http2Options::max_header_list_size)";
            let status = Status::new(Code::ResourceExhausted, text);
            return self.refuse_head(connection, stream, fields, status);
        }
        let mut envelope = Envelope::take();
        envelope.belong_to(Some(self.shared.shutdown.signal()));
        let takes = self.shared.encodings;
        let received = match ReceivedRequest::read(fields, takes, &mut envelope.request) {
            Ok(received) => received,
            Err(Refusal::Grpc(status)) => {
                return self.refuse_head(connection, stream, fields, status);
            }
            Err(Refusal::Encoding(status)) => {
                self.tell_head(fields, &status);
                return answer::refuse_encoding(connection, stream, takes, status);
            }
            Err(Refusal::Http(http, text)) => {
                self.tell_head(fields, &status_of_http(http, text));
                return answer::refuse_http(connection, stream, http, text);
            }
        };
        let router = &self.shared.router;
        let route = match router.find(received.path) {
            Ok(route) => route,
            Err(status) => {
                let Some(unknown) = router.unknown() else {
                    return self.refuse_head(connection, stream, fields, status);
                };
                let path = String::from_utf8_lossy(received.path).into();
                envelope.extensions.insert(Unknown { path, status });
                unknown
            }
        };
        let mut timeout = received.timeout;
        let entry = router.entry(route);
        if let Some(bounds) = &entry.bounds {
            timeout = match bounds.judge(timeout) {
                Ok(timeout) => timeout,
                Err(status) => return self.refuse_head(connection, stream, fields, status),
            };
        }
        let deadline = timeout.and_then(|timeout| Deadline::after(now, timeout));
        if deadline.is_some_and(|deadline| deadline.is_past(now)) {
            return self.refuse_head(connection, stream, fields, expired());
        }
        let wanted = entry.compression;
        envelope.compression =
            CallCompression::agree(received.encoding, received.accepted, takes, wanted);
        let client_streams = entry.route.method.shape().client_streams;
        let request = Request {
            stream,
            route,
            began: now,
            deadline: deadline.map(Deadline::instant),
            envelope,
        };
        if client_streams {
            self.start(connection, request, None, now);
            if end_stream {
                self.half_close(stream);
            }
        } else if end_stream {
            self.refuse(connection, &request, no_message());
        } else {
            self.fresh.push_back(request);
        }
    }

    /// The request of a stream, if its head came in this turn and nothing else.
    /// Messages come in the order of their heads, or nearly so.
    pub(super) fn take_fresh(&mut self, stream: StreamId) -> Option<Request> {
        if self.fresh.front()?.stream == stream {
            return self.fresh.pop_front();
        }
        let found = self
            .fresh
            .binary_search_by_key(&stream, |request| request.stream);
        self.fresh.remove(found.ok()?)
    }

    /// A request whose message did not come with its head, or not whole, waits
    /// for it in the table.
    fn gather(&mut self, request: Request) {
        let limits = self.shared.router.entry(request.route).limits;
        let limit = limits.max_receive_message_size;
        let (stream, route, deadline) = (request.stream, request.route, request.deadline);
        let encoding = request.envelope.compression.request;
        let gathering = Gathering {
            request,
            gather: Gather::new(limit, Side::Server, encoding),
        };
        let stage = CallStage::Gathering(Box::new(gathering));
        self.calls.insert(stream, route, stage, deadline);
    }

    /// Ends the driver's turn: no request is fresh any more.
    pub(super) fn settle(&mut self) {
        while let Some(request) = self.fresh.pop_front() {
            self.gather(request);
        }
    }

    pub(super) fn on_data(
        &mut self,
        connection: &mut Connection,
        stream: StreamId,
        mut data: Bytes,
        end_stream: bool,
        now: Instant,
    ) {
        let length = data.len();
        if let Some(request) = self.take_fresh(stream) {
            let limits = self.shared.router.entry(request.route).limits;
            let limit = limits.max_receive_message_size;
            let sole = if end_stream {
                framing::sole_message(data, limit)
            } else {
                Err(data)
            };
            match sole {
                Ok(message) => {
                    return self.start(connection, request, Some(message), now);
                }
                Err(other) => data = other,
            }
            self.gather(request);
        }
        if length > 0 {
            self.on_piece(connection, stream, data, now);
        }
        if end_stream {
            self.end_of_request(connection, stream, now);
        }
    }

    /// A piece of a body that does not come whole.
    fn on_piece(
        &mut self,
        connection: &mut Connection,
        stream: StreamId,
        data: Bytes,
        now: Instant,
    ) {
        let length = data.len();
        let Some(call) = self.calls.get_mut(stream) else {
            return;
        };
        match &mut call.stage {
            CallStage::Gathering(gathering) => {
                if let Err(status) = gathering.gather.take(data, connection, stream, now) {
                    self.finish(connection, stream, Finished::failed(status));
                }
            }
            CallStage::Running(RunningHandler {
                state: Some(state), ..
            }) => match state.deliver_data(data) {
                Some(messages) => connection.tally().received(messages),
                None => connection.release(stream, length),
            },
            CallStage::Running(_) | CallStage::Ending => connection.release(stream, length),
        }
    }

    /// The peer's half of a call in the table ended in order.
    pub(super) fn end_of_request(
        &mut self,
        connection: &mut Connection,
        stream: StreamId,
        now: Instant,
    ) {
        let is_gathering = |call: &mut ServerCall| matches!(call.stage, CallStage::Gathering(_));
        if !self.calls.get_mut(stream).is_some_and(is_gathering) {
            return self.half_close(stream);
        }
        let Some(ServerCall {
            stage: CallStage::Gathering(gathering),
            ..
        }) = self.calls.remove(stream)
        else {
            return;
        };
        let Gathering { request, gather } = *gathering;
        match gather
            .finish()
            .and_then(|message| message.ok_or_else(no_message))
        {
            Ok(message) => self.start(connection, request, Some(message), now),
            Err(status) => self.refuse(connection, &request, status),
        }
    }

    fn half_close(&mut self, stream: StreamId) {
        if let Some(state) = self.calls.streaming(stream) {
            state.deliver_half_close();
        }
    }
}

fn no_message() -> Status {
    Status::new(
        Code::Unimplemented,
        "the request of a unary call holds no message",
    )
}
