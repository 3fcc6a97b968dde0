//! The server: services, where they listen, and the calls of each connection.

mod acceptor;
mod answer;
mod builder;
mod call_count;
mod calls;
mod connection;
mod connection_source;
mod connections;
mod context;
mod door;
mod ending;
mod error;
mod farewell;
mod handle;
mod handler;
mod incoming;
mod interceptor;
mod limits;
mod listen_options;
mod listener;
mod listening;
mod proxy_protocol;
mod record;
mod router;
mod served_services;
mod service;
mod servicer;
#[cfg(feature = "signal")]
mod shutdown_signal;
mod test_context;
mod turns;
mod unimplemented;
mod upkeep;
mod weight;

pub use builder::ServerBuilder;
#[cfg(test)]
pub(crate) use connection::ServerShared;
pub use context::Context;
pub(crate) use context::Peer;
pub(crate) use door::serve_connection;
pub(crate) use ending::Ending;
pub use error::ServerError;
pub use farewell::MethodReport;
pub use handle::{Server, ShutdownReport};
pub use incoming::Incoming;
pub use interceptor::{Next, Outcome, ServerInterceptor};
pub use limits::{CallLimit, DeadlinePolicy, MethodLimits, ServerLimits};
pub use listen_options::ListenOptions;
pub use listener::BoundSocket;
pub use proxy_protocol::ProxyProtocol;
pub use record::{ListenerSnapshot, ServerSnapshot};
pub use served_services::ServedServices;
pub use service::{Service, ServiceBuilder};
pub use servicer::{
    Answer, BidiStreamingMethod, ClientStreamingMethod, ServerStreamingMethod, UnaryMethod,
};
#[cfg(feature = "signal")]
pub use shutdown_signal::shutdown_signal;
pub use test_context::{TestContext, TestShutdown};
