//! Values for interceptors and observers: a call that is over.

use std::time::Duration;

use crate::framing::Side;
use crate::metadata::Metadata;
use crate::method::Method;
use crate::status::{Code, Status};
use crate::transport::PeerAddress;

/// Messages and bytes of one direction of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Traffic {
    /// The number of messages.
    pub messages: u64,
    /// The bytes of their bodies on the wire (after compression), without gRPC's prefixes.
    pub bytes: u64,
}

/// The attempts of a channel's call after the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct FurtherAttempts {
    /// Attempts after a failed one, under the call's retry policy.
    pub retries: u32,
    /// Attempts that repeated one that no server had processed.
    pub transparent_retries: u32,
    /// Attempts that ran beside others.
    pub hedges: u32,
    /// How long the call had no attempt because one had failed and the next was not due.
    pub delay: Duration,
}

/// A call that has ended, as its caller or its server saw it.
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

    /// The number of attempts of a channel's call: 0 if it ended before it waited for a
    /// connection.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The attempts after the first one, by kind.
    pub fn further_attempts(&self) -> FurtherAttempts {
        self.further_attempts
    }

    /// The address of the server, or of the client; `None` if the call was not sent. Behind
    /// a proxy it is the proxy's.
    pub fn peer(&self) -> Option<&PeerAddress> {
        self.peer
    }

    /// The time from the start of the call until its caller saw the end; on a server, from
    /// the call's head until its handler ended.
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

    /// The server's initial metadata.
    pub fn initial_metadata(&self) -> &Metadata {
        self.initial_metadata
    }

    /// The server's trailing metadata.
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

/// A call that a server answered without a handler, or that ended before its handler began.
/// Examples: the server does not have the method, the head is not gRPC, the message is too
/// large or did not come, the deadline has passed.
#[derive(Debug)]
pub struct RefusedCall<'a> {
    pub(crate) path: &'a str,
    pub(crate) method: Option<Method>,
    pub(crate) peer: &'a PeerAddress,
    pub(crate) elapsed: Duration,
    pub(crate) status: &'a Status,
}

impl RefusedCall<'_> {
    /// The path as the client sent it: any text of any length. Empty if the request had no
    /// path.
    pub fn path(&self) -> &str {
        self.path
    }

    /// The method; `None` if the server does not have it.
    pub fn method(&self) -> Option<Method> {
        self.method
    }

    /// The client's address. Behind a proxy it is the proxy's.
    pub fn peer(&self) -> &PeerAddress {
        self.peer
    }

    /// The time since its head came.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// The status that the client got; `CANCELLED` if the client cancelled the call or its
    /// connection was lost. For a request that is not gRPC, the status that corresponds to
    /// the HTTP status of the answer.
    pub fn status(&self) -> &Status {
        self.status
    }
}

/// A handler, or an interceptor around it, that panicked. Its call ends with `INTERNAL`.
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

    /// The client's address.
    pub fn peer(&self) -> Option<&PeerAddress> {
        self.peer
    }

    /// The panic's text, if it has one. It is not sent to the client.
    pub fn text(&self) -> Option<&str> {
        self.text
    }
}
