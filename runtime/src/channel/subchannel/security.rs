//! The security of a channel's connections (plain text or TLS), and the names that a
//! connection uses.

use crate::channel::error::ChannelError;
use crate::credentials::ClientSecurity;

/// The security of one connection, with its names.
#[derive(Clone, Debug)]
pub(crate) enum Security {
    Insecure,
    #[cfg(feature = "tls")]
    Tls {
        config: crate::credentials::LiveConfig<rustls::ClientConfig>,
        /// The name that the server's certificate must contain.
        name: rustls::pki_types::ServerName<'static>,
    },
}

impl Security {
    /// Determines the names of a connection: its `:authority`, and the name to verify. For
    /// the authority, the user's setting has precedence over the credentials' server name,
    /// and that over `default`. The certificate must name the credentials' server name, or
    /// else the authority's host.
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
                    .map_err(|_| bad(host, "certificates cannot contain this name"))?;
                let config = config.clone();
                (Self::Tls { config, name }, authority)
            }
        };
        if authority.is_empty() {
            return Err(bad(&authority, "it is empty"));
        }
        if !authority.bytes().all(|byte| byte.is_ascii_graphic()) || authority.contains(['/', '@'])
        {
            return Err(bad(
                &authority,
                "it has a character that is not allowed in authorities",
            ));
        }
        Ok((security, authority))
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        !matches!(self, Self::Insecure)
    }

    /// The `:scheme` of requests.
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
