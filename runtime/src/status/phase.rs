//! The phases in which this side can fail a call, for people and logs.

use std::fmt;

/// What this side was doing when it made a [`Status`](crate::Status) itself.
///
/// Displayed as the end of a sentence, such as `while connecting`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Looking up the addresses of the target.
    Resolve,
    /// Connecting to an address.
    Connect,
    /// Negotiating TLS or HTTP/2 on a new connection.
    Handshake,
    /// Waiting for a connection that is ready and has room for one more call.
    Wait,
    /// Encoding or sending a request or a response.
    Send,
    /// Waiting for the peer's answer or message, or reading it.
    Receive,
    /// No particular step: the call was cancelled, or its deadline passed.
    Call,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Resolve => "while resolving the target",
            Self::Connect => "while connecting",
            Self::Handshake => "during the handshake",
            Self::Wait => "while waiting for a connection",
            Self::Send => "while sending",
            Self::Receive => "while receiving",
            Self::Call => "on this side of the call",
        })
    }
}
