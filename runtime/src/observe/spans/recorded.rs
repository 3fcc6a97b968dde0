//! Records the fields of a span that are not known when it is made: the peer, and the end of
//! the call.

use tracing::Span;
use tracing::field::display;

use crate::framing::Side;
use crate::observe::ended_call::{EndedCall, Traffic};
use crate::observe::excerpt::{TEXT, excerpt};
use crate::status::Code;
use crate::transport::PeerAddress;

/// The address of the other end.
pub(super) fn peer(span: &Span, peer: &PeerAddress) {
    if let PeerAddress::Tcp(address) = peer {
        span.record("network.peer.address", display(address.ip()));
        span.record("network.peer.port", address.port());
    } else {
        span.record("network.peer.address", peer.to_string());
    }
}

/// How the call ended.
pub(super) fn end(span: &Span, call: &EndedCall<'_>) {
    let code = call.code();
    span.record("rpc.grpc.status_code", code.as_i32());
    span.record("rpc.response.status_code", code.name());
    if call.side() == Side::Client {
        if let Some(address) = call.peer() {
            peer(span, address);
        }
        span.record("grpc.attempts", call.attempts());
    }
    traffic(span, "grpc.sent.messages", "grpc.sent.bytes", call.sent());
    let received = call.received();
    traffic(
        span,
        "grpc.received.messages",
        "grpc.received.bytes",
        received,
    );
    if let Err(status) = call.result()
        && is_error(call.side(), code)
    {
        span.record("error.type", code.name());
        // The code first: some subscribers take a description without a code for a separate
        // error.
        span.record("otel.status_code", "ERROR");
        let text = status.to_string();
        span.record("otel.status_description", excerpt(&text, TEXT));
    }
}

fn traffic(span: &Span, messages: &str, bytes: &str, traffic: Traffic) {
    span.record(messages, traffic.messages);
    span.record(bytes, traffic.bytes);
}

/// OpenTelemetry's rule: a caller's mistake is not an error of the server's span.
fn is_error(side: Side, code: Code) -> bool {
    match side {
        Side::Client => code != Code::Ok,
        Side::Server => matches!(
            code,
            Code::Unknown
                | Code::DeadlineExceeded
                | Code::Unimplemented
                | Code::Internal
                | Code::Unavailable
                | Code::DataLoss
        ),
    }
}
