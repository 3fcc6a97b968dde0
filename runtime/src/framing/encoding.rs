//! The encodings of messages, by name. A value.

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
    /// Whether messages go as they are.
    #[inline]
    pub(crate) fn is_identity(self) -> bool {
        self == Self::Identity
    }
}
