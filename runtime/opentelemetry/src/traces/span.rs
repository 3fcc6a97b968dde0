//! Common parts of all spans: names, message events, ends.

use grpc_runtime::{Method, ObservedMessage, Status};
use opentelemetry::trace::{Status as SpanStatus, TraceContextExt};
use opentelemetry::{Context, KeyValue};

/// `Sent.package.Service.Method`.
pub(super) fn name(what: &str, method: Method) -> String {
    format!("{what}.{}.{}", method.service(), method.name())
}

/// An event of a message.
pub(super) fn message(span: &Context, event: &'static str, message: &ObservedMessage) {
    let span = span.span();
    if !span.is_recording() {
        return;
    }
    let (size, wire_size) = (number(message.size()), number(message.wire_size()));
    let sequence = i64::try_from(message.number()).unwrap_or(i64::MAX);
    let mut attributes = vec![
        KeyValue::new("sequence-number", sequence),
        KeyValue::new("message-size", size),
    ];
    if wire_size != size {
        attributes.push(KeyValue::new("message-size-compressed", wire_size));
    }
    span.add_event(event, attributes);
}

pub(super) const OUTBOUND: &str = "Outbound message";
pub(super) const INBOUND: &str = "Inbound message";

fn number(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// The span is over.
pub(super) fn end(span: &Context, result: Result<(), &Status>) {
    let span = span.span();
    span.set_status(match result {
        Ok(()) => SpanStatus::Ok,
        Err(status) => SpanStatus::error(format!("{}, {}", status.code(), status.message())),
    });
    span.end();
}
