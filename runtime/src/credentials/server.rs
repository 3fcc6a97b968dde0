//! A server's credentials: how the connections to an address are secured.

/// How the connections to one of a [`Server`](crate::Server)'s addresses are
/// secured.
///
/// With the feature `tls` there are `tls`, `from_source` and
/// `rustls` beside [`insecure`](Self::insecure).
#[derive(Clone, Debug)]
pub struct ServerCredentials {
    pub(super) security: ServerSecurity,
}

#[derive(Clone, Debug)]
pub(crate) enum ServerSecurity {
    Insecure,
    #[cfg(feature = "tls")]
    Tls(super::live_config::LiveConfig<rustls::ServerConfig>),
}

impl ServerCredentials {
    /// No encryption: for tests, and for networks that are secured by other means.
    #[must_use]
    pub fn insecure() -> Self {
        Self {
            security: ServerSecurity::Insecure,
        }
    }

    pub(crate) fn into_security(self) -> ServerSecurity {
        self.security
    }
}
