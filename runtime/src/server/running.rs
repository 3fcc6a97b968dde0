//! A server that runs: its accept loops, its connections, and the way they all
//! end. It must never look inside a connection.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

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
use crate::transport::http2::options::FOREVER;
use crate::transport::io::Io;
#[cfg(feature = "tls")]
use crate::transport::tls;

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
}

/// What [`Server::shutdown`] had to cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Calls that were still running when the grace period ended.
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
    draining: bool,
    queues: HashMap<u64, (QueueSender<Command>, Option<AbortHandle>)>,
}

impl Server {
    pub(crate) fn start(
        shared: Arc<ServerShared>,
        http2: &Http2Options,
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

    /// Stops in order: no more connections are accepted, clients are told to go
    /// elsewhere (GOAWAY), and the calls that run have `grace` to finish. What is
    /// left is then cut, with `UNAVAILABLE` for its callers. It always ends, at
    /// the latest a second after `grace`.
    pub async fn shutdown(self, grace: Duration) -> ShutdownReport {
        self.stop_accepting();
        self.connections.tell(|| Command::Drain);
        let mut count = self.connections.count.subscribe();
        let _ = tokio::time::timeout(grace.min(FOREVER), count.wait_for(|open| *open == 0)).await;
        let connections_cut = self.connections.tell(|| Command::Close);
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, count.wait_for(|open| *open == 0)).await;
        ShutdownReport {
            calls_cut: self.shared.calls_cut.load(Ordering::Relaxed),
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

    /// Sends every connection a command; returns how many there are.
    fn tell(&self, command: impl Fn() -> Command) -> usize {
        let mut open = self.lock();
        open.draining = true;
        for (queue, _) in open.queues.values() {
            let _ = queue.send(command());
        }
        open.queues.len()
    }

    fn abort(&self) {
        let mut open = self.lock();
        open.draining = true;
        for (_, task) in open
            .queues
            .values()
            .filter_map(|(q, task)| Some((q, task.as_ref()?)))
        {
            task.abort();
        }
    }

    /// Runs a connection on a task of its own. One that was accepted while the
    /// server was already leaving is drained from the start.
    fn run(self: &Arc<Self>, driver: Driver<ServerConnection>) {
        let queue = driver.application.sender();
        let key = {
            let mut open = self.lock();
            if open.draining {
                let _ = queue.send(Command::Drain);
            }
            open.next += 1;
            let key = open.next;
            open.queues.insert(key, (queue, None));
            self.count.send_replace(open.queues.len());
            key
        };
        let registered = Registered {
            connections: Arc::clone(self),
            key,
        };
        let task = tokio::spawn(async move {
            let _registered = registered;
            driver.await
        });
        if let Some((_, slot)) = self.lock().queues.get_mut(&key) {
            *slot = Some(task.abort_handle());
        }
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
        open.queues.remove(&self.key);
        self.connections.count.send_replace(open.queues.len());
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
                        connections.run(serve_connection(io, peer, shared, http2, begun));
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
