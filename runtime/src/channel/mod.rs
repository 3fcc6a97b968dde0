//! The client's side of a connection: where it goes, how it is kept, and the
//! calls on it. It must never import the server: the two sides share `call` and
//! below.

mod authenticate;
mod background;
mod backoff;
pub(crate) mod call_options;
mod carrier;
mod connection;
mod connectivity;
mod dial;
mod error;
mod failure;
mod greeting;
mod handle;
mod interceptor;
pub(crate) mod open;
mod prepare;
mod race;
mod reconnect;
mod response;
mod security;
mod subchannel;
mod target;
mod upkeep;
mod waiting;

pub use connectivity::{ConnectivityState, StateWatch};
pub(crate) use dial::Destination;
pub use error::ChannelError;
pub use handle::{Channel, ChannelBuilder};
pub use interceptor::{ClientInterceptor, OutgoingCall};
pub(crate) use security::Security;
pub use target::TargetError;
