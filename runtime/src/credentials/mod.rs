//! Credentials: certificates, keys and roots that secure connections, checked when they are
//! given, and call credentials that identify the caller.

mod call;
mod channel;
mod request;
mod server;
mod token;

#[cfg(feature = "tls")]
mod certificates;
#[cfg(feature = "tls")]
mod client_source;
#[cfg(feature = "tls")]
mod client_tls;
#[cfg(feature = "tls")]
mod error;
#[cfg(feature = "tls")]
mod live_config;
#[cfg(feature = "tls")]
mod pem;
#[cfg(feature = "tls")]
mod server_source;
#[cfg(feature = "tls")]
mod server_tls;
#[cfg(feature = "jwt")]
mod service_account;
#[cfg(not(feature = "tls"))]
mod without_tls;

pub use call::CallCredentials;
pub use channel::ChannelCredentials;
pub(crate) use channel::ClientSecurity;
pub use request::AuthRequest;
pub(crate) use request::Callee;
pub use server::ServerCredentials;
pub(crate) use server::ServerSecurity;
pub use token::{Token, TokenSource};

#[cfg(feature = "tls")]
pub(crate) use self::live_config::LiveConfig;
#[cfg(feature = "tls")]
pub use self::{
    certificates::{
        CertificateFiles, CertificateReload, CertificateSource, Certificates, CertificatesBuilder,
        WatchedCertificates,
    },
    client_source::SourcedClientTls,
    client_tls::ClientTls,
    error::CredentialsError,
    server_source::SourcedServerTls,
    server_tls::ServerTls,
};
