//! The PROXY protocol: a load balancer says, in the first bytes of a connection, for whom
//! it makes it. It must never believe one that the server was not told to trust.

mod header;
mod progress;
mod senders;
mod shell;
mod version_1;
mod version_2;

pub use self::senders::ProxyProtocol;
pub(super) use self::senders::SenderVerdict;
pub(super) use self::shell::real_address;
