//! The PROXY protocol: a load balancer says, in the first bytes of a connection, whose
//! connection it passes on. Only senders that the server was told to trust are believed.

mod header;
mod progress;
mod senders;
mod shell;
mod version_1;
mod version_2;

pub use self::senders::ProxyProtocol;
pub(super) use self::senders::SenderVerdict;
pub(super) use self::shell::real_address;
