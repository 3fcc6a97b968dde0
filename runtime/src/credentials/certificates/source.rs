//! The source of the current certificates, asked at each handshake.

use super::value::Certificates;

/// The provider of the current certificates, keys and roots: watched
/// [files](crate::CertificateFiles), an agent that renews them (SPIFFE, ACME), or the
/// program itself.
///
/// It is asked at each handshake of the servers and channels that were
/// [given](crate::ServerCredentials::from_source)
/// [it](crate::ChannelCredentials::from_source). A handshake uses the certificate and the
/// roots of one value. Open connections keep theirs;
/// [`max_connection_age`](crate::ServerBuilder::max_connection_age) limits for how long. TLS
/// sessions are resumed only between handshakes with the same value: a new value discards
/// all sessions, so none outlives the roots that verified it.
///
/// Functions implement this trait, and so does [`Certificates`] for certificates that do not
/// change.
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
    /// Returns the current certificates. It is called in the handshake's task, one call at a
    /// time for the credentials of each server or channel, and must not block. Return clones
    /// of one value as long as nothing changes: a newly built value counts as a change, even
    /// with the same certificates. A panic fails that handshake only.
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
