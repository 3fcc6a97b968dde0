//! A server before it runs: its services, addresses and limits.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::acceptor::{Acceptor, Origin};
use super::connection::ServerShared;
use super::connection_source::ConnectionSource;
use super::door::{Door, Guards};
use super::error::ServerError;
use super::farewell::Farewell;
use super::handle::{Server, ShutdownReport};
use super::incoming::Incoming;
use super::interceptor::ServerInterceptor;
use super::limits::{Admission, ServerLimits};
use super::listen_options::ListenOptions;
use super::listener::{BoundSocket, ListenAddress, Listener};
use super::proxy_protocol::ProxyProtocol;
use super::record::{ServerRecord, ServerSnapshot};
use super::router::{Defaults, Router};
use super::service::Service;
use crate::call::shutdown::Shutdown;
use crate::chance::Chance;
use crate::credentials::ServerCredentials;
use crate::framing::{Compression, Encodings};
use crate::observe::observer::{Observer, Observers};
use crate::snapshot::entries::Registries;
use crate::transport::Http2Options;
use crate::transport::http2::memory::Memory;
use crate::transport::http2::options::UpkeepOptions;

/// Default limit of what all connections hold together: 256 messages of the default size limit
/// that arrive, half as much of unread data, and half as much that calls hold.
const MEMORY_LIMIT: usize = 2 << 30;

/// Configures a [`Server`].
#[derive(Debug)]
pub struct ServerBuilder {
    services: Vec<Service>,
    pub(super) addresses: Vec<(Result<ListenAddress, ServerError>, ListenOptions)>,
    pub(super) sources: Vec<(ConnectionSource, ListenOptions)>,
    defaults: Defaults,
    encodings: Encodings,
    memory_limit: usize,
    guards: Guards,
    observers: Observers,
    registries: Registries<ServerSnapshot>,
    needs_address: bool,
    http2: Http2Options,
    pub(super) upkeep: UpkeepOptions,
    pub(super) shutdown_notice: Duration,
}

impl Default for ServerBuilder {
    fn default() -> Self {
        Self {
            services: Vec::new(),
            addresses: Vec::new(),
            sources: Vec::new(),
            defaults: Defaults::default(),
            encodings: Encodings::all(),
            memory_limit: MEMORY_LIMIT,
            guards: Guards::default(),
            observers: Observers::default(),
            registries: Registries::default(),
            needs_address: true,
            http2: Http2Options::default(),
            upkeep: UpkeepOptions::server(),
            shutdown_notice: Duration::ZERO,
        }
    }
}

impl Server {
    /// Begins a server with no services and no address.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }
}

impl ServerBuilder {
    /// Adds a service: a generated `…Server`, say. Calls to what no service has fail with
    /// `UNIMPLEMENTED`. Two services of one name are an error of [`start`](Self::start).
    #[must_use]
    pub fn add_service(mut self, service: impl Into<Service>) -> Self {
        self.services.push(service.into());
        self
    }

    /// Adds several services, each as [`add_service`](Self::add_service) does.
    ///
    /// ```
    /// use grpc_runtime::{Server, Service};
    ///
    /// fn serve(shop: Service, health: Service) -> grpc_runtime::ServerBuilder {
    ///     Server::builder().add_services([shop, health])
    /// }
    /// ```
    #[must_use]
    pub fn add_services<S: Into<Service>>(mut self, services: impl IntoIterator<Item = S>) -> Self {
        self.services.extend(services.into_iter().map(Into::into));
        self
    }

    /// Adds an address to listen on without encryption: `host:port`, `[::]:port` for every
    /// address of the machine, port 0 for a port that the system chooses, or `unix:/path`. A
    /// server may have several.
    ///
    /// It is looked at when the server [starts](Self::start): that fails with
    /// [`ServerError::Address`] where the text is no address, and with [`ServerError::Bind`]
    /// where the system refuses it.
    #[must_use]
    pub fn listen(self, address: impl AsRef<str>) -> Self {
        self.listen_with(address, ServerCredentials::insecure())
    }

