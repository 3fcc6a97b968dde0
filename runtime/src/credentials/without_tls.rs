//! The TLS constructors in a build without the feature `tls`: using them does not compile,
//! and the compiler's message names the feature.

use super::channel::ChannelCredentials;
use super::server::ServerCredentials;

/// Implemented only with the feature `tls`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "TLS is in the feature `tls` of grpc-runtime, which is off",
    label = "needs the feature `tls`",
    note = "in Cargo.toml: grpc-runtime = {{ version = \"…\", features = [\"tls\"] }}"
)]
pub trait Present {}

/// The feature `tls`.
#[doc(hidden)]
#[derive(Debug)]
pub struct Tls;

// The compiler checks a bound without parameters where it is written, unless it has a
// lifetime; so the bounds here have one.
impl ChannelCredentials {
    /// TLS, in a build with the feature `tls`.
    pub fn tls() -> Self
    where
        for<'a> Tls: Present,
    {
        Self::insecure()
    }

    /// TLS as a rustls configuration says, in a build with the feature `tls`.
    pub fn rustls<C>(_config: C) -> Self
    where
        for<'a> Tls: Present,
    {
        Self::insecure()
    }

    /// TLS with a source's certificates, in a build with the feature `tls`.
    pub fn from_source<S>(_source: S) -> Self
    where
        for<'a> Tls: Present,
    {
        Self::insecure()
    }
}

impl ServerCredentials {
    /// TLS, in a build with the feature `tls`.
    pub fn tls(_chain: impl AsRef<[u8]>, _key: impl AsRef<[u8]>) -> Self
    where
        for<'a> Tls: Present,
    {
        Self::insecure()
    }

    /// TLS as a rustls configuration says, in a build with the feature `tls`.
    pub fn rustls<C>(_config: C) -> Self
    where
        for<'a> Tls: Present,
    {
        Self::insecure()
    }

    /// TLS with a source's certificates, in a build with the feature `tls`.
    pub fn from_source<S>(_source: S) -> Self
    where
        for<'a> Tls: Present,
    {
        Self::insecure()
    }
}
