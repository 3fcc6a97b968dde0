//! The encodings of messages: what the `grpc-encoding` and `grpc-accept-encoding`
//! of a call mean, and bodies in and out of them. No I/O; and never more output
//! than the limit of its message, whatever the input claims.

#[cfg_attr(
    not(feature = "compression"),
    allow(dead_code, reason = "not every codec needs all of it")
)]
mod codec;
#[cfg(feature = "compression")]
mod deflate;
mod encodings;
#[cfg(feature = "compression")]
mod gzip;
#[cfg(any(feature = "compression", feature = "zstd"))]
mod idle;
#[cfg_attr(
    not(any(feature = "compression", feature = "zstd")),
    allow(dead_code, reason = "codecs fill it")
)]
mod inflated;
#[cfg(test)]
mod tests;
#[cfg(feature = "zstd")]
mod zstd;

use std::fmt;

use bytes::{Buf, Bytes};

use self::codec::{Codec, Fault};
pub(crate) use self::encodings::Encodings;
use self::inflated::Inflated;
use super::{FramingError, PREFIX_LEN, Payload};

/// How messages are compressed: gRPC's encodings, by the names that the
/// specification gives them.
///
/// Nothing is compressed unless it is asked for. A client asks for a
/// [channel](crate::ChannelBuilder::compression) or a
/// [call](crate::UnaryCall::compression), a server for
/// [all its answers](crate::ServerBuilder::compression), those of a
/// [service](crate::Service::compression) or those of
/// [one call](crate::Context::set_compression); and a stream may leave
/// [one message](crate::Sender::send_uncompressed) as it is. The two directions of
/// a call are independent of each other. What comes compressed is decompressed
/// without being asked for, unless `accept_compression` says otherwise.
///
/// Compress what is large and repeats itself: a message costs its sender about
/// 10 µs, and each kilobyte 10 to 30 more. And keep secrets out of it: an attacker who can put text of his
/// own beside a secret, and sees how long the message is, can find the secret out
/// (the CRIME and BREACH attacks).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use grpc_runtime::{Channel, ChannelCredentials, Compression, Server};
///
/// let channel = Channel::builder("localhost:50051")?
///     .compression(Compression::Gzip)
///     .build(ChannelCredentials::insecure())?;
/// let server = Server::builder().compression(Compression::Gzip);
/// # drop((channel, server));
/// # Ok(())
/// # }
/// ```
///
/// Gzip and deflate come with the feature `compression`, which is on by default,
/// zstd with the feature `zstd`, which compiles C.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compression {
    /// None. Every gRPC understands it.
    #[default]
    Identity,
    /// Gzip (RFC 1952). Every gRPC that compresses understands it.
    #[cfg(feature = "compression")]
    Gzip,
    /// Deflate in zlib's format (RFC 1950). Fewer understand it than gzip.
    #[cfg(feature = "compression")]
    Deflate,
    /// Zstandard (RFC 8878): faster than gzip, and smaller. Not one of the
    /// encodings that the specification names, so ask who is on the other side.
    #[cfg(feature = "zstd")]
    Zstd,
}

impl Compression {
    /// All that this build knows.
    const ALL: &[Self] = &[
        Self::Identity,
        #[cfg(feature = "zstd")]
        Self::Zstd,
        #[cfg(feature = "compression")]
        Self::Deflate,
        #[cfg(feature = "compression")]
        Self::Gzip,
    ];

    /// Whether messages go as they are.
    #[inline]
    pub(crate) fn is_identity(self) -> bool {
        self == Self::Identity
    }

    /// As it stands in header fields.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            #[cfg(feature = "compression")]
            Self::Gzip => "gzip",
            #[cfg(feature = "compression")]
            Self::Deflate => "deflate",
            #[cfg(feature = "zstd")]
            Self::Zstd => "zstd",
        }
    }

    /// What does it; nothing does identity.
    fn codec(self) -> Option<&'static Codec> {
        match self {
            Self::Identity => None,
            #[cfg(feature = "compression")]
            Self::Gzip => Some(&deflate::GZIP),
            #[cfg(feature = "compression")]
            Self::Deflate => Some(&deflate::ZLIB),
            #[cfg(feature = "zstd")]
            Self::Zstd => Some(&zstd::ZSTD),
        }
    }

    /// By its name: case does not matter, as it does not in ABNF, in which
    /// PROTOCOL-HTTP2 is written.
    pub(crate) fn from_name(name: &[u8]) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|known| known.name().as_bytes().eq_ignore_ascii_case(name))
    }
}

/// The name: `gzip`, say.
impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A whole message with its prefix: `body` compressed, and the prefix's flag set.
/// An empty body stays as it is, since nothing makes it smaller.
#[cold]
pub(crate) fn compress(compression: Compression, body: &[u8]) -> Result<Bytes, FramingError> {
    let codec = compression.codec().filter(|_| !body.is_empty());
    let mut out = Vec::with_capacity(PREFIX_LEN + expected(body.len()));
    out.extend_from_slice(&[u8::from(codec.is_some()), 0, 0, 0, 0]);
    match codec {
        None => out.extend_from_slice(body),
        Some(codec) => {
            (codec.compress)(body, &mut out).map_err(|reason| FramingError::Compress {
                compression,
                reason,
            })?;
        }
    }
    let size = out.len() - PREFIX_LEN;
    let length = u32::try_from(size).map_err(|_| FramingError::SendTooLarge {
        size,
        limit: u32::MAX as usize,
    })?;
    out[1..PREFIX_LEN].copy_from_slice(&length.to_be_bytes());
    Ok(out.into())
}

/// The room to begin with for so many bytes compressed: what does not shrink
/// makes it grow.
fn expected(length: usize) -> usize {
    length.min(512) + length / 4 + 64
}

/// What `body` was before it was compressed: `limit` bytes at most.
pub(super) fn decompress(
    compression: Compression,
    body: &Payload,
    limit: usize,
) -> Result<Payload, FramingError> {
    let Some(codec) = compression.codec() else {
        return Ok(body.clone());
    };
    let input = body.reader();
    let mut out = Inflated::new(input.remaining(), limit);
    match (codec.decompress)(input, &mut out) {
        Ok(()) => Ok(out.into_payload()),
        Err(Fault::TooLarge) => Err(FramingError::InflateTooLarge { compression, limit }),
        Err(fault) => Err(FramingError::Decompress {
            compression,
            reason: fault.reason(),
        }),
    }
}