    /// Adds an address as [`listen`](Self::listen) does, whose connections are
    /// secured as `credentials` say. Credentials are an address's own, so that a
    /// server can offer TLS to the world and none to a socket of its machine.
    #[must_use]
    pub fn listen_with(self, address: impl AsRef<str>, credentials: ServerCredentials) -> Self {
        self.listen_with_options(address, credentials.into())
    }

    /// Listens on a TCP or Unix socket that is already bound, for example an inherited one.
    /// The server does not remove the file of such a Unix socket when it stops, since the
    /// process that bound it may listen again. Pass streams that were accepted elsewhere to
    /// [`Server::serve_stream`].
    ///
    /// ```no_run
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # #[cfg(unix)]
    /// # {
    /// use std::os::fd::OwnedFd;
    /// use std::os::unix::net::UnixListener;
    ///
    /// use grpc_runtime::{Server, ServerCredentials};
    ///
    /// # let inherited: OwnedFd = unimplemented!();
    /// // `inherited` is what the service manager passed.
    /// let server = Server::builder()
    ///     .listen_on(UnixListener::from(inherited), ServerCredentials::insecure())
    ///     .start()
    ///     .await?;
    /// # drop(server);
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn listen_on(
        mut self,
        listener: impl Into<BoundSocket>,
        options: impl Into<ListenOptions>,
    ) -> Self {
        let address = Ok(ListenAddress::Bound(listener.into()));
        self.addresses.push((address, options.into()));
        self
    }

    /// Adds a function that is asked about each connection, accepted or
    /// [given](Server::serve_stream), before anything is read from it and before TLS. If it
    /// returns `false`, the connection is closed and nothing is sent. Several functions are
    /// asked in the order in which they were added, until one refuses. The function may set
    /// options of the socket ([`Incoming::tcp`]).
    ///
    /// It runs in the task that accepts, so it must not block: nothing else is accepted
    /// meanwhile. Where it panics, the connection is refused and the server goes on.
    /// Channels [in process](crate::Channel::in_process) are not asked about.
    ///
    /// ```
    /// use grpc_runtime::{PeerAddress, Server};
    ///
    /// let server = Server::builder().on_accept(|incoming| {
    ///     if let Some(socket) = incoming.tcp() {
    ///         let _ = socket.set_ttl(64);
    ///     }
    ///     match incoming.peer() {
    ///         PeerAddress::Tcp(address) => address.ip().is_loopback(),
    ///         _ => true,
    ///     }
    /// });
    /// # drop(server);
    /// ```
    #[must_use]
    pub fn on_accept(
        mut self,
        ask: impl Fn(&Incoming<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.guards.push(ask);
        self
    }

    /// Adds an [observer](Observer), whose methods are called for events of the server's
    /// connections and calls, including those [in process](crate::Channel::in_process).
    /// Default: no observer.
    ///
    /// ```
    /// use grpc_runtime::{ClosedConnection, Observer, Server};
    ///
    /// struct Log;
    ///
    /// impl Observer for Log {
    ///     fn connection_closed(&self, closed: &ClosedConnection<'_>) {
    ///         println!("{} {}", closed.connection().peer(), closed.reason());
    ///     }
    /// }
    ///
    /// let server = Server::builder().observe(Log);
    /// # drop(server);
    /// ```
    #[must_use]
    pub fn observe(mut self, observer: impl Observer) -> Self {
        self.observers.push(observer);
        self
    }

    /// Puts an [interceptor](ServerInterceptor) around the handlers of all services, inside
    /// of those that were added before. It also sees calls to methods that the server does
    /// not have.
    #[must_use]
    pub fn interceptor(mut self, interceptor: impl ServerInterceptor) -> Self {
        self.defaults.interceptors.push(interceptor);
        self
    }

    /// Sets the largest request message that the server accepts, in bytes, for services that
    /// set no limit. Default: 4 MiB. A larger one fails its call with `RESOURCE_EXHAUSTED`.
    #[must_use]
    pub fn max_receive_message_size(mut self, bytes: usize) -> Self {
        self.defaults.limits.max_receive_message_size = bytes;
        self
    }

    /// Sets the largest response message that the server sends, in bytes, for services that
    /// set no limit. Default: no limit. A larger one fails its call with
    /// `RESOURCE_EXHAUSTED`.
    #[must_use]
    pub fn max_send_message_size(mut self, bytes: usize) -> Self {
        self.defaults.limits.max_send_message_size = bytes;
        self
    }

    /// Sets how response messages are compressed if neither their service nor their call
    /// sets it. Default: no compression. A client that does not accept the encoding gets
    /// them uncompressed.
    ///
    /// ```
    /// use grpc_runtime::{Compression, Server};
    ///
    /// let server = Server::builder().compression(Compression::Gzip);
    /// # drop(server);
    /// ```
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.defaults.compression = compression;
        self
    }

