//! A channel's credentials: how its connections are secured, and which credentials its calls
//! carry.

use super::call::CallCredentials;

/// How a [`Channel`](crate::Channel)'s connections are secured.
///
/// With the feature `tls` there are `tls`, `from_source` and
/// `rustls` beside [`insecure`](Self::insecure). Cloning is
/// cheap, and clones share sessions that TLS can resume.
#[derive(Clone, Debug)]
pub struct ChannelCredentials {
    pub(super) security: ClientSecurity,
    calls: Option<CallCredentials>,
}

#[derive(Clone, Debug)]
pub(crate) enum ClientSecurity {
    Insecure,
    #[cfg(feature = "tls")]
    Tls {
        config: super::live_config::LiveConfig<rustls::ClientConfig>,
        /// The name to verify and to call `:authority`, in place of the target's.
        server_name: Option<String>,
    },
}

impl ChannelCredentials {
    /// No encryption: for tests, and for networks that are secured by other means.
    #[must_use]
    pub fn insecure() -> Self {
        Self::of(ClientSecurity::Insecure)
    }

    pub(super) fn of(security: ClientSecurity) -> Self {
        Self {
            security,
            calls: None,
        }
    }

    /// Adds credentials that every call of the channel carries, after those that were added
    /// earlier and before the call's own.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use grpc_runtime::{CallCredentials, Channel, ChannelCredentials};
    ///
    /// // Encrypted where the address is reached, so it may be allowed here.
    /// let token = CallCredentials::bearer("mF_9.B5f-4.1JqM")?.allow_unencrypted();
    /// let credentials = ChannelCredentials::insecure().with_call_credentials(token);
    /// let channel = Channel::new("localhost:50051", credentials)?;
    /// # drop(channel);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_call_credentials(mut self, credentials: CallCredentials) -> Self {
        self.calls = Some(match self.calls {
            Some(calls) => calls.and(credentials),
            None => credentials,
        });
        self
    }

    pub(crate) fn into_parts(self) -> (ClientSecurity, Option<CallCredentials>) {
        (self.security, self.calls)
    }
}
