//! Establishes one connection to a target, at the first of its addresses that answers. The
//! lifecycle decides whether and when to try again.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use super::connection::ClientConnection;
use super::connector::{self, ConnectsTo};
use super::failure::{ConnectFailure, ConnectStep};
use super::greeting::{self, Greeting};
use super::identity::{Identity, Naming};
use super::proxy::Proxy;
use super::race::race;
use super::security::Security;
use super::unopened::Unopened;
use crate::channel::address::{Address, Destination};
use crate::channel::backoff::Waits;
use crate::channel::error::ChannelError;
use crate::clock;
use crate::framing::Side;
use crate::observe::observation::Observation;
use crate::observe::observer::Observers;
use crate::snapshot::socket::SocketRecord;
use crate::snapshot::sockets::Socket;
use crate::status::Status;
use crate::transport::driver::Driver;
use crate::transport::http2::options::UpkeepOptions;
use crate::transport::io::Io;
#[cfg(feature = "tls")]
use crate::transport::io::tls;
use crate::transport::{ByteStream, Http2Options, PeerAddress};

/// The default limit on an attempt to connect to one address (gRPC's minimum connect
/// timeout).
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// The source of a channel's byte streams.
#[derive(Clone)]
pub(crate) enum Connects {
    /// The system's sockets.
    Sockets,
    /// Tunnels through an HTTP proxy.
    Proxy(Proxy),
    /// The user's connector.
    Own(Arc<dyn ConnectsTo>),
    /// A function, for the in-process transport.
    Function(Arc<dyn Fn() -> Io + Send + Sync>),
}

impl fmt::Debug for Connects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sockets => "Sockets",
            Self::Proxy(_) => "Proxy",
            Self::Own(_) => "Connector",
            Self::Function(_) => "Function",
        })
    }
}

/// How a channel connects.
#[derive(Clone, Debug)]
pub(crate) struct Dial {
    connects: Connects,
    naming: Naming,
    /// For the channel's own authority.
    security: Security,
    identity: Arc<Identity>,
    /// The limit for each address, TLS and HTTP/2 included.
    timeout: Duration,
    /// The name of the peer in errors and logs.
    name: String,
    /// The name is not an address.
    is_name: bool,
    observers: Observers,
}

/// An established connection.
#[derive(Debug)]
pub(super) struct Dialled {
    greeting: Box<Driver<Greeting>>,
    destination: Destination,
    identity: Arc<Identity>,
    socket: SocketRecord,
    observation: Option<Box<Observation>>,
}

impl Dialled {
    /// Adds the calls to the connection, and sets its keepalive and its address. Inlined,
    /// because the compiler otherwise generates slower code for the path of a call.
    #[inline]
    pub(super) fn hand_over(
        self,
        calls: Unopened,
        waits: Waits,
        upkeep: &UpkeepOptions,
    ) -> (Box<Driver<ClientConnection>>, Destination) {
        let peer = self.greeting.io().peer();
        let record = calls.record();
        let socket = Socket::enter(Arc::clone(record) as _, self.socket);
        let application =
            ClientConnection::new(self.identity, peer, calls, waits, self.observation, socket);
        // Boxed, because it is large, and a future that contains it would reserve its room
        // in each turn.
        let mut driver = Box::new(self.greeting.hand_over(application));
        driver.connection().keep_up(upkeep, clock::now());
        (driver, self.destination)
    }
}

impl Dial {
    /// `authority` is the channel's, unless `naming` has another.
    pub(crate) fn new(
        connects: Connects,
        naming: Naming,
        authority: &str,
        timeout: Duration,
        (name, is_name): (String, bool),
        observers: Observers,
    ) -> Result<Self, ChannelError> {
        let (security, identity) = naming.settle(authority)?;
        Ok(Self {
            connects,
            naming,
            security,
            identity,
            timeout,
            name,
            is_name,
            observers,
        })
    }

    /// The identity of connections to endpoints without their own authority.
    pub(crate) fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    pub(crate) fn name(&self) -> String {
        self.name.clone()
    }

    pub(crate) fn observers(&self) -> &Observers {
        &self.observers
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.security.is_encrypted()
    }

