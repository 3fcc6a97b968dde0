//! TLS for channels: the roots that a channel trusts, and the certificate that it shows.
//! `Debug` does not show keys.

use std::sync::Arc;

use rustls::ClientConfig;

use super::channel::{ChannelCredentials, ClientSecurity};
use super::error::CredentialsError;
use super::live_config::LiveConfig;
use super::pem;
use crate::transport::io::tls;

impl ChannelCredentials {
    /// TLS, by default with the system's roots and without a client certificate.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use grpc_runtime::{Channel, ChannelCredentials};
    ///
    /// # if false {
    /// let credentials = ChannelCredentials::tls().build()?;
    /// let channel = Channel::new("example.com:443", credentials)?;
    /// # drop(channel);
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    pub fn tls() -> ClientTls {
        ClientTls::default()
    }

    /// TLS with your own rustls configuration, for other cryptography providers, verifiers
    /// or key logs. Its ALPN protocols are replaced with `h2`.
    ///
    /// The server's certificate must have the name in the channel's authority: the target's
    /// host, or the name set with
    /// [`ChannelBuilder::authority`](crate::ChannelBuilder::authority).
    pub fn rustls(config: impl Into<Arc<ClientConfig>>) -> Self {
        let mut config = Arc::unwrap_or_clone(config.into());
        config.alpn_protocols = vec![tls::H2.to_vec()];
        Self::of(ClientSecurity::Tls {
            config: LiveConfig::Fixed(Arc::new(config)),
            server_name: None,
        })
    }
}

/// A channel's TLS, being configured: TLS 1.2 and 1.3, with ring's
/// cryptography.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::fs;
///
/// use grpc_runtime::{Channel, ChannelCredentials};
///
/// // Trusts a private authority, and shows a client certificate.
/// let credentials = ChannelCredentials::tls()
///     .roots(fs::read("ca.pem")?)
///     .identity(fs::read("client.pem")?, fs::read("client.key")?)
///     .build()?;
/// let channel = Channel::new("example.com", credentials)?;
/// # drop(channel);
/// # Ok(())
/// # }
/// ```
///
/// The arguments are the content of PEM files. For certificates and keys in DER use
/// [`ChannelCredentials::rustls`].
#[derive(Default)]
#[must_use = "credentials are made by `build`"]
pub struct ClientTls {
    roots: Option<Vec<u8>>,
    identity: Option<(Vec<u8>, Vec<u8>)>,
    server_name: Option<String>,
}

impl ClientTls {
    /// Trusts these roots instead of the system's: one certificate or more in PEM.
    pub fn roots(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.roots = Some(pem.as_ref().to_vec());
        self
    }

    /// Shows this certificate to servers that ask for one (mutual TLS): the chain in PEM,
    /// the client's certificate first, and its private key in PEM (PKCS #8, PKCS #1 or SEC
    /// 1; not encrypted).
    pub fn identity(mut self, chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        self.identity = Some((chain.as_ref().to_vec(), key.as_ref().to_vec()));
        self
    }

    /// The name that the server's certificate must have, instead of the target's host:
    /// gRPC's target name override. Requests carry it as `:authority` too, unless
    /// [`ChannelBuilder::authority`](crate::ChannelBuilder::authority) is set.
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// The credentials. Without [`roots`](Self::roots) this reads the system's roots from
    /// disk, which takes a few milliseconds.
    ///
    /// # Errors
    /// Roots, a chain or a key cannot be used, the key does not belong to the chain, or the
    /// system has no roots.
    pub fn build(self) -> Result<ChannelCredentials, CredentialsError> {
        let roots = match &self.roots {
            Some(pem) => pem::roots("root certificates", pem)?,
            None => pem::platform_roots()?,
        };
        let builder = ClientConfig::builder_with_provider(pem::provider())
            .with_safe_default_protocol_versions()
            .map_err(pem::refused)?
            .with_root_certificates(roots);
        let config = match &self.identity {
            Some((chain, key)) => {
                let (chain, key) = pem::identity(chain, key)?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(pem::refused)?
            }
            None => builder.with_no_client_auth(),
        };
        let mut credentials = ChannelCredentials::rustls(config);
        if let ClientSecurity::Tls { server_name, .. } = &mut credentials.security {
            *server_name = self.server_name;
        }
        Ok(credentials)
    }
}

/// Without the key.
impl std::fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientTls")
            .field("own_roots", &self.roots.is_some())
            .field("identity", &self.identity.is_some())
            .field("server_name", &self.server_name)
            .finish()
    }
}
