//! A server that runs: its accept loops, its connections, and the way they all
//! end. It must never look inside a connection.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use super::call_count::CallCount;
use super::connection::{ServerConnection, ServerShared};
use super::context::Peer;
use super::listener::Listener;
use crate::call::command::Command;
use crate::call::queue::QueueSender;
use crate::clock;
use crate::credentials::ServerSecurity;
use crate::transport::Http2Options;
use crate::transport::driver::Driver;
use crate::transport::http2::connection::{Connection, Role};
use crate::transport::http2::durations::FOREVER;
use crate::transport::io::Io;
#[cfg(feature = "tls")]
use crate::transport::io::tls;

/// After an accept that failed (no descriptors left, say) the loop waits so
/// long before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
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
    connections: Arc<Connections>,
    shared: Arc<ServerShared>,
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

/// The connections of a server that are open now.
#[derive(Debug)]
struct Connections {
    open: Mutex<Open>,
    count: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    stage: Stage,
    places: HashMap<u64, Place>,
}

/// What becomes of a connection that is accepted now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Serving,
    /// It is drained from the start.
    Draining,
    /// The server is gone: nothing is served any more.
    Gone,
}

/// One connection in the register.
#[derive(Debug)]
struct Place {
    queue: QueueSender<Command>,
    calls: Arc<CallCount>,
    /// Present once the task is spawned.
    task: Option<AbortHandle>,
}

impl Server {
    pub(crate) fn start(
        shared: Arc<ServerShared>,
        http2: &Http2Options,
        notice: Duration,
        listeners: Vec<(Listener, ServerSecurity)>,
    ) -> Self {
        let connections = Arc::new(Connections {
            open: Mutex::default(),
            count: watch::Sender::new(0),
        });
        let addresses = listeners
            .iter()
            .map(|(listener, _)| listener.local_address())
            .collect();
        let accepting = listeners
            .into_iter()
            .map(|(listener, security)| {
                let accept = accept(
                    listener,
                    security,
                    Arc::clone(&shared),
                    http2.clone(),
                    Arc::clone(&connections),
                );
                tokio::spawn(accept).abort_handle()
            })
            .collect();
        Self {
            addresses,
            accepting,
            connections,
            shared,
            notice,
            leaving: watch::Sender::new(false),
        }
    }

    /// Where the server listens, in the order in which the addresses were added:
    /// `ip:port` with the real port, or `unix:/path`.
    pub fn addresses(&self) -> &[String] {
        &self.addresses
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
            self.connections.tell(|| Command::Drain);
            tokio::time::sleep(self.notice).await;
        }
        self.stop_accepting();
        self.connections.set_draining();
        self.connections.tell(|| Command::Drain);
        let mut count = self.connections.count.subscribe();
        let _ = tokio::time::timeout(grace.min(FOREVER), count.wait_for(|open| *open == 0)).await;
        let connections_cut = self.connections.tell(|| Command::Close);
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, count.wait_for(|open| *open == 0)).await;
        ShutdownReport {
            calls_cut: self.shared.calls_cut.load(Ordering::Relaxed) + self.connections.stuck(),
            connections_cut,
        }
    }

    fn stop_accepting(&self) {
        for task in &self.accepting {
            task.abort();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop_accepting();
        self.connections.abort();
    }
}

impl Connections {
    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_draining(&self) {
        self.lock().stage = Stage::Draining;
    }

    /// Sends every connection a command; returns how many there are.
    fn tell(&self, command: impl Fn() -> Command) -> usize {
        let open = self.lock();
        for place in open.places.values() {
            let _ = place.queue.send(command());
        }
        open.places.len()
    }

    fn abort(&self) {
        let mut open = self.lock();
        open.stage = Stage::Gone;
        for task in open.places.values().filter_map(|place| place.task.as_ref()) {
            task.abort();
        }
    }

    /// The calls of connections that did not even hear that they are closed: a
    /// handler blocks each of them.
    fn stuck(&self) -> usize {
        let open = self.lock();
        let calls = open.places.values().map(|place| place.calls.stuck());
        calls.sum()
    }

