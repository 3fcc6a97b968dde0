//! What makes a connection secure, as users say it: certificates, keys and
//! roots, judged when they are given; and what says who makes a call. It must
//! never open a connection.

mod call;
mod channel;
mod server;

#[cfg(feature = "tls")]
mod client_tls;
#[cfg(feature = "tls")]
mod error;
#[cfg(feature = "tls")]
mod pem;
#[cfg(feature = "tls")]
mod server_tls;
#[cfg(not(feature = "tls"))]
mod without_tls;

pub use call::{AuthRequest, CallCredentials};
pub use channel::ChannelCredentials;
pub(crate) use channel::ClientSecurity;
pub use server::ServerCredentials;
pub(crate) use server::ServerSecurity;

#[cfg(feature = "tls")]
pub use {client_tls::ClientTls, error::CredentialsError, server_tls::ServerTls};
