//! A channel's credentials: whom it trusts, and as whom it speaks.

/// How a [`Channel`](crate::Channel)'s connections are secured.
///
/// With the feature `tls` there are `tls` and
/// `rustls` beside [`insecure`](Self::insecure). Cloning is
/// cheap, and clones share sessions that TLS can resume.
#[derive(Clone, Debug)]
pub struct ChannelCredentials {
    pub(super) security: ClientSecurity,
}

#[derive(Clone, Debug)]
pub(crate) enum ClientSecurity {
    Insecure,
    #[cfg(feature = "tls")]
    Tls {
        config: std::sync::Arc<rustls::ClientConfig>,
        /// The name to verify and to call `:authority`, in place of the target's.
        server_name: Option<String>,
    },
}

impl ChannelCredentials {
    /// No encryption: for tests, and for networks that are trusted otherwise.
    #[must_use]
    pub fn insecure() -> Self {
        Self {
            security: ClientSecurity::Insecure,
        }
    }

    pub(crate) fn into_security(self) -> ClientSecurity {
        self.security
    }
}
