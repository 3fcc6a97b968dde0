//! How far a header of the PROXY protocol has come. Values.

use std::fmt;
use std::net::SocketAddr;

/// What so many bytes of a connection's beginning say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderProgress {
    /// The header has at least so many more.
    Needs(usize),
    /// It ends here, and names who connects; nobody where the sender speaks for itself
    /// (LOCAL), or does not know (UNKNOWN).
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
