//! The server: services, where they listen, and the calls of each connection.
//! It must never import the channel: the two sides share `call` and below.

mod answer;
mod builder;
mod call_count;
mod calls;
mod connection;
mod context;
mod error;
mod handler;
mod interceptor;
mod listener;
mod over;
mod router;
mod running;
mod service;
mod servicer;
mod turns;
mod unimplemented;
mod upkeep;
mod weight;

pub use builder::ServerBuilder;
#[cfg(test)]
pub(crate) use connection::ServerShared;
pub use context::Context;
pub(crate) use context::Peer;
pub use error::ServerError;
pub use interceptor::{Next, Outcome, ServerInterceptor};
pub(crate) use over::Ending;
pub(crate) use running::serve_connection;
pub use running::{Server, ShutdownReport};
pub use service::{Service, ServiceBuilder};
pub use servicer::{
    Answer, BidiStreamingMethod, ClientStreamingMethod, ServerStreamingMethod, UnaryMethod,
};
