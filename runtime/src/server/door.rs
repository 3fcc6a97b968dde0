//! The door of a server: admission, TLS and registration of a byte stream, accepted or given.

use std::fmt;
#[cfg(feature = "tls")]
use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
#[cfg(feature = "tls")]
use std::pin::pin;
use std::sync::Arc;
#[cfg(feature = "tls")]
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
#[cfg(feature = "tls")]
use tokio::sync::watch;

use super::connection::{ServerConnection, ServerShared};
use super::connections::Connections;
use super::context::Peer;
use super::incoming::Incoming;
use super::limits::Admitted;
use crate::clock;
use crate::credentials::ServerSecurity;
use crate::framing::Side;
use crate::observe::connection::ConnectionStep;
use crate::observe::observation::{self, FailedStep, Observation};
use crate::snapshot::socket::SocketRecord;
use crate::snapshot::sockets::Socket;
use crate::transport::driver::Driver;
use crate::transport::http2::connection::{Connection, Role};
use crate::transport::io::Io;
#[cfg(feature = "tls")]
use crate::transport::io::tls;
use crate::transport::{Http2Options, PeerAddress};

/// The functions of `on_accept`, asked about each connection before it is served.
#[derive(Clone, Default)]
pub(super) struct Guards(Vec<Arc<Guard>>);

type Guard = dyn Fn(&Incoming<'_>) -> bool + Send + Sync;

impl Guards {
    pub(super) fn push(&mut self, guard: impl Fn(&Incoming<'_>) -> bool + Send + Sync + 'static) {
        self.0.push(Arc::new(guard));
    }

    fn let_in(&self, io: &Io, peer: &PeerAddress) -> bool {
        let incoming = Incoming::new(io, peer);
        self.0.iter().all(|guard| guard(&incoming))
    }
}

impl fmt::Debug for Guards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guards({})", self.0.len())
    }
}

/// Admits connections: one for all listeners of a server and for the streams passed to it.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) shared: Arc<ServerShared>,
    pub(super) connections: Arc<Connections>,
    http2: Http2Options,
    guards: Guards,
    /// Where handshakes and connections run, whoever gives a stream.
    runtime: Handle,
    /// Cuts the handshakes under way.
    #[cfg(feature = "tls")]
    is_closed: watch::Sender<bool>,
}

impl Door {
    /// The door of a server that runs on the runtime of the caller.
    pub(super) fn new(shared: Arc<ServerShared>, http2: Http2Options, guards: Guards) -> Self {
        Self {
            shared,
            connections: Arc::new(Connections::new()),
            http2,
            guards,
            runtime: Handle::current(),
            #[cfg(feature = "tls")]
            is_closed: watch::Sender::new(false),
        }
    }

    /// Lets a stream in, or drops it. Whatever panics here is about this stream alone:
    /// it is dropped, and whoever brought it goes on.
    pub(super) fn enter(&self, io: Io, address: PeerAddress, security: &ServerSecurity) {
        let guards = AssertUnwindSafe(|| self.guards.let_in(&io, &address));
        if !catch_unwind(guards).unwrap_or(false) {
            let refused = FailedStep {
                step: ConnectionStep::Admission,
                reason: "a function of ServerBuilder::on_accept refused it, or panicked",
                source: None,
            };
            return fail(&self.shared, &address, &refused, clock::now());
        }
        let admission = self.shared.admission.as_ref();
        let admitted = match admission.map(|it| it.admit(&address)).transpose() {
            Ok(admitted) => admitted,
            Err(reason) => {
                let refused = FailedStep {
                    step: ConnectionStep::Admission,
                    reason,
                    source: None,
                };
                return fail(&self.shared, &address, &refused, clock::now());
            }
        };
        let secure = AssertUnwindSafe(|| self.secure(io, address, security, admitted));
        let _ = catch_unwind(secure);
    }

    /// How long a step may take that comes before HTTP/2.
    pub(super) fn handshake_timeout(&self) -> Duration {
        self.http2.handshake_timeout
    }

