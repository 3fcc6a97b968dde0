//! Errors of messages. Their texts say which side found the error and what to change.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use prost::DecodeError;

use super::Compression;
use crate::code::Code;
use crate::status::{Phase, Status};

/// This process' side of a connection or a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The side of a channel.
    Client,
    /// The side of a server.
    Server,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Server => "server",
        })
    }
}

/// A message that cannot be sent or received. It ends the call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum FramingError {
    /// The message to send exceeds the limit, or the prefix's 32 bits of length.
    SendTooLarge { size: usize, limit: usize },
    /// The peer announces a message over the limit.
    ReceiveTooLarge { size: usize, limit: usize },
    /// The message is compressed, and no encoding was agreed on.
    Compressed,
    /// The decompressed message exceeds the limit. Decompression stopped there.
    InflateTooLarge {
        compression: Compression,
        limit: usize,
    },
    /// The message cannot be decompressed, for the codec's reason.
    Decompress {
        compression: Compression,
        reason: Cow<'static, str>,
    },
    /// The message to send cannot be compressed, for the codec's reason.
    Compress {
        compression: Compression,
        reason: Cow<'static, str>,
    },
    /// The prefix begins with this byte, which is not a valid flag.
    Flag(u8),
    /// The stream ended within a prefix, after this many bytes of it.
    TruncatedPrefix { received: usize },
    /// The stream ended within a body.
    TruncatedBody { received: usize, size: usize },
    /// The body cannot be decoded as the message's type.
    Decode(DecodeError),
}

impl FramingError {
    /// The status of the call, found on `side`: `RESOURCE_EXHAUSTED` for an exceeded limit,
    /// `INTERNAL` otherwise.
    pub(crate) fn into_status(self, side: Side) -> Status {
        let (code, phase) = match self {
            Self::SendTooLarge { .. } => (Code::ResourceExhausted, Phase::Send),
            Self::ReceiveTooLarge { .. } | Self::InflateTooLarge { .. } => {
                (Code::ResourceExhausted, Phase::Receive)
            }
            Self::Compress { .. } => (Code::Internal, Phase::Send),
            _ => (Code::Internal, Phase::Receive),
        };
        let status = Status::new(code, format!("the {side} {self}")).with_phase(phase);
        match self {
            Self::Decode(error) => status.with_source(error),
            error => status.with_source(error),
        }
    }
}

/// What a side did: a text that follows "the client" or "the server".
impl fmt::Display for FramingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SendTooLarge { size, limit } => write!(
                f,
                "cannot send a message of {size} bytes: its max_send_message_size is {limit}"
            ),
            Self::ReceiveTooLarge { size, limit } => write!(
                f,
                "cannot receive a message of {size} bytes: its max_receive_message_size is {limit}"
            ),
            Self::Compressed => f.write_str(
                "received a compressed message, but the call's headers name no grpc-encoding \
                 other than identity",
            ),
            Self::InflateTooLarge { compression, limit } => write!(
                f,
                "cannot receive a {compression} message of more than {limit} bytes \
                 decompressed: its max_receive_message_size is {limit}"
            ),
            Self::Decompress {
                compression,
                reason,
            } => write!(f, "received a message that is not {compression}: {reason}"),
            Self::Compress {
                compression,
                reason,
            } => write!(f, "cannot compress a message with {compression}: {reason}"),
            Self::Flag(flag) => write!(
                f,
                "received a message that begins with the byte {flag:#04x} instead of a flag of 0 or 1"
            ),
            Self::TruncatedPrefix { received } => write!(
                f,
                "received the end of the stream within a message's prefix, after {received} of 5 bytes"
            ),
            Self::TruncatedBody { received, size } => write!(
                f,
                "received the end of the stream within a message, after {received} of {size} bytes"
            ),
            Self::Decode(error) => write!(f, "cannot decode a message: {error}"),
        }
    }
}

impl Error for FramingError {}
