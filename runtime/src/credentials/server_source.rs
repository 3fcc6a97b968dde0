//! TLS for servers whose certificates change: the source, and whether clients need a
//! certificate.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::NoClientAuth;
use rustls::server::danger::ClientCertVerifier;

use super::certificates::{CertificateSource, Certificates};
use super::error::CredentialsError;
use super::live_config::LiveConfig;
use super::pem;
use super::server::{ServerCredentials, ServerSecurity};
use super::server_tls::verifier;
use crate::transport::io::tls;

impl ServerCredentials {
    /// TLS with the certificates that `source` returns at each handshake: see
    /// [`CertificateSource`]. By default clients are not asked for a certificate, even if
    /// the source has roots.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// use grpc_runtime::{CertificateFiles, Server, ServerCredentials};
    ///
    /// let files = CertificateFiles::new("/tls/tls.crt", "/tls/tls.key");
    /// let certificates = files.watch(|reload| eprintln!("{reload}"))?;
    /// let credentials = ServerCredentials::from_source(certificates).build()?;
    /// Server::builder().serve_with("[::]:443", credentials).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_source(source: impl CertificateSource) -> SourcedServerTls {
        SourcedServerTls {
            source: Box::new(source),
            clients: AskedOfClients::Nothing,
        }
    }
}

/// A server's TLS with certificates that change, being configured: TLS 1.2 and 1.3, with
/// ring's cryptography.
#[must_use = "credentials are made by `build`"]
pub struct SourcedServerTls {
    source: Box<dyn CertificateSource>,
    clients: AskedOfClients,
}

#[derive(Clone, Copy, Debug)]
enum AskedOfClients {
    Nothing,
    /// A certificate is verified if the client shows one.
    MayShow,
    MustShow,
}

impl CertificateSource for Box<dyn CertificateSource> {
    fn certificates(&self) -> Certificates {
        (**self).certificates()
    }
}

impl SourcedServerTls {
    /// Mutual TLS: only clients with a certificate that one of the source's roots has signed
    /// can connect. The source's roots are read at each handshake too. See
    /// [`ServerTls::require_client_certificate`](crate::ServerTls::require_client_certificate).
    ///
    /// To replace a certificate authority, give the roots of both before the first client
    /// has a certificate of the new one, and only the new one's after the last client has.
    pub fn require_client_certificate(mut self) -> Self {
        self.clients = AskedOfClients::MustShow;
        self
    }

    /// As [`require_client_certificate`](Self::require_client_certificate), but clients
    /// without a certificate can connect too.
    pub fn accept_client_certificate(mut self) -> Self {
        self.clients = AskedOfClients::MayShow;
        self
    }

    /// The credentials. Asks the source for the first time.
    ///
    /// # Errors
    /// The source has no certificate for the server, or no roots although clients are asked
    /// for certificates. If that happens later, handshakes fail, and observers get the
    /// reason.
    pub fn build(self) -> Result<ServerCredentials, CredentialsError> {
        let clients = self.clients;
        let config = LiveConfig::of_source(self.source, move |it| config(it, clients))?;
        Ok(ServerCredentials {
            security: ServerSecurity::Tls(config),
        })
    }
}

fn config(
    certificates: &Certificates,
    clients: AskedOfClients,
) -> Result<ServerConfig, CredentialsError> {
    const INPUT: &str = "certificate source";
    let Some(own) = certificates.own() else {
        let problem = "it has no certificate for the server, nor its key";
        return Err(CredentialsError::new(INPUT, problem));
    };
    let roots = || {
        certificates.roots().ok_or_else(|| {
            let problem = "it has no roots to verify the certificates of clients by";
            CredentialsError::new(INPUT, problem)
        })
    };
    let verifier: Arc<dyn ClientCertVerifier> = match clients {
        AskedOfClients::Nothing => Arc::new(NoClientAuth),
        AskedOfClients::MayShow => verifier(roots()?, false)?,
        AskedOfClients::MustShow => verifier(roots()?, true)?,
    };
    let mut config = ServerConfig::builder_with_provider(pem::provider())
        .with_safe_default_protocol_versions()
        .map_err(pem::refused)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(own);
    config.alpn_protocols = vec![tls::H2.to_vec()];
    Ok(config)
}

impl std::fmt::Debug for SourcedServerTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourcedServerTls")
            .field("clients", &self.clients)
            .finish_non_exhaustive()
    }
}
