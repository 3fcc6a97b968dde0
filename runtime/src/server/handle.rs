//! A running server: its accept loops, its connections, and its shutdown.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::acceptor::Acceptor;
use super::door::Door;
use super::farewell::MethodReport;
use super::record::ServerSnapshot;
use crate::call::command::Command;
use crate::call::shutdown::{ShutdownSignal, ShutdownStage};
use crate::credentials::ServerCredentials;
use crate::snapshot::entries::Inspected;
use crate::transport::ByteStream;
use crate::transport::http2::durations::FOREVER;

/// How long connections may take to write their last frames once they are closed, and
/// handlers to end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A server that accepts connections in the background.
///
/// Dropping it stops it at once, calls and all; [`shutdown`](Self::shutdown)
/// lets calls finish.
///
/// ```
/// # use std::time::Duration;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use grpc_runtime::Server;
///
/// let server = Server::builder().listen("127.0.0.1:0").start().await?;
/// println!("listening on {}", server.addresses()[0]);
/// let report = server.shutdown(Duration::from_secs(5)).await;
/// assert_eq!(report.calls_cut, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    addresses: Vec<String>,
    accepting: Vec<AbortHandle>,
    door: Arc<Door>,
    notice: Duration,
}

/// The result of [`Server::shutdown`]: the calls it found, and those it had to cut.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Calls that were still running when the grace period ended. A handler that
    /// blocks its thread cannot be stopped before it returns; its call is among them.
    pub calls_cut: usize,
    /// Connections that were still open then.
    pub connections_cut: usize,
    /// The number of handlers of cut or cancelled calls that have not ended: they block
    /// their threads, or the runtime has not dropped them yet. With 0 no handler uses the
    /// program's state any more; tasks that handlers spawned still may.
    pub handlers_left: usize,
    /// For each method the outcome of the calls that ran when the grace began, ordered by
    /// path. Calls on a connection whose task is blocked by a handler are counted in
    /// [`calls_cut`](Self::calls_cut) only, since their methods cannot be determined.
    pub methods: Vec<MethodReport>,
}

impl Server {
    pub(super) fn start(door: Door, notice: Duration, acceptors: Vec<Acceptor>) -> Self {
        let door = Arc::new(door);
        let addresses: Vec<String> = acceptors
            .iter()
            .filter_map(Acceptor::local_address)
            .collect();
        door.shared.record.listens(&addresses);
        let accept = |it: Acceptor| tokio::spawn(it.run(Arc::clone(&door))).abort_handle();
        let accepting = acceptors.into_iter().map(accept).collect();
        Self {
            addresses,
            accepting,
            door,
            notice,
        }
    }