    /// Runs a connection on a task of its own. One that was accepted while the
    /// server was already leaving is drained from the start, or dropped.
    fn run(self: &Arc<Self>, driver: Driver<ServerConnection>) {
        let Some(key) = self.enter(&driver.application) else {
            return;
        };
        let registered = Registered {
            connections: Arc::clone(self),
            key,
        };
        // Not under the lock: a runtime that is shutting down drops the task here.
        let task = tokio::spawn(async move {
            let _registered = registered;
            driver.run().await;
        });
        let mut open = self.lock();
        if open.stage == Stage::Gone {
            task.abort();
        } else if let Some(place) = open.places.get_mut(&key) {
            place.task = Some(task.abort_handle());
        }
    }

    /// A connection's key in the register; `None` where it comes too late.
    fn enter(&self, connection: &ServerConnection) -> Option<u64> {
        let mut open = self.lock();
        let queue = connection.sender();
        match open.stage {
            Stage::Serving => {}
            Stage::Draining => {
                let _ = queue.send(Command::Drain);
            }
            Stage::Gone => return None,
        }
        open.next += 1;
        let key = open.next;
        let place = Place {
            queue,
            calls: Arc::clone(connection.call_count()),
            task: None,
        };
        open.places.insert(key, place);
        self.count.send_replace(open.places.len());
        Some(key)
    }
}

/// A connection's place in the register, given up when its task ends in
/// whatever way.
struct Registered {
    connections: Arc<Connections>,
    key: u64,
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut open = self.connections.lock();
        open.places.remove(&self.key);
        self.connections.count.send_replace(open.places.len());
    }
}

/// Accepts until it is aborted, which also cuts the handshakes under way.
async fn accept(
    listener: Listener,
    security: ServerSecurity,
    shared: Arc<ServerShared>,
    http2: Http2Options,
    connections: Arc<Connections>,
) {
    let mut handshakes = JoinSet::<()>::new();
    loop {
        let accepted = {
            let mut accept = pin!(listener.accept());
            poll_fn(|cx| {
                // Forgets those that ended.
                while let Poll::Ready(Some(_)) = handshakes.poll_join_next(cx) {}
                accept.as_mut().poll(cx)
            })
            .await
        };
        match accepted {
            Ok((io, address)) => {
                let begun = clock::now();
                let (shared, http2) = (Arc::clone(&shared), http2.clone());
                match &security {
                    ServerSecurity::Insecure => {
                        let peer = Peer::at(address);
                        let serve = || serve_connection(io, peer, shared, http2, begun);
                        // A panic ends the connection that it is about, not the loop.
                        if let Ok(driver) = catch_unwind(AssertUnwindSafe(serve)) {
                            connections.run(driver);
                        }
                    }
                    #[cfg(feature = "tls")]
                    ServerSecurity::Tls(config) => {
                        let (config, connections) = (Arc::clone(config), Arc::clone(&connections));
                        handshakes.spawn(async move {
                            let handshake = tls::accept(&config, io);
                            let secured = tokio::time::timeout(http2.handshake_timeout, handshake);
                            // A client that failed has been told by an alert.
                            if let Ok(Ok((io, identity))) = secured.await {
                                let peer = Peer { address, identity };
                                connections.run(serve_connection(io, peer, shared, http2, begun));
                            }
                        });
                    }
                }
            }
            // The client left before it was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// A server's end of a connection that was accepted when it had `begun`, which
/// is when its handshake's time began.
pub(crate) fn serve_connection(
    io: Io,
    peer: Peer,
    shared: Arc<ServerShared>,
    http2: Http2Options,
    begun: Instant,
) -> Driver<ServerConnection> {
    let mut upkeep = shared.upkeep;
    if upkeep.lifetime.max_age.is_some() {
        upkeep.lifetime = upkeep.lifetime.spread(shared.chance.next());
    }
    let mut connection = Connection::new(Role::Server, http2, begun);
    connection.share_memory(Arc::clone(&shared.memory));
    connection.keep_up(&upkeep, begun);
    let calls = ServerConnection::new(shared, peer, clock::now());
    Driver::new(io, connection, calls)
}
