//! What stands between a channel's sockets and HTTP/2 (plain text or TLS), and the names that a
//! connection uses.

use crate::channel::error::ChannelError;
use crate::credentials::ClientSecurity;

/// How the connections of one channel are secured, its names settled.
#[derive(Clone, Debug)]
pub(crate) enum Security {
    Insecure,
    #[cfg(feature = "tls")]
    Tls {
        config: crate::credentials::LiveConfig<rustls::ClientConfig>,
        /// Whom the server's certificate has to name.
        name: rustls::pki_types::ServerName<'static>,
    },
}

impl Security {
    /// Settles the names of a connection: what it calls `:authority`, and whom it
    /// verifies. An authority that the user gave goes before the credentials'
    /// server name, and that before the `default`; the certificate has to
    /// name the credentials' server name, or else the authority's host.
    pub(crate) fn settle(
        security: &ClientSecurity,
        given: Option<String>,
        default: &str,
    ) -> Result<(Self, String), ChannelError> {
        let (security, authority) = match security {
            ClientSecurity::Insecure => {
                (Self::Insecure, given.unwrap_or_else(|| default.to_owned()))
            }
            #[cfg(feature = "tls")]
            ClientSecurity::Tls {
                config,
                server_name,
            } => {
                let authority = given.or_else(|| server_name.clone());
                let authority = authority.unwrap_or_else(|| default.to_owned());
                let host = server_name.as_deref().unwrap_or(&authority);
                let name = crate::channel::target::host(host)
                    .unwrap_or(host)
                    .to_owned();
                let name = name
                    .try_into()
                    .map_err(|_| bad(host, "no certificate can have this name"))?;
                let config = config.clone();
                (Self::Tls { config, name }, authority)
            }
        };
        if authority.is_empty() {
            return Err(bad(&authority, "it is empty"));
        }
        if !authority.bytes().all(|byte| byte.is_ascii_graphic()) || authority.contains(['/', '@'])
        {
            return Err(bad(&authority, "it has a character that no authority has"));
        }
        Ok((security, authority))
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        !matches!(self, Self::Insecure)
    }

    /// What requests name as `:scheme`.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.is_encrypted() { "https" } else { "http" }
    }
}

fn bad(authority: &str, reason: &'static str) -> ChannelError {
    ChannelError::Authority {
        authority: authority.to_owned(),
        reason,
    }
}
