//! The PROXY protocol: a load balancer sends the client's address in the first bytes of a
//! connection that it forwards. Headers are accepted only from senders that the server's
//! configuration trusts.

mod header;
mod progress;
mod senders;
mod shell;
mod version_1;
mod version_2;

pub use self::senders::ProxyProtocol;
pub(super) use self::senders::SenderVerdict;
pub(super) use self::shell::real_address;
