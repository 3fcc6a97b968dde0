//! Values for observers: the attempts of a channel's call.

use std::time::Duration;

use super::ended_call::Traffic;
use crate::method::Method;
use crate::status::{Code, Status};
use crate::transport::PeerAddress;

/// An attempt of a channel's call that begins: the first one with the call, each further one
/// after its delay. It has no connection yet.
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

    /// Its number among all attempts of the call, from 0.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The number of earlier attempts that count for the call's policy: the value of
    /// `grpc-previous-rpc-attempts`.
    pub fn previous(&self) -> u32 {
        self.previous
    }

    /// Whether it repeats an attempt that no server processed, which counts for no policy
    /// (gRFC A6, "Transparent Retries").
    pub fn is_transparent(&self) -> bool {
        self.is_transparent
    }

    /// Whether it is a hedge: it runs beside other attempts.
    pub fn is_hedge(&self) -> bool {
        self.is_hedge
    }
}

/// An attempt that has ended. The attempt that gives the call its result ends when the
/// caller has seen that result.
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

    /// The server's address; `None` if the attempt was not sent.
    pub fn peer(&self) -> Option<&'a PeerAddress> {
        self.peer
    }

    /// The time since it began, the wait for a connection included.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Its result. The error is the status that the attempt failed with, `CANCELLED` if another
    /// attempt gave the call its result.
    pub fn result(&self) -> Result<(), &'a Status> {
        self.result
    }

    /// The code of [`result`](Self::result).
    pub fn code(&self) -> Code {
        self.result.err().map_or(Code::Ok, Status::code)
    }

    /// The messages of the call that had been sent when the attempt ended. For a streaming
    /// call with several attempts, the messages that the caller had sent.
    pub fn sent(&self) -> Traffic {
        self.sent
    }

    /// The messages received from this attempt.
    pub fn received(&self) -> Traffic {
        self.received
    }
}
