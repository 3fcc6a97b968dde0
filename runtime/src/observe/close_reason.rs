//! A value for observers: why a connection ended.

use std::fmt;
use std::io;

use crate::transport::driver::Closed;
use crate::transport::http2::error_code::ErrorCode;

/// Why an open connection ended. [`Display`](fmt::Display) gives a sentence for people.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum CloseReason<'a> {
    /// One side had sent GOAWAY, and all calls were over.
    Drained,
    /// The peer closed the connection, or its process ended.
    PeerClosed,
    /// The socket failed.
    Lost(&'a io::Error),
    /// The peer broke the rules of HTTP/2, or exceeded a limit against abuse.
    Broken {
        /// The error code of RFC 9113 section 7 that was sent to the peer.
        code: u32,
        /// What was wrong.
        text: &'a str,
    },
    /// This side ended the connection although the peer broke no rule: the peer did not
    /// answer a keepalive PING, or the grace period of a maximum age or a shutdown was over.
    Ended {
        /// Why.
        text: &'a str,
    },
    /// This side dropped the connection: the channel was closed, or the server or its
    /// runtime has ended.
    Dropped,
}

impl<'a> CloseReason<'a> {
    pub(super) fn of(closed: &'a Closed) -> Self {
        match closed {
            Closed::Drained => Self::Drained,
            Closed::Eof => Self::PeerClosed,
            Closed::Io(error) => Self::Lost(error),
            Closed::Protocol(error) if error.code == ErrorCode::NO_ERROR => {
                Self::Ended { text: error.reason }
            }
            Closed::Protocol(error) => Self::Broken {
                code: error.code.0,
                text: error.reason,
            },
            Closed::NotHttp2(text) => Self::Broken {
                code: ErrorCode::PROTOCOL_ERROR.0,
                text,
            },
        }
    }
}

impl fmt::Display for CloseReason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drained => f.write_str("it was drained"),
            Self::PeerClosed => f.write_str("the peer closed it"),
            Self::Lost(error) => write!(f, "it was lost: {error}"),
            Self::Broken { code, text } => write!(f, "{text} ({})", ErrorCode(*code)),
            Self::Ended { text } => f.write_str(text),
            Self::Dropped => f.write_str("this side dropped it"),
        }
    }
}
