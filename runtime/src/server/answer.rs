//! Writes responses on a server's connection: heads, trailers, and answers to calls that get
//! no handler.

use crate::call::command::Finished;
use crate::call::response_head::{self, Coding};
use crate::framing::Encodings;
use crate::metadata::Metadata;
use crate::status::{self, Code, Status};
use crate::transport::http2::connection::Connection;
use crate::transport::http2::event::StreamId;
use crate::transport::http2::fields::Fields;

static NONE: Metadata = Metadata::new();

/// Answers a call that gets no handler.
pub(super) fn refuse(connection: &mut Connection, stream: StreamId, status: Status) {
    end(connection, stream, false, &mut Finished::failed(status));
}

/// Answers a request that is not a gRPC call with an HTTP status.
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
        if !connection.has_memory_for(stream, message.len()) {
            *finished = Finished::failed(no_memory());
        } else if head_sent || send_head(connection, stream, coding(finished), metadata(finished).0)
        {
            head_sent = true;
            connection.send_whole(stream, &message, false);
            connection.tally().sent(1);
        } else {
            *finished = Finished::failed(head_too_large());
        }
    }
    if let Some(envelope) = &mut finished.envelope {
        envelope.write_load();
    }
    // Without a message the head and the trailers are one block: PROTOCOL-HTTP2's
    // Trailers-Only. Clients read all metadata in it as trailing metadata, so initial
    // metadata is sent in a separate head, if it fits.
    let (initial, trailing) = metadata(finished);
    if !head_sent && !initial.is_empty() {
        head_sent = send_head(connection, stream, Coding::default(), initial);
    }
    let is_above = with_fields(connection, |connection, fields| {
        let mut write = |result: &Result<(), Status>, trailing: &Metadata| {
            fields.clear();
            if !head_sent {
                response_head::write_head(fields, Coding::default(), &NONE);
            }
            response_head::write_trailers(fields, result, trailing);
            fields.size()
        };
        let limit = connection.peer_header_list_limit();
        let is_above = write(&finished.result, trailing) > limit;
        if is_above {
            write_within(limit, &finished.result, trailing, write);
        }
        connection.send_trailers(stream, fields);
        is_above
    });
    if is_above && finished.result.is_ok() {
        finished.result = Err(trailers_too_large());
    }
    if finished.result.is_ok() {
        connection.tally().succeeded();
    }
}

/// Writes trailers that are above the caller's limit: leaves out the text of the status
/// first, then its details, then all metadata. The code is always sent. `write` gives the
/// size of what it wrote.
fn write_within(
    limit: usize,
    result: &Result<(), Status>,
    trailing: &Metadata,
    mut write: impl FnMut(&Result<(), Status>, &Metadata) -> usize,
) {
    let Err(status) = result else {
        write(&Err(trailers_too_large()), &NONE);
        return;
    };
    let bare = || Status::new(status.code(), "");
    let rests = [
        (
            bare()
                .with_details(status.details().clone())
                .with_metadata(status.metadata().clone()),
            trailing,
        ),
        (bare().with_metadata(status.metadata().clone()), trailing),
        (bare(), &NONE),
    ];
    for (rest, trailing) in rests {
        let size = write(&Err(rest.clone()), trailing);
        let has_more = !rest.details().is_empty() || !rest.metadata().is_empty();
        if size <= limit || !has_more && trailing.is_empty() {
            // h2 refuses a list of just its limit.
            let room = limit.saturating_sub(size + 1);
            let text = status::message::cut(status.message(), room);
            if !text.is_empty() {
                write(&Err(rest.with_message(text.to_owned())), trailing);
            }
            return;
        }
    }
}

/// A response's initial and trailing metadata.
fn metadata(finished: &Finished) -> (&Metadata, &Metadata) {
    match &finished.envelope {
        Some(envelope) => (&envelope.initial, &envelope.trailing),
        None => (&NONE, &NONE),
    }
}

/// The encoding that the head of a response with a message declares.
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

fn trailers_too_large() -> Status {
    let text = "the trailing metadata is above the caller's limit";
    Status::new(Code::ResourceExhausted, text)
}

/// The response's message is more than what the client takes at once, and the server has
/// no memory to keep it.
fn no_memory() -> Status {
    let text = "the server has no memory for more responses (ServerBuilder::memory_limit)";
    Status::new(Code::ResourceExhausted, text)
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
