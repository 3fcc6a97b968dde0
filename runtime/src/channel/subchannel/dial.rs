//! Making one connection to a target, at whichever of its addresses answers. Whether and when
//! to try again is the lifecycle's decision.

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

/// An attempt to connect to an address may take so long unless it is said (gRPC's
/// minimum connect timeout).
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// What makes a channel's byte streams.
#[derive(Clone)]
pub(crate) enum Connects {
    /// Sockets of the system.
    Sockets,
    /// Tunnels of a proxy's.
    Proxy(Proxy),
    /// A connector of the user's own.
    Own(Arc<dyn ConnectsTo>),
    /// A function: the in-process transport.
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

/// How a channel gets its byte streams.
#[derive(Clone, Debug)]
pub(crate) struct Dial {
    connects: Connects,
    naming: Naming,
    /// Of the channel's own authority.
    security: Security,
    identity: Arc<Identity>,
    /// For each address, TLS and HTTP/2 included.
    timeout: Duration,
    /// What errors and logs call the other side.
    name: String,
    /// The name is not that of an address.
    is_name: bool,
    observers: Observers,
}

/// A connection that was made.
#[derive(Debug)]
pub(super) struct Dialled {
    greeting: Box<Driver<Greeting>>,
    destination: Destination,
    identity: Arc<Identity>,
    socket: SocketRecord,
    observation: Option<Box<Observation>>,
}

impl Dialled {
    /// The connection with its calls, kept up as it is said, and where it leads. Inlined:
    /// where it is not, the compiler lays a call's road out worse.
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
        // It is large, and whoever drives it has room for it in each turn otherwise.
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

    /// Of those of its connections that lead to endpoints without an authority.
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
    /// Calls go out with the first bytes of a connection, which saves them a way
    /// there and back. But where another address might do instead, HTTP/2 has to
    /// be agreed on first: what is sent cannot be taken back.
    ///
    /// Errors are `UNAVAILABLE`, with each address's cause once in the text, and
    /// that of the attempt that came furthest as source.
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

    /// With `greets` it waits until HTTP/2 is agreed on.
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
                // Requests are written whole: waiting to fill a segment only
                // delays them. A socket that fails here fails again when read.
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
                // As tokio has it, which does not wait in the kernel.
                let name = [b"\0", name.as_slice()].concat();
                let path = std::ffi::OsStr::from_bytes(&name);
                UnixStream::connect(path).await.map(Io::Unix)
            }
            _ => Err(unsupported(address)),
        }
    }
}

/// As observers know it.
fn peer_of(address: &Address) -> PeerAddress {
    match address {
        Address::Tcp(address) => PeerAddress::Tcp(*address),
        Address::Unix(_) | Address::UnixAbstract(_) => PeerAddress::Unix,
        Address::Other(name) => PeerAddress::Other(Arc::clone(name)),
    }
}

fn unsupported(address: &Address) -> io::Error {
    let text = match address {
        Address::Other(_) => "only a Connector of the channel's own could connect to this",
        _ => "this system has no sockets of this kind",
    };
    io::Error::new(io::ErrorKind::Unsupported, text)
}

#[cfg(test)]
mod tests;
