//! Metrics of a channel's connections (gRFC A94). Events are rare: labels are built for each
//! one, under a lock.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::sync::{Mutex, MutexGuard, PoisonError};

use grpc_runtime::{CloseReason, ClosedConnection, LeavingConnection, ObservedConnection};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Meter, UpDownCounter};

use super::instrument::{Choice, Instrument};
use super::optional_label::OptionalLabel;

/// Counts them.
pub(crate) struct Subchannels {
    disconnections: Option<Counter<u64>>,
    succeeded: Option<Counter<u64>>,
    failed: Option<Counter<u64>>,
    open: Option<UpDownCounter<i64>>,
    has_disconnect_error: bool,
    has_security_level: bool,
    /// The error of the first GOAWAY of each peer that sent one, by the connection's number.
    leaving: Mutex<HashMap<u64, String>>,
}

impl Subchannels {
    /// Nothing where none of its instruments is on.
    pub(crate) fn new(choice: &Choice, labels: &[OptionalLabel], meter: &Meter) -> Option<Self> {
        let subchannels = Self {
            disconnections: choice.counter(meter, Instrument::SubchannelDisconnections),
            succeeded: choice.counter(meter, Instrument::SubchannelConnectionAttemptsSucceeded),
            failed: choice.counter(meter, Instrument::SubchannelConnectionAttemptsFailed),
            open: choice.up_down_counter(meter, Instrument::SubchannelOpenConnections),
            has_disconnect_error: labels.contains(&OptionalLabel::DisconnectError),
            has_security_level: labels.contains(&OptionalLabel::SecurityLevel),
            leaving: Mutex::default(),
        };
        let counters = [
            &subchannels.disconnections,
            &subchannels.succeeded,
            &subchannels.failed,
        ];
        let has_any = subchannels.open.is_some() || counters.iter().any(|it| it.is_some());
        has_any.then_some(subchannels)
    }

    fn leaving(&self) -> MutexGuard<'_, HashMap<u64, String>> {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn open(&self, target: String, connection: &ObservedConnection) {
        if let Some(succeeded) = &self.succeeded {
            succeeded.add(1, &[KeyValue::new("grpc.target", target.clone())]);
        }
        self.count_open(1, target, connection);
    }

    fn count_open(&self, change: i64, target: String, connection: &ObservedConnection) {
        let Some(open) = &self.open else {
            return;
        };
        let mut labels = vec![KeyValue::new("grpc.target", target)];
        if self.has_security_level {
            let level = if connection.is_encrypted() {
                "privacy_and_integrity"
            } else {
                "none"
            };
            labels.push(KeyValue::new("grpc.security_level", level));
        }
        open.add(change, &labels);
    }

    pub(crate) fn fail(&self, target: String) {
        if let Some(failed) = &self.failed {
            failed.add(1, &[KeyValue::new("grpc.target", target)]);
        }
    }

    /// The peer's.
    pub(crate) fn leave(&self, go_away: &LeavingConnection<'_>) {
        if self.disconnections.is_some() && self.has_disconnect_error {
            let said = format!("GOAWAY {}", error_name(go_away.code()));
            let mut leaving = self.leaving();
            leaving.entry(go_away.connection().id()).or_insert(said);
        }
    }

    pub(crate) fn close(&self, target: String, closed: &ClosedConnection<'_>) {
        self.count_open(-1, target.clone(), closed.connection());
        let Some(disconnections) = &self.disconnections else {
            return;
        };
        let mut labels = vec![KeyValue::new("grpc.target", target)];
        if self.has_disconnect_error {
            let said = self.leaving().remove(&closed.connection().id());
            let why = said.unwrap_or_else(|| disconnect_error(closed.reason()).to_owned());
            labels.push(KeyValue::new("grpc.disconnect_error", why));
        }
        disconnections.add(1, &labels);
    }
}

/// A94's word for it, where the peer has said nothing.
fn disconnect_error(reason: &CloseReason<'_>) -> &'static str {
    match reason {
        // Without a GOAWAY of the peer's it was this side that left.
        CloseReason::Drained | CloseReason::Dropped => "subchannel shutdown",
        CloseReason::Lost(error) => match error.kind() {
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => "connection reset",
            ErrorKind::TimedOut => "connection timed out",
            ErrorKind::ConnectionAborted => "connection aborted",
            _ => "socket error",
        },
        // A channel ends a connection by its own word where keepalive finds it dead.
        CloseReason::Ended { .. } => "connection timed out",
        _ => "unknown",
    }
}

/// The name of an error code (RFC 9113 section 7).
fn error_name(code: u32) -> String {
    const NAMES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    // RFC 9113 section 7: an unknown code may be treated as INTERNAL_ERROR. This bounds the
    // labels: a peer can send any 32-bit code.
    let known = NAMES.get(code as usize);
    known.map_or("INTERNAL_ERROR", |name| name).to_owned()
}

#[cfg(test)]
mod tests;
