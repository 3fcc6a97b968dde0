//! Handles responses as they arrive, and what ends a call on its stream: the server's
//! status, a reset, or a response that breaks the protocol.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::ClientConnection;
use crate::call::gather::Gather;
use crate::call::state::Ended;
use crate::call::{reset, response_head};
use crate::channel::call::open_call::OpenCall;
use crate::channel::call::response_state::ResponseState;
use crate::framing::Side;
use crate::metadata::Metadata;
use crate::spare;
use crate::status::{Code, Phase, Status};
use crate::transport::PeerAddress;
use crate::transport::http2::connection::Connection;
use crate::transport::http2::error_code::ErrorCode;
use crate::transport::http2::event::{ResetCause, StreamId};
use crate::transport::http2::fields::Fields;
use crate::transport::http2::keepalive::TOO_MANY_PINGS;

impl ClientConnection {
    pub(super) fn on_headers(
        &mut self,
        connection: &mut Connection,
        stream: StreamId,
        fields: &Fields,
        end_stream: bool,
        now: Instant,
    ) -> ResponseOutcome {
        let Some(open) = self.calls.get_mut(&stream) else {
            return self.on_watch_headers(stream, fields, end_stream);
        };
        self.has_answered = true;
        if end_stream {
            // Trailers-Only, in PROTOCOL-HTTP2's terms.
            if open.is_hedged() && !open.is_moot() {
                tell_peer(open, self.peer.as_ref());
            }
            return ResponseOutcome::Ends(response_head::read_trailers(fields));
        }
        let head = match response_head::read_head(fields, self.identity.encodings) {
            Ok(head) => head,
            Err(status) => return ResponseOutcome::Fails(status),
        };
        // The server has processed the call, so there is no other attempt.
        if !open.commit() {
            return ResponseOutcome::Loses;
        }
        if open.is_hedged() {
            tell_peer(open, self.peer.as_ref());
            // Its reader did not know of this stream before.
            let progress = open.state.set_reports(connection.reports());
            progress.apply(connection, stream, now);
        }
        if let Some(ledger) = open.state.ledger() {
            ledger.follow(|it| it.head_received(&head.metadata));
        }
        if let Some(request) = open.request.take() {
            spare::keep_message(request);
        }
        open.attempt.response = if open.method.shape().server_streams {
            open.state.deliver_head(head.metadata, head.encoding);
            ResponseState::Stream
        } else {
            let limit = open.options.limits.max_receive_message_size;
            ResponseState::Whole {
                head: head.metadata,
                gather: Gather::new(limit, Side::Client, head.encoding),
            }
        };
        ResponseOutcome::Goes
    }

    pub(super) fn on_data(
        &mut self,
        connection: &mut Connection,
        stream: StreamId,
        data: Bytes,
        now: Instant,
    ) -> ResponseOutcome {
        let Some(open) = self.calls.get_mut(&stream) else {
            return self.on_watch_data(connection, stream, data);
        };
        match &mut open.attempt.response {
            // The connection accepts no DATA before a head.
            ResponseState::Awaited => ResponseOutcome::Goes,
            ResponseState::Stream => {
                let length = data.len();
                match open.state.deliver_data(data) {
                    Some(messages) => connection.tally().received(messages),
                    None => connection.release(stream, length),
                }
                ResponseOutcome::Goes
            }
            ResponseState::Whole { gather, .. } => match gather.take(data, connection, stream, now)
            {
                Ok(()) => ResponseOutcome::Goes,
                Err(status) => ResponseOutcome::Fails(status),
            },
        }
    }

    pub(super) fn apply_outcome(
        &mut self,
        connection: &mut Connection,
        stream: StreamId,
        outcome: ResponseOutcome,
        now: Instant,
    ) {
        let code = match &outcome {
            ResponseOutcome::Goes => return,
            // The server has ended the response and does not read the rest of a request
            // that still streams.
            ResponseOutcome::Ends(_) => ErrorCode::NO_ERROR,
            ResponseOutcome::Fails(_) | ResponseOutcome::Loses => ErrorCode::CANCEL,
        };
        connection.reset(stream, code);
        let Some(open) = self.remove(stream) else {
            return self.on_watch_end(connection, stream, outcome, now);
        };
        forget_whole(connection, stream, &open);
        match outcome {
            ResponseOutcome::Ends(Ok(trailing)) => succeed(connection, open, trailing, now),
            ResponseOutcome::Ends(Err(status)) | ResponseOutcome::Fails(status) => {
                open.fail_attempt(status, self.peer.as_ref(), now);
            }
            ResponseOutcome::Goes | ResponseOutcome::Loses => {}
        }
    }

