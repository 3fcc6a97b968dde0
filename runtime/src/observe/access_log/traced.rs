//! An event of `tracing` in place of a line.

use tracing::info;

use super::entry::{LogEntry, PATH};
use crate::observe::excerpt::{TEXT, excerpt};

pub(super) fn tell(entry: &LogEntry<'_>) {
    let passed = entry.passed.as_ref();
    info!(
        target: "grpc_runtime::access",
        side = entry.side,
        peer = entry.peer.map(ToString::to_string),
        target = entry.target,
        method = excerpt(entry.path, PATH),
        code = entry.code.name(),
        elapsed_ms = passed.map(|it| it.elapsed.as_secs_f64() * 1e3),
        received_messages = passed.map(|it| it.received.messages),
        received_bytes = passed.map(|it| it.received.bytes),
        sent_messages = passed.map(|it| it.sent.messages),
        sent_bytes = passed.map(|it| it.sent.bytes),
        attempts = passed.and_then(|it| it.attempts),
        refused = passed.is_none().then_some(true),
        error = entry.error.map(|text| excerpt(text, TEXT)),
    );
}
