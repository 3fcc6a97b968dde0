//! A call that is over, as interceptors and observers are told of it. Values.

use std::time::Duration;

use crate::framing::Side;
use crate::metadata::Metadata;
use crate::method::Method;
use crate::status::{Code, Status};
use crate::transport::PeerAddress;

/// What passed one way in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Traffic {
    /// Messages.
    pub messages: u64,
    /// The bytes of their bodies, compressed where they were, without gRPC's
    /// prefixes.
    pub bytes: u64,
}

/// The attempts of a channel's call beside the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct FurtherAttempts {
    /// Those that followed on one that had failed, as the call's policy says.
    pub retries: u32,
    /// Those that repeated one which no server had looked at.
    pub transparent_retries: u32,
    /// Those that ran beside others.
    pub hedges: u32,
    /// How long the call had no attempt, since one had failed and the next was not due.
    pub delay: Duration,
}

/// A call that has ended, as its caller saw it, or as its server left it.
#[derive(Debug)]
pub struct EndedCall<'a> {
    pub(crate) side: Side,
    pub(crate) method: Method,
    pub(crate) target: Option<&'a str>,
    pub(crate) attempts: u32,
    pub(crate) further_attempts: FurtherAttempts,
    pub(crate) peer: Option<&'a PeerAddress>,
    pub(crate) elapsed: Duration,
    pub(crate) result: Result<(), &'a Status>,
    pub(crate) initial_metadata: &'a Metadata,
    pub(crate) trailing_metadata: &'a Metadata,
    pub(crate) sent: Traffic,
    pub(crate) received: Traffic,
}

impl EndedCall<'_> {
    /// Which end of the call this is.
    pub fn side(&self) -> Side {
        self.side
    }

    /// The method that was called.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The channel's target with its scheme, as `dns:///orders.example:443`; `None` on a
    /// server.
    pub fn target(&self) -> Option<&str> {
        self.target
    }

    /// The attempts that a channel's call had: 0 where it ended before it looked for a
    /// connection.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Those of them beside the first one.
    pub fn further_attempts(&self) -> FurtherAttempts {
        self.further_attempts
    }

    /// Where the call went, or came from; `None` if it never left. Behind a proxy
    /// that is the proxy.
    pub fn peer(&self) -> Option<&PeerAddress> {
        self.peer
    }

    /// The time from the start of the call to the moment when its caller saw the
    /// end; on a server, from when its head came until the handler had ended.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// How the call ended: an error is the status that it failed with.
    pub fn result(&self) -> Result<(), &Status> {
        self.result
    }

    /// The code of [`result`](Self::result).
    pub fn code(&self) -> Code {
        self.result.err().map_or(Code::Ok, Status::code)
    }

    /// What the server sent ahead of its messages.
    pub fn initial_metadata(&self) -> &Metadata {
        self.initial_metadata
    }

    /// What the server sent behind its messages, or with its error.
    pub fn trailing_metadata(&self) -> &Metadata {
        self.trailing_metadata
    }

    /// The messages that this side sent.
    pub fn sent(&self) -> Traffic {
        self.sent
    }

    /// The messages that this side received.
    pub fn received(&self) -> Traffic {
        self.received
    }
}

/// A call that a server answered without a handler, or that was over before it could
/// begin one: for a method that is not there, a head that is no gRPC, a message that is
/// too large or never came, a deadline that had passed.
#[derive(Debug)]
pub struct RefusedCall<'a> {
    pub(crate) path: &'a str,
    pub(crate) method: Option<Method>,
    pub(crate) peer: &'a PeerAddress,
    pub(crate) elapsed: Duration,
    pub(crate) status: &'a Status,
}

impl RefusedCall<'_> {
    /// What was called, as the client wrote it: it may be anything, and long. Empty where
    /// the request had no path.
    pub fn path(&self) -> &str {
        self.path
    }

    /// The method, if the server has it.
    pub fn method(&self) -> Option<Method> {
        self.method
    }

    /// Where the call came from. Behind a proxy that is the proxy.
    pub fn peer(&self) -> &PeerAddress {
        self.peer
    }

    /// The time since its head came.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// What the client was told; `CANCELLED` where it gave the call up, or its connection
    /// was lost. Of a request that is no gRPC at all, the status that its HTTP status
    /// stands for.
    pub fn status(&self) -> &Status {
        self.status
    }
}

/// A handler, or an interceptor around it, that has panicked. Its call ends with `INTERNAL`.
#[derive(Debug)]
pub struct PanickedHandler<'a> {
    pub(crate) method: Method,
    pub(crate) peer: Option<&'a PeerAddress>,
    pub(crate) text: Option<&'a str>,
}

impl PanickedHandler<'_> {
    /// The method that was called.
    pub fn method(&self) -> Method {
        self.method
    }

    /// Where the call came from.
    pub fn peer(&self) -> Option<&PeerAddress> {
        self.peer
    }

    /// The panic's text, if it has one. No client is told of it.
    pub fn text(&self) -> Option<&str> {
        self.text
    }
}
