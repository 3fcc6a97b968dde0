//! TLS for servers: the certificate that a server shows on an address, and which clients may
//! connect. `Debug` does not show keys.

use std::sync::Arc;

use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};

use super::error::CredentialsError;
use super::live_config::LiveConfig;
use super::pem;
use super::server::{ServerCredentials, ServerSecurity};
use crate::transport::io::tls;

/// The name in errors of the roots that verify clients' certificates.
const CLIENT_ROOTS: &str = "root certificates for clients";

impl ServerCredentials {
    /// TLS with this certificate chain in PEM, the server's own certificate
    /// first, and that one's private key in PEM (PKCS #8, PKCS #1 or SEC 1; not
    /// encrypted).
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// use grpc_runtime::{Server, ServerCredentials};
    ///
    /// let chain = std::fs::read("server.pem")?;
    /// let key = std::fs::read("server.key")?;
    /// let credentials = ServerCredentials::tls(chain, key).build()?;
    /// Server::builder().serve_with("[::]:443", credentials).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The arguments are the content of PEM files; a file with both chain and key may be
    /// given twice. For certificates and keys in DER use [`rustls`](Self::rustls).
    pub fn tls(chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> ServerTls {
        ServerTls {
            chain: chain.as_ref().to_vec(),
            key: key.as_ref().to_vec(),
            clients: Clients::NotAsked,
        }
    }

    /// TLS with your own rustls configuration, for example with a resolver that makes
    /// certificates on demand. Its ALPN protocols are replaced with `h2`.
    pub fn rustls(config: impl Into<Arc<ServerConfig>>) -> Self {
        let mut config = Arc::unwrap_or_clone(config.into());
        config.alpn_protocols = vec![tls::H2.to_vec()];
        Self {
            security: ServerSecurity::Tls(LiveConfig::Fixed(Arc::new(config))),
        }
    }
}

/// A server's TLS, being configured: TLS 1.2 and 1.3, with ring's cryptography.
#[must_use = "credentials are made by `build`"]
pub struct ServerTls {
    chain: Vec<u8>,
    key: Vec<u8>,
    clients: Clients,
}

/// Whether clients are asked for a certificate, and the PEM of the roots that verify it.
enum Clients {
    NotAsked,
    /// A certificate is verified if the client shows one.
    May(Vec<u8>),
    Must(Vec<u8>),
}

impl ServerTls {
    /// Mutual TLS: only clients with a certificate that one of `roots` (in PEM) has signed
    /// can connect. Handlers read it with
    /// [`Context::peer_certificates`](crate::Context::peer_certificates), and the names in
    /// it with [`peer_dns_names`](crate::Context::peer_dns_names) and
    /// [`peer_uri_names`](crate::Context::peer_uri_names).
    pub fn require_client_certificate(mut self, roots: impl AsRef<[u8]>) -> Self {
        self.clients = Clients::Must(roots.as_ref().to_vec());
        self
    }

    /// As [`require_client_certificate`](Self::require_client_certificate), but clients
    /// without a certificate can connect too; their calls' context has no certificates. A
    /// certificate that `roots` have not signed is still refused.
    pub fn accept_client_certificate(mut self, roots: impl AsRef<[u8]>) -> Self {
        self.clients = Clients::May(roots.as_ref().to_vec());
        self
    }

    /// The credentials.
    ///
    /// # Errors
    /// A chain, a key or roots cannot be used, or the key does not belong to the chain.
    pub fn build(self) -> Result<ServerCredentials, CredentialsError> {
        let roots = |pem: &[u8]| pem::roots(CLIENT_ROOTS, pem).map(Arc::new);
        let clients = match &self.clients {
            Clients::NotAsked => Arc::new(NoClientAuth),
            Clients::May(pem) => verifier(roots(pem)?, false)?,
            Clients::Must(pem) => verifier(roots(pem)?, true)?,
        };
        let (chain, key) = pem::identity(&self.chain, &self.key)?;
        let config = ServerConfig::builder_with_provider(pem::provider())
            .with_safe_default_protocol_versions()
            .map_err(pem::refused)?
            .with_client_cert_verifier(clients)
            .with_single_cert(chain, key)
            .map_err(pem::refused)?;
        Ok(ServerCredentials::rustls(config))
    }
}

/// The verifier of clients' certificates, which are required or optional.
pub(super) fn verifier(
    roots: Arc<RootCertStore>,
    is_required: bool,
) -> Result<Arc<dyn ClientCertVerifier>, CredentialsError> {
    let builder = WebPkiClientVerifier::builder_with_provider(roots, pem::provider());
    let builder = if is_required {
        builder
    } else {
        builder.allow_unauthenticated()
    };
    builder
        .build()
        .map_err(|error| CredentialsError::caused_by(CLIENT_ROOTS, error.to_string(), error))
}

/// Without the key.
impl std::fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let clients = match self.clients {
            Clients::NotAsked => "not asked for a certificate",
            Clients::May(_) => "may show a certificate",
            Clients::Must(_) => "must show a certificate",
        };
        f.debug_struct("ServerTls")
            .field("clients", &clients)
            .finish_non_exhaustive()
    }
}
