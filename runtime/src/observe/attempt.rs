//! The attempts of a channel's call, as observers are told of them. Values.

use std::time::Duration;

use super::ended_call::Traffic;
use crate::method::Method;
use crate::status::{Code, Status};
use crate::transport::PeerAddress;

/// An attempt of a channel's call that begins: the first one with the call, each further one
/// once its delay is over. It has no connection yet.
#[derive(Clone, Copy, Debug)]
pub struct BegunAttempt<'a> {
    pub(crate) method: Method,
    pub(crate) target: &'a str,
    pub(crate) number: u32,
    pub(crate) previous: u32,
    pub(crate) is_transparent: bool,
    pub(crate) is_hedge: bool,
}

impl<'a> BegunAttempt<'a> {
    /// The method that is called.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The channel's target with its scheme.
    pub fn target(&self) -> &'a str {
        self.target
    }

    /// Its place among all attempts of the call, from 0.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// How many attempts came before it that count for the call's policy: what
    /// `grpc-previous-rpc-attempts` says.
    pub fn previous(&self) -> u32 {
        self.previous
    }

    /// Whether it repeats an attempt that no server looked at, which counts for no policy
    /// (gRFC A6, "Transparent Retries").
    pub fn is_transparent(&self) -> bool {
        self.is_transparent
    }

    /// Whether it runs beside others.
    pub fn is_hedge(&self) -> bool {
        self.is_hedge
    }
}

/// An attempt that has ended. The one whose end is the call's ends with it, when the caller
/// has seen that.
#[derive(Debug)]
pub struct EndedAttempt<'a> {
    pub(crate) attempt: BegunAttempt<'a>,
    pub(crate) peer: Option<&'a PeerAddress>,
    pub(crate) elapsed: Duration,
    pub(crate) result: Result<(), &'a Status>,
    pub(crate) sent: Traffic,
    pub(crate) received: Traffic,
}

impl<'a> EndedAttempt<'a> {
    /// Which one.
    pub fn attempt(&self) -> &BegunAttempt<'a> {
        &self.attempt
    }

    /// Where it went; `None` if it never left.
    pub fn peer(&self) -> Option<&'a PeerAddress> {
        self.peer
    }

    /// The time since it began, the wait for a connection included.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// How it ended: an error is the status that it failed with, `CANCELLED` where another
    /// attempt became the call's.
    pub fn result(&self) -> Result<(), &'a Status> {
        self.result
    }

    /// The code of [`result`](Self::result).
    pub fn code(&self) -> Code {
        self.result.err().map_or(Code::Ok, Status::code)
    }

    /// The messages of the call that had been sent by then. Of a streaming call that has
    /// several attempts it is what its caller had sent.
    pub fn sent(&self) -> Traffic {
        self.sent
    }

    /// The messages that came of it.
    pub fn received(&self) -> Traffic {
        self.received
    }
}
