//! A value: the encodings of messages.

/// How messages are compressed: gRPC's encodings, with the specification's names.
///
/// Compression is off by default. A client sets it for a
/// [channel](crate::ChannelBuilder::compression) or a [call](crate::UnaryCall::compression);
/// a server sets it for [all responses](crate::ServerBuilder::compression), those of a
/// [service](crate::Service::compression) or those of [one
/// call](crate::Context::set_compression). A stream can send [one
/// message](crate::Sender::send_uncompressed) uncompressed. The two directions of a call are
/// independent. Received messages are decompressed by default; `accept_compression`
/// restricts the accepted encodings.
///
/// Compress large messages with repetitive content: compression costs the sender about 10 µs
/// a message and 10 to 30 µs a kilobyte. Do not compress messages with secrets: an attacker
/// who can put their own text beside a secret and see the length of the message can find out
/// the secret (the CRIME and BREACH attacks).
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
/// Gzip and deflate need the feature `compression`, which is on by default; zstd needs the
/// feature `zstd`, which compiles C code.
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
    /// Zstandard (RFC 8878): faster than gzip, with smaller output. The specification does
    /// not name it, so check that the peer supports it.
    #[cfg(feature = "zstd")]
    Zstd,
}

impl Compression {
    /// Whether messages are not compressed.
    #[inline]
    pub(crate) fn is_identity(self) -> bool {
        self == Self::Identity
    }
}
