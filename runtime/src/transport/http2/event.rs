//! Values: the events that a connection reports to its owner, and why a connection ends.

use bytes::Bytes;

use super::error_code::ErrorCode;
use super::fields::Fields;

/// A stream's identifier (RFC 9113 section 5.1.1): odd, since only clients open
/// streams in gRPC.
pub(crate) type StreamId = u32;

/// An event of a stream or of the connection, in order.
#[derive(Debug)]
pub(crate) enum Event {
    /// The first header block of a stream: a request's or a response's head.
    /// Informational (1xx) responses are skipped.
    Headers {
        stream: StreamId,
        fields: Fields,
        end_stream: bool,
    },
    /// A piece of the body. Its length must be given back with
    /// [`release`](super::connection::Connection::release) once consumed.
    Data {
        stream: StreamId,
        data: Bytes,
        end_stream: bool,
    },
    /// The second header block; it always ends the peer's half.
    Trailers { stream: StreamId, fields: Fields },
    /// The stream is gone, in both directions.
    Reset { stream: StreamId, cause: ResetCause },
    /// `bytes` of the data queued on the stream were moved to the output. `begun` are those
    /// of the chunk that is now first, which keep its memory until its last byte is moved.
    Sent {
        stream: StreamId,
        bytes: usize,
        begun: usize,
    },
    /// Both halves ended in order, and all that was queued is in the output.
    Closed { stream: StreamId },
    /// The peer accepts no new streams. Streams above its last one are reported as `Reset`
    /// with [`ResetCause::Unprocessed`].
    GoAway { code: ErrorCode, debug: Bytes },
    /// Readers have to report what they consumed so far, and from now on as
    /// [`reports`](super::connection::Connection::reports) says.
    Report,
    /// Memory was reserved for the message that the stream's reader waits for.
    Granted { stream: StreamId },
    /// A large message arrives too slowly while others wait for its memory: the owner ends
    /// its call.
    Stalled { stream: StreamId },
    /// Little that nobody reads keeps much that was read with it: the owner copies it.
    Unpin,
    /// There may be memory for responses that wait for it.
    Room,
    /// Memory is scarce: the owner looks at responses that it has, and ends those that did
    /// not get on since its last look if others want memory.
    Look { is_wanted: bool },
    /// The same was found of what the stream has queued.
    Unread { stream: StreamId },
    /// The connection has reached its maximum age, and the grace period is over: the owner
    /// ends the calls that still run.
    Overstayed,
}

/// Why a stream was reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResetCause {
    /// The peer sent RST_STREAM.
    Peer(ErrorCode),
    /// The peer broke a rule on this stream, and we reset it.
    Violation(ErrorCode, &'static str),
    /// The peer's GOAWAY says that it did not process this stream.
    Unprocessed,
}

/// An error that ends the connection, sent to the peer in GOAWAY. With `NO_ERROR` the peer
/// broke no rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConnectionError {
    pub(crate) code: ErrorCode,
    pub(crate) reason: &'static str,
}

impl ConnectionError {
    pub(crate) fn new(code: ErrorCode, reason: &'static str) -> Self {
        Self { code, reason }
    }

    pub(crate) fn protocol(reason: &'static str) -> Self {
        Self::new(ErrorCode::PROTOCOL_ERROR, reason)
    }

    pub(crate) fn calm(reason: &'static str) -> Self {
        Self::new(ErrorCode::ENHANCE_YOUR_CALM, reason)
    }
}

impl std::fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.code == ErrorCode::NO_ERROR {
            return f.write_str(self.reason);
        }
        write!(f, "the peer broke HTTP/2: {} ({})", self.reason, self.code)
    }
}

impl std::error::Error for ConnectionError {}
