//! TLS for channels whose certificates and roots change.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

use super::certificates::{CertificateSource, Certificates};
use super::channel::{ChannelCredentials, ClientSecurity};
use super::error::CredentialsError;
use super::live_config::LiveConfig;
use super::pem;
use crate::transport::io::tls;

impl ChannelCredentials {
    /// TLS with the roots and the certificate that `source` returns when a connection is
    /// made: see [`CertificateSource`]. The channel shows no certificate if the source has
    /// none.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use grpc_runtime::{CertificateFiles, Channel, ChannelCredentials};
    ///
    /// let files = CertificateFiles::only_roots("/tls/ca.crt");
    /// let roots = files.watch(|reload| eprintln!("{reload}"))?;
    /// let credentials = ChannelCredentials::from_source(roots).build()?;
    /// let channel = Channel::new("example.com", credentials)?;
    /// # drop(channel);
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_source(source: impl CertificateSource) -> SourcedClientTls {
        SourcedClientTls {
            source: Box::new(source),
            has_system_roots: false,
            server_name: None,
        }
    }
}

/// A channel's TLS with certificates that change, being configured: TLS 1.2 and 1.3, with
/// ring's cryptography.
#[must_use = "credentials are made by `build`"]
pub struct SourcedClientTls {
    source: Box<dyn CertificateSource>,
    has_system_roots: bool,
    server_name: Option<String>,
}

impl SourcedClientTls {
    /// Trusts the system's roots, read once, instead of the source's: for a source that has
    /// only a certificate. Without this the system's roots are not used, even if the source
    /// has none.
    pub fn system_roots(mut self) -> Self {
        self.has_system_roots = true;
        self
    }

    /// The name that the server's certificate must have: see
    /// [`ClientTls::server_name`](crate::ClientTls::server_name).
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// The credentials. Asks the source for the first time.
    ///
    /// # Errors
    /// The source has no roots and [`system_roots`](Self::system_roots) was not called, or
    /// the system has none. If the source has no roots later, connections fail with
    /// `UNAVAILABLE` and the same reason.
    pub fn build(self) -> Result<ChannelCredentials, CredentialsError> {
        let system = if self.has_system_roots {
            Some(Arc::new(pem::platform_roots()?))
        } else {
            None
        };
        let make = move |certificates: &Certificates| config(certificates, system.as_ref());
        Ok(ChannelCredentials::of(ClientSecurity::Tls {
            config: LiveConfig::of_source(self.source, make)?,
            server_name: self.server_name,
        }))
    }
}

fn config(
    certificates: &Certificates,
    system: Option<&Arc<RootCertStore>>,
) -> Result<ClientConfig, CredentialsError> {
    let Some(roots) = system.cloned().or_else(|| certificates.roots()) else {
        let problem = "it has no roots to verify servers by: give it some, or say \
                       SourcedClientTls::system_roots";
        return Err(CredentialsError::new("certificate source", problem));
    };
    let builder = ClientConfig::builder_with_provider(pem::provider())
        .with_safe_default_protocol_versions()
        .map_err(pem::refused)?
        .with_root_certificates(roots);
    let mut config = match certificates.own() {
        Some(own) => builder.with_client_cert_resolver(own),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![tls::H2.to_vec()];
    Ok(config)
}

impl std::fmt::Debug for SourcedClientTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourcedClientTls")
            .field("has_system_roots", &self.has_system_roots)
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}
