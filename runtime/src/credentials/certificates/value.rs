//! Certificates, keys and roots that belong together at one time. `Debug` does not show keys.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::RootCertStore;
use rustls::sign::CertifiedKey;

use super::by_name::ByName;
use super::validity::Validity;
use crate::credentials::error::CredentialsError;
use crate::credentials::pem;

const ROOTS: &str = "root certificates";

/// What one side of TLS uses at one time: its own certificates with their keys, and the
/// roots that verify its peers. Both are optional.
///
/// [`CertificatesBuilder::build`] reports what is wrong with them. Cloning is cheap, and a
/// clone does not count as a change to a [`CertificateSource`](crate::CertificateSource)'s
/// users.
#[derive(Clone)]
pub struct Certificates(pub(super) Arc<CertificateSet>);

/// What clones have in common.
#[derive(Debug)]
pub(super) struct CertificateSet {
    own: Arc<ByName>,
    roots: Option<Arc<RootCertStore>>,
    /// The time in which all of its own certificates are valid.
    pub(super) validity: Option<Validity>,
}

/// [`Certificates`] being put together.
#[must_use = "certificates are made by `build`"]
#[derive(Default)]
pub struct CertificatesBuilder {
    keys: Vec<OwnKey>,
    roots: Option<Vec<u8>>,
}

enum OwnKey {
    Pem { chain: Vec<u8>, key: Vec<u8> },
    Made(Arc<CertifiedKey>),
}

impl Certificates {
    /// A builder without certificates and roots.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::fs;
    ///
    /// use grpc_runtime::Certificates;
    ///
    /// let certificates = Certificates::builder()
    ///     .identity(fs::read("tls.crt")?, fs::read("tls.key")?)
    ///     .roots(fs::read("ca.crt")?)
    ///     .build()?;
    /// # drop(certificates);
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder() -> CertificatesBuilder {
        CertificatesBuilder::default()
    }

    /// When the first of its own certificates expires, intermediate certificates in the
    /// chains included: the time to watch with an alarm. `None` without any.
    pub fn valid_until(&self) -> Option<SystemTime> {
        self.0.validity.map(|validity| validity.until)
    }

    /// Whether it is the same value, not only an equal one.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Its own certificates; `None` if it has none.
    pub(crate) fn own(&self) -> Option<Arc<ByName>> {
        let own = &self.0.own;
        (!own.is_empty()).then(|| Arc::clone(own))
    }

    pub(crate) fn roots(&self) -> Option<Arc<RootCertStore>> {
        self.0.roots.clone()
    }
}

impl CertificatesBuilder {
    /// Adds a certificate of this side: the chain in PEM, its own certificate first, and
    /// that one's private key in PEM (PKCS #8, PKCS #1 or SEC 1; not encrypted).
    ///
    /// A server with several certificates shows the one with the name that its client asks
    /// for (SNI), exactly or by `*.`. It shows the first one if none has the name, or if the
    /// client asks for no name. A channel shows the first one. Of several certificates with
    /// the same name, such as one for each kind of key, the first whose signature the peer
    /// can verify is shown.
    pub fn identity(mut self, chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        self.keys.push(OwnKey::Pem {
            chain: chain.as_ref().to_vec(),
            key: key.as_ref().to_vec(),
        });
        self
    }

    /// As [`identity`](Self::identity), with a key that is kept elsewhere, such as in a
    /// hardware module: any key that rustls can sign with.
    pub fn certified_key(mut self, key: impl Into<Arc<CertifiedKey>>) -> Self {
        self.keys.push(OwnKey::Made(key.into()));
        self
    }

    /// The roots that verify peers, one certificate or more in PEM. Replaces the roots of an
    /// earlier call.
    pub fn roots(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.roots = Some(pem.as_ref().to_vec());
        self
    }

    /// Checks and returns the certificates.
    ///
    /// # Errors
    /// A chain, a key or roots cannot be used, or a key does not belong to its chain.
    pub fn build(self) -> Result<Certificates, CredentialsError> {
        let provider = pem::provider();
        let mut own = ByName::default();
        for key in self.keys {
            own.push(match key {
                OwnKey::Made(key) => key,
                OwnKey::Pem { chain, key } => {
                    let (chain, key) = pem::identity(&chain, &key)?;
                    let key = CertifiedKey::from_der(chain, key, &provider);
                    Arc::new(key.map_err(pem::refused)?)
                }
            });
        }
        let roots = match &self.roots {
            Some(pem) => Some(Arc::new(pem::roots(ROOTS, pem)?)),
            None => None,
        };
        let chains = own.keys().flat_map(|key| &key.cert);
        let validity = chains
            .filter_map(|der| Validity::of(der))
            .reduce(Validity::within);
        let own = Arc::new(own);
        let set = CertificateSet {
            own,
            roots,
            validity,
        };
        Ok(Certificates(Arc::new(set)))
    }
}

/// Without the keys.
impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates")
            .field("identities", &self.0.own.keys().count())
            .field("has_roots", &self.0.roots.is_some())
            .field("valid_until", &self.valid_until())
            .finish()
    }
}

/// Without the keys.
impl fmt::Debug for CertificatesBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificatesBuilder")
            .field("identities", &self.keys.len())
            .field("has_roots", &self.roots.is_some())
            .finish()
    }
}