    /// Where the server listens, in the order in which the addresses were added:
    /// `ip:port` with the real port, or `unix:/path`.
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// Serves a byte stream that was made elsewhere, without encryption: a vsock, an end of
    /// a tunnel, one half of a pipe. The server treats it as a connection that it accepted:
    /// [`on_accept`](crate::ServerBuilder::on_accept) is asked about it,
    /// [`Http2Options::handshake_timeout`](crate::Http2Options::handshake_timeout) runs from
    /// now on, and [`shutdown`](Self::shutdown) drains it and then cuts it.
    /// [`Context::peer`](crate::Context::peer) is the address passed to [`ByteStream::new`],
    /// or the socket's address. A TCP socket whose peer has disconnected is dropped.
    ///
    /// It returns at once and may be called from any thread: the connection runs on the
    /// runtime in which the server was started.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use grpc_runtime::{ByteStream, Server};
    ///
    /// let server = Server::builder().listen_nowhere().start().await?;
    /// let (near, far) = tokio::io::duplex(64 << 10);
    /// server.serve_stream(ByteStream::new(far, "a pipe of my own"));
    /// // `near` goes to a client.
    /// # drop(near);
    /// server.shutdown(Duration::from_secs(5)).await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn serve_stream(&self, stream: impl Into<ByteStream>) {
        self.serve_stream_with(stream, ServerCredentials::insecure());
    }

    /// As [`serve_stream`](Self::serve_stream), secured as `credentials` say. While TLS
    /// shakes hands there is no connection yet: [`shutdown`](Self::shutdown) cuts it.
    pub fn serve_stream_with(&self, stream: impl Into<ByteStream>, credentials: ServerCredentials) {
        let io = stream.into().into_io();
        if let Some(peer) = io.peer() {
            self.door.enter(io, peer, &credentials.into_security());
        }
    }

    /// The current state of the server and its connections: the data of gRPC's channelz
    /// (gRFC A14), as plain values. It does not block calls.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use grpc_runtime::Server;
    ///
    /// let server = Server::builder().listen("127.0.0.1:0").start().await?;
    /// let snapshot = server.snapshot();
    /// println!(
    ///     "{} connections, {} calls, {} failed",
    ///     snapshot.sockets().len(),
    ///     snapshot.calls().started(),
    ///     snapshot.calls().failed(),
    /// );
    /// # Ok(())
    /// # }
    /// ```
    pub fn snapshot(&self) -> ServerSnapshot {
        self.door.shared.inspect()
    }

    /// Waits for ever: it keeps a program that does nothing else from dropping the server. A
    /// server does not stop by itself, even if connections or accepts fail. To stop
    /// gracefully on a signal use [`shutdown_when`](Self::shutdown_when).
    ///
    /// Dropping the future does nothing to the server.
    pub async fn wait(&self) {
        std::future::pending::<()>().await;
    }

    /// Waits until [`shutdown`](Self::shutdown) begins, or the server is dropped: the
    /// moment from which health checks should fail. The future may outlive the server.
    pub fn leaving(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let signal = self.door.shared.shutdown.signal();
        ShutdownSignal::reached(Some(signal), ShutdownStage::Leaving)
    }

    /// Stops in order:
    ///
    /// 1. [`leaving`](Self::leaving) and [`Context::leaving`](crate::Context::leaving)
    ///    resolve, so that health checks fail and endless streams can end. For the time that
    ///    [`shutdown_notice`](crate::ServerBuilder::shutdown_notice) sets, connections and
    ///    calls are served as before, and connected clients are asked to connect anew
    ///    (GOAWAY).
    /// 2. [`Context::draining`](crate::Context::draining) resolves. No more connections are
    ///    accepted, clients get GOAWAY (a first one that announces the end, and a round trip
    ///    later the final one, so that no call is lost), and running calls have `grace` to
    ///    finish.
    /// 3. Calls that still run are cut; their callers see `UNAVAILABLE`. Handlers' futures
    ///    are dropped, and `shutdown` waits for that.
    ///
    /// It always ends: at the latest a second after the notice and `grace`.
    ///
    /// Dropping the future stops the server at once.
    pub async fn shutdown(self, grace: Duration) -> ShutdownReport {
        let (shared, connections) = (&self.door.shared, &self.door.connections);
        shared.shutdown.reach(ShutdownStage::Leaving);
        if !self.notice.is_zero() {
            connections.tell(|| Command::Drain);
            tokio::time::sleep(self.notice).await;
        }
        self.stop_accepting();
        // Connections read the stage when they are woken.
        shared.shutdown.reach(ShutdownStage::Draining);
        connections.set_draining();
        connections.tell(|| Command::Drain);
        let mut count = connections.count.subscribe();
        let _ = timeout(grace.min(FOREVER), count.wait_for(|open| *open == 0)).await;
        let connections_cut = connections.tell(|| Command::Close);
        let end = Instant::now() + CLOSE_TIMEOUT;
        let _ = timeout_at(end, count.wait_for(|open| *open == 0)).await;
        let handlers_left = shared.farewell.handlers_left(end).await;
        let (methods, stuck) = (shared.farewell.methods(), connections.stuck());
        let cut: usize = methods.iter().map(|method| method.calls_cut).sum();
        ShutdownReport {
            calls_cut: cut + stuck,
            connections_cut,
            handlers_left: handlers_left + stuck,
            methods,
        }
    }

    /// Serves until `signal` resolves, and then [shuts down](Self::shutdown) gracefully.
    ///
    /// Dropping the future stops the server at once.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use grpc_runtime::Server;
    ///
    /// let server = Server::builder().listen("127.0.0.1:0").start().await?;
    /// let signal = tokio::time::sleep(Duration::from_millis(10));
    /// let report = server.shutdown_when(signal, Duration::from_secs(5)).await;
    /// assert_eq!(report.handlers_left, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn shutdown_when(
        self,
        signal: impl Future<Output = ()>,
        grace: Duration,
    ) -> ShutdownReport {
        signal.await;
        self.shutdown(grace).await
    }

    fn stop_accepting(&self) {
        for task in &self.accepting {
            task.abort();
        }
        self.door.close();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.door.shared.shutdown.reach(ShutdownStage::Gone);
        self.stop_accepting();
        self.door.connections.abort();
    }
}
