//! The address at the other end of a byte stream. It does not identify the caller.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// The address of the other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerAddress {
    /// A TCP connection.
    Tcp(SocketAddr),
    /// A Unix socket. Its clients have no address.
    Unix,
    /// The same process.
    InProcess,
    /// The name that was given to a [`ByteStream`](crate::ByteStream).
    Other(Arc<str>),
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix => f.write_str("unix"),
            Self::InProcess => f.write_str("in-process"),
            Self::Other(name) => f.write_str(name),
        }
    }
}