    /// Ends the call with an error that this side found.
    pub(super) fn fail(
        &mut self,
        connection: &mut Connection,
        stream: StreamId,
        status: Status,
        now: Instant,
    ) {
        connection.reset(stream, ErrorCode::CANCEL);
        if let Some(open) = self.remove(stream) {
            forget_whole(connection, stream, &open);
            open.fail(status, now);
        }
    }

    /// Readers report their progress again, and calls that wait for a large message ask for
    /// its memory again.
    pub(super) fn report(&mut self, connection: &mut Connection, now: Instant) {
        let reports = connection.reports();
        for (stream, open) in &self.calls {
            match &open.attempt.response {
                // The reader has no stream yet, or that of another attempt.
                ResponseState::Awaited if open.is_hedged() => {}
                ResponseState::Awaited | ResponseState::Stream => {
                    let progress = open.state.set_reports(reports);
                    progress.apply(connection, *stream, now);
                }
                ResponseState::Whole { gather, .. } => gather.give_credit(connection, *stream, now),
            }
        }
    }

    pub(super) fn on_reset(
        &mut self,
        connection: &mut Connection,
        stream: StreamId,
        cause: ResetCause,
        now: Instant,
    ) {
        let Some(mut open) = self.remove(stream) else {
            let outcome = ResponseOutcome::Fails(reset::status_of(cause));
            return self.on_watch_end(connection, stream, outcome, now);
        };
        forget_whole(connection, stream, &open);
        let unprocessed = matches!(
            cause,
            ResetCause::Unprocessed | ResetCause::Peer(ErrorCode::REFUSED_STREAM)
        ) && matches!(open.attempt.response, ResponseState::Awaited)
            && open.is_repeatable();
        if unprocessed && open.may_retry() {
            return self.open_again(open, now);
        }
        open.fail_attempt(reset::status_of(cause), self.peer.as_ref(), now);
    }

    pub(super) fn on_go_away(
        &mut self,
        keepalive: Option<Duration>,
        code: ErrorCode,
        debug: &[u8],
    ) {
        if code == ErrorCode::NO_ERROR {
            return;
        }
        let said = String::from_utf8_lossy(debug);
        let mut text = format!("GOAWAY {code} '{}'", said.escape_debug());
        if code == ErrorCode::ENHANCE_YOUR_CALM
            && debug == TOO_MANY_PINGS.as_bytes()
            && let Some(time) = keepalive
        {
            self.pinged_too_often = true;
            let _ = write!(
                text,
                ", so the channel's later connections double their keepalive time of {time:?}"
            );
        }
        self.go_away = Some(text);
    }
}

/// The effect of a piece of a response on its call.
pub(super) enum ResponseOutcome {
    Goes,
    Ends(Ended),
    /// The call ends with an error that this side found: the server must be told.
    Fails(Status),
    /// The call has committed to another attempt.
    Loses,
}

/// Records the peer of the attempt whose server answered: a later attempt may have got its
/// stream since.
fn tell_peer(open: &OpenCall, peer: Option<&PeerAddress>) {
    if let Some(ledger) = open.state.ledger() {
        ledger.wins(open.attempt.number, peer);
    }
}

/// Returns the credit of a response that was collected, which nobody else reads.
#[inline]
fn forget_whole(connection: &mut Connection, stream: StreamId, open: &OpenCall) {
    if !matches!(open.attempt.response, ResponseState::Stream) {
        connection.forget(stream);
    }
}

/// The server ended the call with OK.
#[inline]
fn succeed(connection: &mut Connection, mut open: Box<OpenCall>, trailing: Metadata, now: Instant) {
    match std::mem::take(&mut open.attempt.response) {
        ResponseState::Awaited if !open.method.shape().server_streams => {
            open.fail(no_message(), now);
        }
        ResponseState::Awaited | ResponseState::Stream => {
            if open.succeed(&trailing) {
                connection.tally().succeeded();
                open.state.deliver_end(Ok(trailing));
            }
        }
        ResponseState::Whole { head, gather } => match gather.finish() {
            Ok(Some(message)) => {
                connection.tally().received(1);
                if open.succeed(&trailing) {
                    connection.tally().succeeded();
                    open.state.deliver_response(head, message, Ok(trailing));
                }
            }
            Ok(None) => open.fail(no_message().with_initial_metadata(head), now),
            Err(status) => open.fail(status.with_initial_metadata(head), now),
        },
    }
}

fn no_message() -> Status {
    let text = "the server answered OK without the message of a unary response";
    Status::new(Code::Unimplemented, text).with_phase(Phase::Receive)
}

/// The status of a response that ends with data instead of trailers.
pub(super) fn no_trailers() -> Status {
    let text = "the server ended the response without trailers";
    Status::new(Code::Internal, text).with_phase(Phase::Receive)
}
