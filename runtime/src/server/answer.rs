//! What a server's connection writes of a response: heads, trailers, and the
//! answer to a call that gets no handler. It must never hold state.

use crate::call::command::Finished;
use crate::call::response_head::{self, Coding};
use crate::framing::Encodings;
use crate::metadata::Metadata;
use crate::status::{Code, Status};
use crate::transport::http2::connection::Connection;
use crate::transport::http2::event::StreamId;
use crate::transport::http2::fields::Fields;

static NONE: Metadata = Metadata::new();

/// Answers a call that gets no handler.
pub(super) fn refuse(connection: &mut Connection, stream: StreamId, status: Status) {
    end(connection, stream, false, &mut Finished::failed(status));
}

/// Answers what is not a gRPC call.
pub(super) fn refuse_http(connection: &mut Connection, stream: StreamId, http: u16, text: &str) {
    with_fields(connection, |connection, fields| {
        response_head::write_http_error(fields, http, text);
        connection.send_trailers(stream, fields);
    });
}

/// Answers a call that is compressed in a way that is not taken here, with the
/// ways that are.
pub(super) fn refuse_encoding(
    connection: &mut Connection,
    stream: StreamId,
    accepts: Encodings,
    status: Status,
) {
    let result = Err(status);
    with_fields(connection, |connection, fields| {
        response_head::write_head(fields, Coding::default(), &NONE);
        fields.push(b"grpc-accept-encoding", accepts.list().as_bytes());
        response_head::write_trailers(fields, &result, &NONE);
        connection.send_trailers(stream, fields);
    });
}

/// Ends a call: its head unless that has gone, its message, and its trailers.
pub(super) fn end(
    connection: &mut Connection,
    stream: StreamId,
    mut head_sent: bool,
    finished: &mut Finished,
) {
    if let Some(message) = finished.message.take() {
        if head_sent || send_head(connection, stream, coding(finished), metadata(finished).0) {
            head_sent = true;
            connection.send_whole(stream, &message, false);
        } else {
            *finished = Finished::failed(head_too_large());
        }
    }
    // Without a message the head and the trailers are one block:
    // PROTOCOL-HTTP2's Trailers-Only.
    let trailers_only = !head_sent;
    let (initial, trailing) = metadata(finished);
    with_fields(connection, |connection, fields| {
        if trailers_only {
            response_head::write_head(fields, Coding::default(), initial);
        }
        response_head::write_trailers(fields, &finished.result, trailing);
        if fields.size() > connection.peer_header_list_limit() {
            let text = "the trailing metadata is above the caller's limit";
            fields.clear();
            if trailers_only {
                response_head::write_head(fields, Coding::default(), &NONE);
            }
            let result = Err(Status::new(Code::ResourceExhausted, text));
            response_head::write_trailers(fields, &result, &NONE);
        }
        connection.send_trailers(stream, fields);
    });
}

/// A response's initial and trailing metadata.
fn metadata(finished: &Finished) -> (&Metadata, &Metadata) {
    match &finished.envelope {
        Some(envelope) => (&envelope.initial, &envelope.trailing),
        None => (&NONE, &NONE),
    }
}

/// What the head of a response that has a message says of compression.
fn coding(finished: &Finished) -> Coding {
    match &finished.envelope {
        Some(envelope) => envelope.compression.response,
        None => Coding::default(),
    }
}

/// Sends a response's head; `false`, and nothing sent, where its metadata is
/// above the caller's limit.
#[must_use]
pub(super) fn send_head(
    connection: &mut Connection,
    stream: StreamId,
    coding: Coding,
    metadata: &Metadata,
) -> bool {
    with_fields(connection, |connection, fields| {
        response_head::write_head(fields, coding, metadata);
        let fits = fields.size() <= connection.peer_header_list_limit();
        if fits {
            connection.send_head(stream, fields);
        }
        fits
    })
}

pub(super) fn head_too_large() -> Status {
    let text = "the initial metadata is above the caller's limit";
    Status::new(Code::ResourceExhausted, text)
}

/// Lends a field list to `write`.
fn with_fields<T>(
    connection: &mut Connection,
    write: impl FnOnce(&mut Connection, &mut Fields) -> T,
) -> T {
    let mut fields = connection.take_fields();
    let written = write(connection, &mut fields);
    connection.recycle(fields);
    written
}
