//! Why a connection ended. A value.

use std::fmt;
use std::io;

use crate::transport::driver::Closed;
use crate::transport::http2::error_code::ErrorCode;

/// Why a connection ended that was open. Its [`Display`](fmt::Display) is a sentence for
/// people.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum CloseReason<'a> {
    /// One side had said GOAWAY, and all calls were over.
    Drained,
    /// The peer closed it, or its process ended.
    PeerClosed,
    /// It was lost.
    Lost(&'a io::Error),
    /// The peer broke HTTP/2, or did what only an attacker does.
    Broken {
        /// The error code of RFC 9113 section 7 that the peer was told.
        code: u32,
        /// What was wrong.
        text: &'a str,
    },
    /// This side ended it though the peer broke no rule: it did not answer a keepalive
    /// PING, or the grace after a maximum age or of a shutdown was over.
    Ended {
        /// Why.
        text: &'a str,
    },
    /// This side dropped it: the channel was closed, or the server or its runtime is gone.
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
