//! How the connections to one address come in. Values only.

use std::time::Duration;

use super::proxy_protocol::ProxyProtocol;
use crate::credentials::ServerCredentials;
use crate::transport::http2::durations::{FOREVER, limited};

/// As tokio's own listeners have it.
const BACKLOG: u32 = 1024;
/// The system counts in seconds.
const LEAST_KEEPALIVE: Duration = Duration::from_secs(1);

/// How the connections to one of a server's addresses come in:
/// [`ServerBuilder::listen_with_options`](crate::ServerBuilder::listen_with_options).
///
/// ```
/// use std::time::Duration;
///
/// use grpc_runtime::{ListenOptions, Server};
///
/// let options = ListenOptions::new()
///     .backlog(4096)
///     .tcp_keepalive(Duration::from_secs(60));
/// let server = Server::builder().listen_with_options("[::]:50051", options);
/// # drop(server);
/// ```
#[derive(Clone, Debug)]
pub struct ListenOptions {
    pub(super) credentials: ServerCredentials,
    pub(super) proxy: Option<ProxyProtocol>,
    pub(super) sockets: SocketOptions,
}

/// Socket options of a listener and of the TCP connections it accepts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SocketOptions {
    pub(super) backlog: u32,
    pub(super) shares_port: bool,
    pub(super) has_nodelay: bool,
    pub(super) keepalive: Option<Duration>,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self {
            backlog: BACKLOG,
            shares_port: false,
            has_nodelay: true,
            keepalive: None,
        }
    }
}

impl Default for ListenOptions {
    fn default() -> Self {
        ServerCredentials::insecure().into()
    }
}

impl From<ServerCredentials> for ListenOptions {
    fn from(credentials: ServerCredentials) -> Self {
        Self {
            credentials,
            proxy: None,
            sockets: SocketOptions::default(),
        }
    }
}

impl ListenOptions {
    /// Without encryption, and otherwise as each option's default says.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how its connections are secured. Default: no encryption.
    #[must_use]
    pub fn credentials(mut self, credentials: ServerCredentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// Takes the clients' addresses from a load balancer by the PROXY protocol. Default:
    /// off.
    #[must_use]
    pub fn proxy_protocol(mut self, protocol: ProxyProtocol) -> Self {
        self.proxy = Some(protocol);
        self
    }

    /// Sets how many TCP connections may wait to be accepted. Default: 1024. Most systems
    /// silently lower it to a limit of theirs (`net.core.somaxconn`), and read 0 as 1. It
    /// has no effect on sockets that are already bound.
    #[must_use]
    pub fn backlog(mut self, connections: u32) -> Self {
        // The system has a signed number.
        self.sockets.backlog = connections.min(i32::MAX as u32);
        self
    }

    /// Sets whether other sockets of the same user may listen on the same TCP address
    /// (`SO_REUSEPORT`). Default: `false`. Linux spreads connections over these sockets:
    /// over the servers of one process, each with a runtime on one core, or over an old and
    /// a new process during a takeover. Connections that wait at a socket when it is closed
    /// are lost.
    ///
    /// Begin with one server on one runtime of many threads: there a busy connection can use
    /// all cores, while with a runtime per core it has one. The example `per_core` shows a
    /// server per core.
    ///
    /// A system that has no such option refuses the address.
    #[must_use]
    pub fn reuse_port(mut self, reuse: bool) -> Self {
        self.sockets.shares_port = reuse;
        self
    }

    /// Sets whether TCP sends written bytes at once (`TCP_NODELAY`). Default: `true`. The
    /// server writes whole batches, which Nagle's algorithm would only delay.
    #[must_use]
    pub fn tcp_nodelay(mut self, nodelay: bool) -> Self {
        self.sockets.has_nodelay = nodelay;
        self
    }

    /// Has the system probe a client from which nothing was received for this long, and
    /// again after each further such time (`SO_KEEPALIVE`). The connection is lost after a
    /// number of unanswered probes that the system sets: 9 on Linux. Default, and with
    /// [`Duration::MAX`]: off. In whole seconds; values below 1 s are raised to 1 s.
    ///
    /// It asks the client's system, or a balancer before it, and costs nothing in this
    /// process. [`keepalive_time`](crate::ServerBuilder::keepalive_time) asks the client's
    /// gRPC, through all that lies between.
    #[must_use]
    pub fn tcp_keepalive(mut self, time: Duration) -> Self {
        self.sockets.keepalive = limited(time.clamp(LEAST_KEEPALIVE, FOREVER));
        self
    }
}
