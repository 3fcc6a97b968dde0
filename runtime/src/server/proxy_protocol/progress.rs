//! Progress of reading a header of the PROXY protocol. Values only.

use std::fmt;
use std::net::SocketAddr;

/// The result of reading the first bytes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderProgress {
    /// The header has at least so many more.
    Needs(usize),
    /// The header is complete and names the client's address; `None` for LOCAL (the sender's
    /// own connection) and UNKNOWN.
    Names(Option<SocketAddr>),
}

/// Why it is no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderFault {
    /// The connection begins with something else.
    Absent,
    /// It begins as one, and then is none.
    Malformed(&'static str),
}

impl fmt::Display for HeaderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("the connection begins without one"),
            Self::Malformed(what) => f.write_str(what),
        }
    }
}
