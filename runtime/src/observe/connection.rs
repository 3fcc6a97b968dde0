//! What observers are told of connections. Values.

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
    /// Its number in this process, which no other connection has.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Which end of it this is.
    pub fn side(&self) -> Side {
        self.side
    }

    /// Where its other end is. Behind a proxy that is the proxy, unless it names its clients
    /// ([`ProxyProtocol`](crate::ProxyProtocol)).
    pub fn peer(&self) -> &PeerAddress {
        &self.peer
    }

    /// The target of the channel whose it is, with its scheme; `None` on a server.
    pub fn target(&self) -> Option<&str> {
        self.target.as_deref()
    }

    /// Whether TLS protects it.
    pub fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }
}

/// How far an attempt came that led to no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionStep {
    /// There is no header of the PROXY protocol that names the client, or it comes from
    /// somebody whom [`ProxyProtocol`](crate::ProxyProtocol) does not trust.
    Proxy,
    /// [`on_accept`](crate::ServerBuilder::on_accept) refused it, or panicked, or the server
    /// has as many connections as [`ServerLimits`](crate::ServerLimits) let it have.
    Admission,
    /// There is no byte stream.
    Connect,
    /// TLS was not agreed on.
    Tls,
    /// HTTP/2 was not agreed on.
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

/// An attempt that came to no connection. Its [`Display`](fmt::Display) says all of it in
/// a line.
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

    /// Where its other end is, or was to be.
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

    /// What was wrong, for people.
    pub fn reason(&self) -> &str {
        self.reason
    }

    /// The error behind it, if there was one: of the socket or of TLS.
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

/// A connection that is no more.
#[derive(Debug)]
pub struct ClosedConnection<'a> {
    pub(super) connection: &'a ObservedConnection,
    pub(super) reason: CloseReason<'a>,
    pub(super) elapsed: Duration,
}

impl ClosedConnection<'_> {
    /// Which one.
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

/// One side takes no more calls on a connection (RFC 9113 section 6.8).
#[derive(Debug)]
pub struct LeavingConnection<'a> {
    pub(super) connection: &'a ObservedConnection,
    pub(super) code: u32,
    pub(super) debug: &'a [u8],
}

impl LeavingConnection<'_> {
    /// On which one.
    pub fn connection(&self) -> &ObservedConnection {
        self.connection
    }

    /// The error code of RFC 9113 section 7; 0 where nothing is wrong.
    pub fn code(&self) -> u32 {
        self.code
    }

    /// What was said besides: a text, as a rule; the first 256 bytes of a peer's.
    pub fn debug_data(&self) -> &[u8] {
        self.debug
    }
}
