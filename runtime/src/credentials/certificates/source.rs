//! The source of the current certificates, asked at each handshake.

use super::value::Certificates;

/// Whoever has the certificates, keys and roots that are current:
/// [files](crate::CertificateFiles) that are watched, an agent that renews them
/// (SPIFFE's, ACME's), a program that sets them itself.
///
/// It is asked at each handshake of the servers and channels that
/// [have](crate::ServerCredentials::from_source)
/// [it](crate::ChannelCredentials::from_source). What it gives is used for that
/// handshake as a whole, certificate and roots alike; connections that are open keep what
/// they were made with, for as long as
/// [`max_connection_age`](crate::ServerBuilder::max_connection_age) lets them. Sessions
/// of TLS are resumed only among handshakes that were given the same value: with another
/// one all are forgotten, so that none outlives the roots that it was verified by.
///
/// A function is one too, and [`Certificates`] that never change.
///
/// ```
/// use std::sync::{Arc, Mutex};
///
/// use grpc_runtime::{Certificates, CertificateSource};
///
/// /// Those that the program set last.
/// #[derive(Clone)]
/// struct Latest(Arc<Mutex<Certificates>>);
///
/// impl Latest {
///     fn set(&self, certificates: Certificates) {
///         *self.0.lock().unwrap() = certificates;
///     }
/// }
///
/// impl CertificateSource for Latest {
///     fn certificates(&self) -> Certificates {
///         self.0.lock().unwrap().clone()
///     }
/// }
/// ```
pub trait CertificateSource: Send + Sync + 'static {
    /// What is current. It is called in the handshake's task, one call at a time for each
    /// server's or channel's credentials, and must not block. Give clones of one value for
    /// as long as nothing changes: a value that was built anew counts as another, even of
    /// the same certificates. Where it panics, the handshake fails, and nothing else.
    fn certificates(&self) -> Certificates;
}

impl<F: Fn() -> Certificates + Send + Sync + 'static> CertificateSource for F {
    fn certificates(&self) -> Certificates {
        self()
    }
}

impl CertificateSource for Certificates {
    fn certificates(&self) -> Certificates {
        self.clone()
    }
}
