//! The official flags that say whether a program encrypts, and how. One place for
//! all our peers, so that they cannot understand them differently.

use std::error::Error;

use grpc_runtime::{Channel, ChannelBuilder, ChannelCredentials, ServerCredentials};

use crate::flags::Flags;

/// A flag that cannot be followed.
pub type SecurityError = Box<dyn Error + Send + Sync>;

/// How a client reaches its server: `--use_tls`, `--ca_file` (roots in PEM; the
/// system's without it) and `--server_host_override`, which is what the server is
/// called in `:authority` and by its certificate, where it is not its address.
#[derive(Debug)]
pub struct ClientSecurity {
    /// Whether connections are encrypted.
    pub use_tls: bool,
    ca_file: Option<String>,
    server_host_override: Option<String>,
}

impl ClientSecurity {
    /// # Errors
    /// A value is not one of its kind.
    pub fn take(flags: &mut Flags) -> Result<Self, SecurityError> {
        let ca: String = flags.take("ca_file", String::new())?;
        let host: String = flags.take("server_host_override", String::new())?;
        Ok(Self {
            use_tls: flags.take("use_tls", false)?,
            ca_file: Some(ca).filter(|path| !path.is_empty()),
            server_host_override: Some(host).filter(|host| !host.is_empty()),
        })
    }

    /// What the flags ask for; a channel takes it as it is, or with credentials
    /// of calls.
    ///
    /// # Errors
    /// The roots cannot be read.
    pub fn credentials(&self) -> Result<ChannelCredentials, SecurityError> {
        if !self.use_tls {
            return Ok(ChannelCredentials::insecure());
        }
        let mut tls = ChannelCredentials::tls();
        if let Some(path) = &self.ca_file {
            tls = tls.roots(read(path)?);
        }
        Ok(tls.build()?)
    }

    /// A channel that shares no connection with another.
    ///
    /// # Errors
    /// The target or the server's name is none.
    pub fn channel(
        &self,
        target: &str,
        credentials: ChannelCredentials,
    ) -> Result<Channel, SecurityError> {
        Ok(self.builder(target)?.build(credentials)?)
    }

    /// What such a channel is made of.
    ///
    /// # Errors
    /// The target is none.
    pub fn builder(&self, target: &str) -> Result<ChannelBuilder, SecurityError> {
        let builder = Channel::builder(target)?;
        Ok(match &self.server_host_override {
            Some(authority) => builder.authority(authority),
            None => builder,
        })
    }
}

/// What a server's flags ask for: `--use_tls`, with the PEM files
/// `--tls_cert_file` and `--tls_key_file`.
///
/// # Errors
/// A value is not one of its kind, or a file cannot be read.
pub fn server_credentials(flags: &mut Flags) -> Result<ServerCredentials, SecurityError> {
    let use_tls = flags.take("use_tls", false)?;
    let chain: String = flags.take("tls_cert_file", String::new())?;
    let key: String = flags.take("tls_key_file", String::new())?;
    if !use_tls {
        return Ok(ServerCredentials::insecure());
    }
    Ok(ServerCredentials::tls(read(&chain)?, read(&key)?).build()?)
}

fn read(path: &str) -> Result<Vec<u8>, SecurityError> {
    std::fs::read(path).map_err(|error| format!("'{path}': {error}").into())
}
