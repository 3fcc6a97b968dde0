//! Values for observers: connections, failed attempts to connect, and GOAWAY.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::close_reason::CloseReason;
use crate::framing::Side;
use crate::transport::PeerAddress;

/// A connection that is, or was, open.
#[derive(Clone, Debug)]
pub struct ObservedConnection {
    pub(super) id: u64,
    pub(super) side: Side,
    pub(super) peer: PeerAddress,
    pub(super) target: Option<Arc<str>>,
    pub(super) is_encrypted: bool,
}

impl ObservedConnection {
    /// Its number, unique in this process.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Which end of it this is.
    pub fn side(&self) -> Side {
        self.side
    }

    /// The address of its other end. Behind a proxy it is the proxy's, unless the proxy
    /// names its clients ([`ProxyProtocol`](crate::ProxyProtocol)).
    pub fn peer(&self) -> &PeerAddress {
        &self.peer
    }

    /// The target of its channel, with its scheme; `None` on a server.
    pub fn target(&self) -> Option<&str> {
        self.target.as_deref()
    }

    /// Whether TLS protects it.
    pub fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }
}

/// The step at which an attempt to connect failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionStep {
    /// The header of the PROXY protocol is missing or does not name the client, or its
    /// sender is not trusted by [`ProxyProtocol`](crate::ProxyProtocol).
    Proxy,
    /// [`on_accept`](crate::ServerBuilder::on_accept) refused the connection or panicked, or
    /// the server has as many connections as [`ServerLimits`](crate::ServerLimits) allow.
    Admission,
    /// The byte stream could not be connected.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// The exchange of HTTP/2 settings failed.
    Http2,
}

impl fmt::Display for ConnectionStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Proxy => "PROXY protocol",
            Self::Admission => "admission",
            Self::Connect => "connect",
            Self::Tls => "TLS",
            Self::Http2 => "HTTP/2",
        })
    }
}

/// A failed attempt to connect. [`Display`](fmt::Display) gives all of it in one line.
#[derive(Debug)]
pub struct FailedConnection<'a> {
    pub(super) side: Side,
    pub(super) peer: &'a PeerAddress,
    pub(super) target: Option<&'a str>,
    pub(super) step: ConnectionStep,
    pub(super) reason: &'a str,
    pub(super) source: Option<&'a (dyn Error + Send + Sync + 'static)>,
    pub(super) elapsed: Duration,
}

impl FailedConnection<'_> {
    /// Which end of it this is.
    pub fn side(&self) -> Side {
        self.side
    }

    /// The address of the other end.
    pub fn peer(&self) -> &PeerAddress {
        self.peer
    }

    /// The target of the channel that made it, with its scheme; `None` on a server.
    pub fn target(&self) -> Option<&str> {
        self.target
    }

    /// What failed.
    pub fn step(&self) -> ConnectionStep {
        self.step
    }

    /// The cause, for people.
    pub fn reason(&self) -> &str {
        self.reason
    }

    /// The underlying error of the socket or of TLS, if there is one.
    pub fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.map(|error| error as &(dyn Error + 'static))
    }

    /// The time from the beginning of the attempt.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }
}

impl fmt::Display for FailedConnection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whom = match self.side {
            Side::Client => "to",
            Side::Server => "from",
        };
        write!(
            f,
            "no connection {whom} {}: {} failed after {:?}: {}",
            self.peer, self.step, self.elapsed, self.reason
        )
    }
}

/// A connection that has ended.
#[derive(Debug)]
pub struct ClosedConnection<'a> {
    pub(super) connection: &'a ObservedConnection,
    pub(super) reason: CloseReason<'a>,
    pub(super) elapsed: Duration,
}

impl ClosedConnection<'_> {
    /// The connection.
    pub fn connection(&self) -> &ObservedConnection {
        self.connection
    }

    /// Why it ended.
    pub fn reason(&self) -> &CloseReason<'_> {
        &self.reason
    }

    /// The time since it was opened.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }
}

/// A GOAWAY: one side accepts no more calls on a connection (RFC 9113 section 6.8).
#[derive(Debug)]
pub struct LeavingConnection<'a> {
    pub(super) connection: &'a ObservedConnection,
    pub(super) code: u32,
    pub(super) debug: &'a [u8],
}

impl LeavingConnection<'_> {
    /// The connection.
    pub fn connection(&self) -> &ObservedConnection {
        self.connection
    }

    /// The error code of RFC 9113 section 7; 0 if there is no error.
    pub fn code(&self) -> u32 {
        self.code
    }

    /// The debug data of the GOAWAY, usually text. At most 256 bytes of a received one are
    /// kept.
    pub fn debug_data(&self) -> &[u8] {
        self.debug
    }
}
