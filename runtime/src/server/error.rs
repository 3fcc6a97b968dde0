//! Why a server could not start. Values only.

use std::io;

use crate::method::{Method, Shape};

/// Why a server could not start. Nothing listens when it is returned.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServerError {
    /// The text is not an address to listen on.
    Address {
        /// The text as it was given.
        address: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The operating system refused the address.
    Bind {
        /// The address as it was given.
        address: String,
        /// The system's error.
        source: io::Error,
    },
    /// Two services of one server have the same name.
    DuplicateService(&'static str),
    /// A method was added to a service by a function of [`ServiceBuilder`](crate::ServiceBuilder)
    /// that is for another [`Shape`](crate::Shape) than the method's. Generated code has no
    /// such mistake.
    MethodShape {
        /// The method as it was given.
        method: Method,
        /// The shape of the function that it was given to.
        added_as: Shape,
    },
    /// [`ServerLimits`](crate::ServerLimits) name a service or a method that the server does
    /// not have: a limit that bounds nothing.
    NothingToLimit(String),
    /// The server has no address to listen on.
    NoAddress,
    /// It was started outside of a tokio runtime, which would run it.
    NoRuntime,
    /// A sender that [`ProxyProtocol`](crate::ProxyProtocol) trusts is neither an address
    /// nor a network.
    ProxySender {
        /// The text as it was given.
        sender: String,
    },
}

impl std::fmt::Display for ServerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address { address, reason } => write!(
                f,
                "cannot listen on '{address}': {reason}; expected 'host:port', '[::]:port' or \
                 'unix:/path'"
            ),
            Self::Bind { address, source } => write!(f, "cannot listen on '{address}': {source}"),
            Self::DuplicateService(name) => {
                write!(f, "the service '{name}' was added to the server twice")
            }
            Self::MethodShape { method, added_as } => write!(
                f,
                "the method '{method}' was added by ServiceBuilder::{}; its shape needs \
                 ServiceBuilder::{}",
                added_as.word(),
                method.shape().word(),
            ),
            Self::NothingToLimit(name) => write!(
                f,
                "ServerLimits name '{name}', which is no service of the server and no method of \
                 one; expected 'package.Service' or 'package.Service/Method'"
            ),
            Self::ProxySender { sender } => write!(
                f,
                "cannot trust '{sender}' by the PROXY protocol: expected an address, or a network \
                 as '10.0.0.0/8'"
            ),
            Self::NoRuntime => f.write_str(
                "a server needs a tokio runtime to run on: start it within one, in a main with \
                 #[tokio::main], say",
            ),
            Self::NoAddress => f.write_str(
                "the server has no address to listen on: call ServerBuilder::listen, or \
                 listen_nowhere for streams that Server::serve_stream is given",
            ),
        }
    }
}

impl std::error::Error for ServerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Bind { source, .. } => Some(source),
            Self::Address { .. }
            | Self::DuplicateService(_)
            | Self::MethodShape { .. }
            | Self::NothingToLimit(_)
            | Self::NoAddress
            | Self::NoRuntime
            | Self::ProxySender { .. } => None,
        }
    }
}
