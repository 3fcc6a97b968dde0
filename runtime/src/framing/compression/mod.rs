//! Compresses and decompresses messages with the encodings of `grpc-encoding` and
//! `grpc-accept-encoding`. Output is at most the message's limit, whatever the input claims.

#[cfg_attr(
    not(feature = "compression"),
    allow(dead_code, reason = "not every codec needs all of it")
)]
mod codec;
#[cfg(feature = "compression")]
mod deflate;
mod encodings;
#[cfg_attr(
    not(feature = "compression"),
    allow(dead_code, reason = "not every codec has all of them")
)]
mod fault;
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

use self::codec::Codec;
pub(crate) use self::encodings::Encodings;
use self::fault::Fault;
use self::inflated::Inflated;
use super::PREFIX_LEN;
use super::encoding::Compression;
use super::error::FramingError;
use super::payload::Payload;

impl Compression {
    /// All encodings of this build.
    const ALL: &[Self] = &[
        Self::Identity,
        #[cfg(feature = "zstd")]
        Self::Zstd,
        #[cfg(feature = "compression")]
        Self::Deflate,
        #[cfg(feature = "compression")]
        Self::Gzip,
    ];

    /// The name in header fields.
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

    /// The codec; `None` for identity.
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

    /// The encoding with this name, ignoring case, as the ABNF of PROTOCOL-HTTP2 does.
    pub(crate) fn from_name(name: &[u8]) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|known| known.name().as_bytes().eq_ignore_ascii_case(name))
    }
}

/// The name, such as `gzip`.
impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A whole message with its prefix: `body` compressed, and the prefix's flag set. An empty
/// body is not compressed.
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

/// The initial room for the compressed form of `length` bytes; it grows for data that does
/// not shrink.
fn expected(length: usize) -> usize {
    length.min(512) + length / 4 + 64
}

/// Decompresses `body`.
#[cold]
pub(super) fn decompress(body: &Payload) -> Result<Payload, FramingError> {
    let (compression, limit) = body.encoding();
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
