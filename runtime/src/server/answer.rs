//! What a server's connection writes of a response: heads, trailers, and the
//! answer to a call that gets no handler. It must never hold state.

use crate::call::command::Finished;
use crate::call::response_head;
use crate::metadata::Metadata;
use crate::status::{Code, Status};
use crate::transport::http2::connection::Connection;
use crate::transport::http2::event::StreamId;
use crate::transport::http2::fields::Fields;

/// Answers a call that gets no handler.
pub(super) fn refuse(connection: &mut Connection, stream: StreamId, status: Status) {
    end(connection, stream, false, Finished::failed(status));
}

/// Answers what is not a gRPC call.
pub(super) fn refuse_http(connection: &mut Connection, stream: StreamId, http: u16, text: &str) {
    with_fields(connection, |connection, fields| {
        response_head::write_http_error(fields, http, text);
        connection.send_trailers(stream, fields);
    });
}

/// Ends a call: its head unless that has gone, its message, and its trailers.
pub(super) fn end(
    connection: &mut Connection,
    stream: StreamId,
    head_sent: bool,
    finished: Finished,
) {
    // Without a message the head and the trailers are one block:
    // PROTOCOL-HTTP2's Trailers-Only.
    let trailers_only = !head_sent && finished.message.is_none();
    if let Some(message) = finished.message {
        if !head_sent {
            send_head(connection, stream, &finished.initial);
        }
        connection.send_data(stream, message, false);
    }
    with_fields(connection, |connection, fields| {
        if trailers_only {
            response_head::write_head(fields, &finished.initial);
        }
        response_head::write_trailers(fields, &finished.result, &finished.trailing);
        if fields.size() > connection.peer_header_list_limit() {
            let text = "the trailing metadata is above the caller's limit";
            fields.clear();
            if trailers_only {
                response_head::write_head(fields, &Metadata::default());
            }
            let result = Err(Status::new(Code::ResourceExhausted, text));
            response_head::write_trailers(fields, &result, &Metadata::default());
        }
        connection.send_trailers(stream, fields);
    });
}

pub(super) fn send_head(connection: &mut Connection, stream: StreamId, metadata: &Metadata) {
    with_fields(connection, |connection, fields| {
        response_head::write_head(fields, metadata);
        connection.send_head(stream, fields);
    });
}

/// Lends a field list to `write`.
fn with_fields(connection: &mut Connection, write: impl FnOnce(&mut Connection, &mut Fields)) {
    let mut fields = connection.take_fields();
    write(connection, &mut fields);
    connection.recycle(fields);
}