    /// Connects to the first address that answers, and secures the connection.
    ///
    /// Calls are sent with the first bytes of a connection, which saves a round trip. If
    /// there are other addresses to try, HTTP/2 is established first, since what was sent
    /// cannot be taken back.
    ///
    /// Errors are `UNAVAILABLE`. The text has each address's cause once; the source is the
    /// error of the attempt that came furthest.
    pub(super) async fn connect(
        &self,
        destinations: Vec<Destination>,
        http2: &Http2Options,
    ) -> Result<Dialled, Status> {
        let has_others = destinations.len() > 1;
        let attempts = destinations.into_iter().map(async |destination| {
            let began = clock::now();
            let attempt = self.attempt(&destination, http2, has_others);
            match attempt.await {
                Ok((greeting, identity)) => {
                    let (io, peer) = (greeting.io(), greeting.io().peer());
                    let socket = SocketRecord::new(Side::Client, peer, io, greeting.counts());
                    let observation = Observation::begin(&self.observers, &socket, began);
                    Ok(Dialled {
                        socket,
                        observation,
                        greeting: Box::new(greeting),
                        destination,
                        identity,
                    })
                }
                Err(failure) => {
                    if !self.observers.is_empty() {
                        failure.tell(&self.observers, &peer_of(&destination.address), began);
                    }
                    Err((destination.address.to_string(), failure))
                }
            }
        });
        race(attempts)
            .await
            .map_err(|failures| ConnectFailure::status(&self.name, self.is_name, failures))
    }

    /// With `greets` it waits until HTTP/2 is established.
    async fn attempt(
        &self,
        destination: &Destination,
        http2: &Http2Options,
        greets: bool,
    ) -> Result<(Driver<Greeting>, Arc<Identity>), ConnectFailure> {
        let mut step = ConnectStep::Connect;
        let (security, identity) = match &destination.authority {
            None => (self.security.clone(), Arc::clone(&self.identity)),
            Some(authority) => self
                .naming
                .settle(authority)
                .map_err(ConnectFailure::authority)?,
        };
        let attempt = async {
            let stream = self.stream(&destination.address);
            let io = stream.await.map_err(ConnectFailure::connect)?;
            let io = match &security {
                Security::Insecure => io,
                #[cfg(feature = "tls")]
                Security::Tls { config, name } => {
                    step = ConnectStep::Tls;
                    let config = config
                        .current()
                        .map_err(tls::HandshakeError::of_credentials);
                    let config = config.map_err(ConnectFailure::handshake)?;
                    let secured = tls::connect(&config, name, io).await;
                    secured.map_err(ConnectFailure::handshake)?
                }
            };
            let driver = Greeting::over(io, http2);
            if !greets {
                return Ok(driver);
            }
            step = ConnectStep::Http2;
            greeting::established(driver)
                .await
                .map_err(ConnectFailure::closed)
        };
        let connected = tokio::time::timeout(self.timeout, attempt).await;
        let driver =
            connected.unwrap_or_else(|_| Err(ConnectFailure::timeout(step, self.timeout)))?;
        Ok((driver, identity))
    }

    async fn stream(&self, address: &Address) -> io::Result<Io> {
        match (&self.connects, address) {
            (Connects::Function(connect), _) => Ok(connect()),
            (Connects::Own(connector), _) => {
                let connected = connector::connect(&**connector, address).await;
                connected.map(ByteStream::into_io)
            }
            (Connects::Proxy(proxy), Address::Tcp(_) | Address::Other(_)) => {
                proxy.connect(&address.to_string()).await.map(Io::Tcp)
            }
            (Connects::Sockets, Address::Tcp(address)) => {
                let stream = TcpStream::connect(address).await?;
                // Requests are written whole, so waiting to fill a segment only delays
                // them. If this fails, reading from the socket fails too.
                let _ = stream.set_nodelay(true);
                Ok(Io::Tcp(stream))
            }
            #[cfg(unix)]
            (Connects::Sockets | Connects::Proxy(_), Address::Unix(path)) => {
                UnixStream::connect(path).await.map(Io::Unix)
            }
            #[cfg(target_os = "linux")]
            (Connects::Sockets | Connects::Proxy(_), Address::UnixAbstract(name)) => {
                use std::os::unix::ffi::OsStrExt;
                // tokio's form of the address, which connects without blocking.
                let name = [b"\0", name.as_slice()].concat();
                let path = std::ffi::OsStr::from_bytes(&name);
                UnixStream::connect(path).await.map(Io::Unix)
            }
            _ => Err(unsupported(address)),
        }
    }
}

/// The address in the form that observers get.
fn peer_of(address: &Address) -> PeerAddress {
    match address {
        Address::Tcp(address) => PeerAddress::Tcp(*address),
        Address::Unix(_) | Address::UnixAbstract(_) => PeerAddress::Unix,
        Address::Other(name) => PeerAddress::Other(Arc::clone(name)),
    }
}

fn unsupported(address: &Address) -> io::Error {
    let text = match address {
        Address::Other(_) => {
            "only a connector (ChannelBuilder::connector) can connect to this address"
        }
        _ => "this system has no sockets of this kind",
    };
    io::Error::new(io::ErrorKind::Unsupported, text)
}

#[cfg(test)]
mod tests;