    /// Tells of a stream that does not come as far as this.
    pub(super) fn turn_away(
        &self,
        address: &PeerAddress,
        failure: &FailedStep<'_>,
        begun: Instant,
    ) {
        fail(&self.shared, address, failure, begun);
    }

    /// A listener has an error for a connection.
    pub(super) fn cannot_accept(&self, error: &io::Error) {
        self.shared.observers.tell(|it| it.accept_failed(error));
    }

    fn secure(
        &self,
        io: Io,
        address: PeerAddress,
        security: &ServerSecurity,
        admitted: Option<Admitted>,
    ) {
        let begun = clock::now();
        let (shared, http2) = (Arc::clone(&self.shared), self.http2.clone());
        match security {
            ServerSecurity::Insecure => {
                let mut driver = serve_connection(io, Peer::at(address), shared, http2, begun);
                driver.application.admitted = admitted;
                self.connections.run(&self.runtime, driver);
            }
            #[cfg(feature = "tls")]
            ServerSecurity::Tls(config) => {
                let (config, connections) = (config.clone(), Arc::clone(&self.connections));
                let (runtime, mut is_closed) = (self.runtime.clone(), self.is_closed.subscribe());
                self.runtime.spawn(async move {
                    let handshake = async {
                        let config = config.current();
                        let config = config.map_err(tls::HandshakeError::of_credentials)?;
                        tls::accept(&config, io).await
                    };
                    let limit = http2.handshake_timeout;
                    let mut secured = pin!(tokio::time::timeout(limit, handshake));
                    let mut closed = pin!(is_closed.wait_for(|is_closed| *is_closed));
                    let secured = poll_fn(|cx| match closed.as_mut().poll(cx) {
                        Poll::Ready(_) => Poll::Ready(None),
                        Poll::Pending => secured.as_mut().poll(cx).map(Some),
                    });
                    let failed = match secured.await {
                        Some(Ok(Ok((io, identity)))) => {
                            let peer = Peer { address, identity };
                            let mut driver = serve_connection(io, peer, shared, http2, begun);
                            driver.application.admitted = admitted;
                            return connections.run(&runtime, driver);
                        }
                        // The TLS library has sent an alert to a client whose handshake
                        // failed.
                        Some(Ok(Err(error))) => error,
                        Some(Err(_)) => tls::HandshakeError::of_silence(limit),
                        None => tls::HandshakeError::of_ours("the server is shutting down"),
                    };
                    let (reason, source) = (failed.to_string(), failed.into_source());
                    let failure = FailedStep {
                        step: ConnectionStep::Tls,
                        reason: &reason,
                        source: source.as_deref(),
                    };
                    fail(&shared, &address, &failure, begun);
                });
            }
        }
    }

    /// Cuts the handshakes under way, and those that begin from now on.
    #[cfg_attr(
        not(feature = "tls"),
        expect(clippy::unused_self, reason = "without TLS nothing shakes hands")
    )]
    pub(super) fn close(&self) {
        #[cfg(feature = "tls")]
        self.is_closed.send_replace(true);
    }
}

/// Tells of a stream that came to no connection.
fn fail(shared: &ServerShared, address: &PeerAddress, failure: &FailedStep<'_>, begun: Instant) {
    let observers = &shared.observers;
    if !observers.is_empty() {
        let side = Side::Server;
        observation::failed(observers, side, address, failure, begun, clock::now());
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
    if upkeep.lifetime.is_spread() {
        upkeep.lifetime = upkeep.lifetime.spread(shared.chance.next());
    }
    let mut connection = Connection::new(Role::Server, http2, begun);
    connection.share_memory(Arc::clone(&shared.memory));
    connection.keep_up(&upkeep, begun);
    let (side, address) = (Side::Server, Some(peer.address.clone()));
    let socket = SocketRecord::new(side, address, &io, connection.counts());
    let observation = Observation::begin(&shared.observers, &socket, begun);
    let socket = Socket::enter(Arc::clone(&shared) as _, socket);
    let calls = ServerConnection::new(shared, peer, observation, socket, clock::now());
    Driver::new(io, connection, calls)
}
