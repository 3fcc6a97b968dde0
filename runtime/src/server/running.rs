//! A server that runs: its accept loops, what it is given, and the way it all ends. It
//! must never look inside a connection.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::accepting::Entrance;
use super::door::Door;
use crate::call::command::Command;
use crate::credentials::ServerCredentials;
use crate::transport::ByteStream;
use crate::transport::http2::durations::FOREVER;

/// What a connection may take to write its last words once it was told to close.
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
    /// `true` once the server leaves.
    leaving: watch::Sender<bool>,
}

/// What [`Server::shutdown`] had to cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Calls that were still running when the grace period ended. A handler that
    /// blocks its thread cannot be stopped before it returns; its call is among them.
    pub calls_cut: usize,
    /// Connections that were still open then.
    pub connections_cut: usize,
}

impl Server {
    pub(super) fn start(door: Door, notice: Duration, entrances: Vec<Entrance>) -> Self {
        let door = Arc::new(door);
        let addresses = entrances
            .iter()
            .filter_map(Entrance::local_address)
            .collect();
        let accept = |it: Entrance| tokio::spawn(it.run(Arc::clone(&door))).abort_handle();
        let accepting = entrances.into_iter().map(accept).collect();
        Self {
            addresses,
            accepting,
            door,
            notice,
            leaving: watch::Sender::new(false),
        }
    }

    /// Where the server listens, in the order in which the addresses were added:
    /// `ip:port` with the real port, or `unix:/path`.
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// Serves a byte stream that was made elsewhere, without encryption: a vsock, an end of
    /// a tunnel, one half of a pipe. It is a connection of the server as those are that it
    /// accepts: [`on_accept`](crate::ServerBuilder::on_accept) is asked about it,
    /// [`Http2Options::handshake_timeout`](crate::Http2Options::handshake_timeout) runs
    /// from now on, and [`shutdown`](Self::shutdown) drains it and then cuts it.
    /// [`Context::peer`](crate::Context::peer) is what [`ByteStream::new`] was told, or the
    /// socket's address. A TCP socket that has lost its other end is dropped.
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

    /// Waits for as long as the server runs: until it is dropped.
    pub async fn wait(&self) {
        std::future::pending::<()>().await;
    }

    /// Waits until [`shutdown`](Self::shutdown) begins, or the server is dropped: the
    /// moment from which health checks should fail. The future may outlive the server.
    pub fn leaving(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let mut leaving = self.leaving.subscribe();
        async move {
            // A server that is gone has left.
            let _ = leaving.wait_for(|leaving| *leaving).await;
        }
    }

    /// Stops in order: after the time that
    /// [`shutdown_notice`](crate::ServerBuilder::shutdown_notice) sets no more
    /// connections are accepted, clients are told to go elsewhere (GOAWAY), and the
    /// calls that run have `grace` to finish. What is left is then cut, with
    /// `UNAVAILABLE` for its callers. It always ends: at the latest a second after the
    /// notice and `grace`.
    ///
    /// Dropping the future stops the server at once.
    pub async fn shutdown(self, grace: Duration) -> ShutdownReport {
        self.leaving.send_replace(true);
        if !self.notice.is_zero() {
            self.door.connections.tell(|| Command::Drain);
            tokio::time::sleep(self.notice).await;
        }
        self.stop_accepting();
        self.door.connections.set_draining();
        self.door.connections.tell(|| Command::Drain);
        let mut count = self.door.connections.count.subscribe();
        let _ = tokio::time::timeout(grace.min(FOREVER), count.wait_for(|open| *open == 0)).await;
        let connections_cut = self.door.connections.tell(|| Command::Close);
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, count.wait_for(|open| *open == 0)).await;
        ShutdownReport {
            calls_cut: self.door.shared.calls_cut.load(Ordering::Relaxed)
                + self.door.connections.stuck(),
            connections_cut,
        }
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
        self.stop_accepting();
        self.door.connections.abort();
    }
}
