//! The content of a line about one call. A value.

use std::time::Duration;

use crate::framing::Side;
use crate::observe::ended_call::{EndedCall, RefusedCall, Traffic};
use crate::status::{Code, Status};
use crate::transport::PeerAddress;

/// The bytes of a path that are logged: clients may send any path.
pub(super) const PATH: usize = 256;

/// One call that is over.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogEntry<'a> {
    pub(super) side: &'static str,
    pub(super) peer: Option<&'a PeerAddress>,
    pub(super) target: Option<&'a str>,
    pub(super) path: &'a str,
    pub(super) code: Code,
    /// The text of an error, if it has one.
    pub(super) error: Option<&'a str>,
    /// `None` for a call that was refused.
    pub(super) passed: Option<Passed>,
}

/// Times and counts of a call that began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passed {
    pub(super) elapsed: Duration,
    pub(super) received: Traffic,
    pub(super) sent: Traffic,
    /// Set for a channel's call.
    pub(super) attempts: Option<u32>,
}

impl<'a> LogEntry<'a> {
    pub(super) fn of(call: &'a EndedCall<'_>) -> Self {
        let error = call.result().err().map(Status::message);
        Self {
            side: match call.side() {
                Side::Client => "client",
                Side::Server => "server",
            },
            peer: call.peer(),
            target: call.target(),
            path: call.method().path(),
            code: call.code(),
            error: error.filter(|text| !text.is_empty()),
            passed: Some(Passed {
                elapsed: call.elapsed(),
                received: call.received(),
                sent: call.sent(),
                attempts: (call.side() == Side::Client).then_some(call.attempts()),
            }),
        }
    }

    pub(super) fn of_refused(call: &'a RefusedCall<'_>) -> Self {
        let error = call.status().message();
        Self {
            side: "server",
            peer: Some(call.peer()),
            target: None,
            path: call.path(),
            code: call.status().code(),
            error: Some(error).filter(|text| !text.is_empty()),
            passed: None,
        }
    }
}