    /// Sets the encodings that clients may compress requests with, besides identity.
    /// Default: all encodings of this build. A request in another encoding fails its call
    /// with `UNIMPLEMENTED`; the response lists the accepted encodings.
    ///
    /// ```
    /// use grpc_runtime::{Compression, Server};
    ///
    /// let plain = Server::builder().accept_compression([]);
    /// let gzip = Server::builder().accept_compression([Compression::Gzip]);
    /// # drop((plain, gzip));
    /// ```
    #[must_use]
    pub fn accept_compression(mut self, list: impl IntoIterator<Item = Compression>) -> Self {
        self.encodings = list.into_iter().collect();
        self
    }

    /// Sets windows, frame sizes and limits of every connection. Default:
    /// [`Http2Options::default`]. A value outside of its range is replaced by the nearest
    /// one within it.
    #[must_use]
    pub fn http2(mut self, options: Http2Options) -> Self {
        self.http2 = options.in_range();
        self
    }

    /// Limits the bytes that all connections together may hold: of requests, of responses
    /// that clients have not taken, and of metadata. Default: 2 GiB. [`Http2Options`] sets the
    /// limit of one connection.
    ///
    /// One half is for request messages of more than 128 KiB, or of more than half a stream's
    /// window, while they arrive. A message that finds no room waits, by flow control, until
    /// others are complete. While others wait, a message that holds memory must receive at
    /// least 4 KiB a second, or its call ends with `RESOURCE_EXHAUSTED`. A message that is
    /// larger than this half is received alone.
    ///
    /// A quarter is for bytes that no handler has read. Once it is used up, a connection with
    /// more than 64 KiB of them gives each of its streams no more than 8 KiB, as soon as
    /// 256 KiB or half of its window have come. No call is refused for it, and streams that
    /// are read get on.
    ///
    /// A quarter, and at least 4 MiB, is for what calls hold: the metadata of requests while
    /// their calls exist, and responses that their clients do not take. Each connection has
    /// 64 KiB of it for itself, whatever others hold. 8 KiB of each stream's response, unary
    /// responses of up to 8 KiB and metadata of up to 1 KiB (with 32 bytes for each field) are
    /// not counted. While the rest is used up:
    ///
    /// - A new call with more than 1 KiB of metadata, on a connection that would hold more than
    ///   its 64 KiB, is refused with `RESOURCE_EXHAUSTED`.
    ///   [Observers](crate::Observer::call_refused) are told.
    /// - [`Sender::send`](crate::Sender::send) waits until there is memory for its message.
    /// - A unary response ends its call with `RESOURCE_EXHAUSTED` if more than 8 KiB of it do
    ///   not fit into the client's windows, the 256 KiB of output of its connection and what
    ///   is left of its 64 KiB.
    /// - A call whose client takes less than 80 KiB of its response in 20 s ends, if others
    ///   want memory and its connection holds more than its 64 KiB. Its stream is reset with
    ///   `ENHANCE_YOUR_CALM`, which gRPC clients report as `RESOURCE_EXHAUSTED`.
    /// - A connection with more than 256 KiB of output, whose client takes less than 80 KiB of
    ///   it in 20 s, is closed with GOAWAY `ENHANCE_YOUR_CALM`.
    ///
    /// A message holds its memory until all of it is written to the socket. One that is larger
    /// than this quarter is sent if no other holds memory. Not counted are messages that a
    /// handler has read or has not sent yet, and metadata that a handler still has after its
    /// call has ended. A message that is given to a [`Sender`](crate::Sender) as a `Sink` counts
    /// and does not wait, since its size is not known when there is room: at most one for
    /// each call is beyond the limit.
    ///
    /// In addition each connection may hold 384 KiB, 17 KiB for each stream, 768 KiB of output,
    /// and the request bytes that were on their way when memory became tight (at most
    /// [`Http2Options::connection_window`]): with a small limit for many connections, choose
    /// a small window.
    ///
    /// ```
    /// use grpc_runtime::Server;
    ///
    /// let server = Server::builder().memory_limit(256 << 20);
    /// # drop(server);
    /// ```
    #[must_use]
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.memory_limit = bytes;
        self
    }

    /// Sets limits beyond those of each connection: the number of connections and calls at
    /// once, the duration of calls, and limits for single services and methods. Default: no
    /// such limit. A second call replaces the limits of the first.
    ///
    /// # Errors
    /// [`start`](Self::start) fails if a name in them is not a service or method of the
    /// server.
    ///
    /// ```
    /// use grpc_runtime::{CallLimit, Server, ServerLimits};
    ///
    /// let limits = ServerLimits::new().connections(10_000).calls(CallLimit::new(1_000));
    /// let server = Server::builder().limits(limits);
    /// # drop(server);
    /// ```
    #[must_use]
    pub fn limits(mut self, limits: ServerLimits) -> Self {
        self.upkeep.lifetime.max_calls = limits.calls_per_connection;
        self.defaults.server_limits = limits;
        self
    }

    /// Lets the server start without an address: it serves the streams passed to
    /// [`Server::serve_stream`], and connections of its addresses, if it has any.
    #[must_use]
    pub fn listen_nowhere(mut self) -> Self {
        self.needs_address = false;
        self
    }

    /// Listens on all addresses and serves in the background, until the
    /// [`Server`] is shut down or dropped.
    ///
    /// Call it inside a tokio runtime, which also runs the handlers. A handler begins in the
    /// task of its connection and moves to a separate task once it waits for something.
    /// Handlers of a method that was measured to compute for long before it answers begin on
    /// separate tasks, on all cores of the runtime.
    ///
    /// # Errors
    /// [`ServerError`] says which of these it is: no runtime; an address that is not one, or
    /// that the system refuses; no address, unless the server
    /// [needs none](Self::listen_nowhere); two services of one name; a method that was added
    /// to its service as another shape; [limits](Self::limits) of what the server does not
    /// have; a [PROXY protocol](ProxyProtocol) that trusts what is no address. Nothing listens
    /// then.
    ///
    /// # Panics
    /// If the runtime was built without its I/O or its time (`enable_all` has both).
    pub async fn start(mut self) -> Result<Server, ServerError> {
        if Handle::try_current().is_err() {
            return Err(ServerError::NoRuntime);
        }
        let mut acceptors = Vec::new();
        let mut enter = |origin, options: ListenOptions| {
            options
                .proxy
                .as_ref()
                .map_or(Ok(()), ProxyProtocol::check)?;
            acceptors.push(Acceptor {
                origin,
                security: options.credentials.into_security(),
                proxy: options.proxy,
            });
            Ok::<_, ServerError>(())
        };
        for (address, options) in std::mem::take(&mut self.addresses) {
            let listener = Listener::bind(address?, options.sockets).await?;
            enter(Origin::Listener(listener), options)?;
        }
        for (source, options) in std::mem::take(&mut self.sources) {
            enter(Origin::Source(source), options)?;
        }
        if acceptors.is_empty() && self.needs_address {
            return Err(ServerError::NoAddress);
        }
        let (notice, guards) = (self.shutdown_notice, std::mem::take(&mut self.guards));
        let (shared, http2) = self.into_shared()?;
        let door = Door::new(shared, http2, guards);
        Ok(Server::start(door, notice, acceptors))
    }

    /// Listens on `address` without encryption, and on all others added before,
    /// and serves until the future is dropped.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn serve(self, address: impl AsRef<str>) -> Result<(), ServerError> {
        let insecure = ServerCredentials::insecure();
        self.serve_with(address, insecure).await
    }

    /// As [`serve`](Self::serve), with connections to `address` secured as
    /// `credentials` say.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn serve_with(
        self,
        address: impl AsRef<str>,
        credentials: ServerCredentials,
    ) -> Result<(), ServerError> {
        let server = self.listen_with(address, credentials).start().await?;
        server.wait().await;
        Ok(())
    }

    /// Where the server is shown.
    pub(crate) fn registries(&mut self) -> &mut Registries<ServerSnapshot> {
        &mut self.registries
    }

    /// As [`serve`](Self::serve), until `signal` says that the server is to stop:
    /// [`shutdown_signal`](crate::shutdown_signal), say. Then it stops as
    /// [`Server::shutdown`] does, and what that found is returned.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    ///
    /// ```no_run
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # #[cfg(feature = "signal")]
    /// # {
    /// use std::time::Duration;
    ///
    /// use grpc_runtime::{Server, shutdown_signal};
    ///
    /// let grace = Duration::from_secs(20);
    /// let report = Server::builder()
    ///     .shutdown_notice(Duration::from_secs(5))
    ///     .serve_until("[::]:50051", shutdown_signal(), grace)
    ///     .await?;
    /// for method in &report.methods {
    ///     println!("{}: {} calls cut", method.method.path(), method.calls_cut);
    /// }
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "serve_with_shutdown")]
    pub async fn serve_until(
        self,
        address: impl AsRef<str>,
        signal: impl Future<Output = ()>,
        grace: Duration,
    ) -> Result<ShutdownReport, ServerError> {
        let insecure = ServerCredentials::insecure();
        self.serve_with_until(address, insecure, signal, grace)
            .await
    }

    /// As [`serve_until`](Self::serve_until), with connections to `address` secured as
    /// `credentials` say.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn serve_with_until(
        self,
        address: impl AsRef<str>,
        credentials: ServerCredentials,
        signal: impl Future<Output = ()>,
        grace: Duration,
    ) -> Result<ShutdownReport, ServerError> {
        let server = self.listen_with(address, credentials).start().await?;
        Ok(server.shutdown_when(signal, grace).await)
    }

    /// The state that all connections of this server share.
    pub(crate) fn into_shared(self) -> Result<(Arc<ServerShared>, Http2Options), ServerError> {
        let limits = &self.defaults.server_limits;
        let admission = Admission::new(limits.connections, limits.connections_per_peer);
        let shared = ServerShared {
            admission,
            router: Router::new(&self.services, &self.defaults)?,
            encodings: self.encodings,
            memory: Memory::new(self.memory_limit),
            upkeep: self.upkeep,
            chance: Chance::default(),
            shutdown: Shutdown::default(),
            farewell: Farewell::default(),
            observers: self.observers,
            record: ServerRecord::new(),
        };
        let shared = Arc::new(shared);
        self.registries.enter(&shared);
        Ok((shared, self.http2))
    }
}
