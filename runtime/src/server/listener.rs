//! Listening sockets of a server: TCP and Unix behind one `accept`. It reads from no socket,
//! so a slow client does not delay the accept of others.

#[cfg(unix)]
mod unix;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

#[cfg(unix)]
use self::unix::UnixListener;
use super::error::ServerError;
use super::listen_options::SocketOptions;
use crate::transport::PeerAddress;
use crate::transport::io::Io;

/// The error for `unix:` addresses on systems without Unix sockets.
const NO_UNIX_SOCKETS: &str = "this system has no Unix sockets";

/// An address to listen on, as a server's user writes it.
#[derive(Debug)]
pub(crate) enum ListenAddress {
    Tcp(String),
    Unix(PathBuf),
    /// Bound by the user.
    Bound(BoundSocket),
}

/// A socket that is bound and listens: what
/// [`ServerBuilder::listen_on`](crate::ServerBuilder::listen_on) takes. It is made from
/// the standard library's listeners, TCP and Unix.
#[derive(Debug)]
pub struct BoundSocket(Bound);

#[derive(Debug)]
enum Bound {
    Tcp(std::net::TcpListener),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener),
}

impl From<std::net::TcpListener> for BoundSocket {
    fn from(listener: std::net::TcpListener) -> Self {
        Self(Bound::Tcp(listener))
    }
}

#[cfg(unix)]
impl From<std::os::unix::net::UnixListener> for BoundSocket {
    fn from(listener: std::os::unix::net::UnixListener) -> Self {
        Self(Bound::Unix(listener))
    }
}

impl Bound {
    fn address(&self) -> String {
        match self {
            Self::Tcp(listener) => listener
                .local_addr()
                .map_or_else(|_| String::new(), |address| address.to_string()),
            #[cfg(unix)]
            Self::Unix(listener) => unix::address_of(listener),
        }
    }

    fn listen(self, options: SocketOptions) -> io::Result<Listener> {
        match self {
            Self::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                let listener = TcpListener::from_std(listener)?;
                Ok(Listener::Tcp(listener, options))
            }
            #[cfg(unix)]
            Self::Unix(listener) => UnixListener::inherited(listener).map(Listener::Unix),
        }
    }
}

impl ListenAddress {
    pub(crate) fn parse(text: &str) -> Result<Self, ServerError> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() {
                return Err(invalid(text, "the path is empty"));
            }
            if !cfg!(unix) {
                return Err(invalid(text, NO_UNIX_SOCKETS));
            }
            return Ok(Self::Unix(path.into()));
        }
        if text.contains("://") {
            let reason = "it is a URL: write host:port, and ask for TLS by listen_with";
            return Err(invalid(text, reason));
        }
        let Some((host, port)) = text.rsplit_once(':') else {
            return Err(invalid(text, "the port is missing"));
        };
        if port.parse::<u16>().is_err() {
            return Err(invalid(text, "the port is not a number from 0 to 65535"));
        }
        if host.is_empty() || (host.contains(':') && !host.starts_with('[')) {
            return Err(invalid(
                text,
                "the host is empty or an IPv6 address without brackets",
            ));
        }
        Ok(Self::Tcp(text.to_owned()))
    }
}

fn invalid(address: &str, reason: &'static str) -> ServerError {
    ServerError::Address {
        address: address.to_owned(),
        reason,
    }
}

/// A bound socket.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener, SocketOptions),
    #[cfg(unix)]
    Unix(UnixListener),
}

impl Listener {
    pub(crate) async fn bind(
        address: ListenAddress,
        options: SocketOptions,
    ) -> Result<Self, ServerError> {
        match address {
            ListenAddress::Tcp(text) => match bind_tcp(&text, options).await {
                Ok(listener) => Ok(Self::Tcp(listener, options)),
                Err(source) => Err(ServerError::Bind {
                    address: text,
                    source,
                }),
            },
            #[cfg(unix)]
            ListenAddress::Unix(path) => {
                UnixListener::bind(&path)
                    .map(Self::Unix)
                    .map_err(|source| ServerError::Bind {
                        address: format!("unix:{}", path.display()),
                        source,
                    })
            }
            #[cfg(not(unix))]
            ListenAddress::Unix(path) => Err(invalid(
                &format!("unix:{}", path.display()),
                NO_UNIX_SOCKETS,
            )),
            ListenAddress::Bound(BoundSocket(bound)) => {
                let address = bound.address();
                let listener = bound.listen(options);
                listener.map_err(|source| ServerError::Bind { address, source })
            }
        }
    }

    /// The address with its actual port, or a Unix socket's address in the form of `listen`.
    pub(crate) fn local_address(&self) -> String {
        match self {
            Self::Tcp(listener, _) => listener
                .local_addr()
                .map_or_else(|_| String::new(), |address| address.to_string()),
            #[cfg(unix)]
            Self::Unix(listener) => listener.local_address(),
        }
    }

    pub(crate) async fn accept(&self) -> io::Result<(Io, PeerAddress)> {
        match self {
            Self::Tcp(listener, options) => {
                let (stream, address) = listener.accept().await?;
                prepare(&stream, *options);
                Ok((Io::Tcp(stream), PeerAddress::Tcp(address)))
            }
            #[cfg(unix)]
            Self::Unix(listener) => {
                let stream = listener.accept().await?;
                Ok((Io::Unix(stream), PeerAddress::Unix))
            }
        }
    }
}

/// On a machine without IPv6 `[::]` means every address there is.
async fn bind_tcp(address: &str, options: SocketOptions) -> io::Result<TcpListener> {
    let error = match bind_first(address, options).await {
        Ok(listener) => return Ok(listener),
        Err(error) => error,
    };
    match address.strip_prefix("[::]:") {
        // If IPv4 is not available either, the first error explains more.
        Some(port) if may_lack_ipv6(&error) => bind_first(&format!("0.0.0.0:{port}"), options)
            .await
            .or(Err(error)),
        _ => Err(error),
    }
}

/// On the first of a name's addresses that can be had.
async fn bind_first(address: &str, options: SocketOptions) -> io::Result<TcpListener> {
    let mut failure = None;
    for address in tokio::net::lookup_host(address).await? {
        match bind_one(address, options) {
            Ok(listener) => return Ok(listener),
            Err(error) => failure = Some(error),
        }
    }
    let none = || io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    Err(failure.unwrap_or_else(none))
}

fn bind_one(address: SocketAddr, options: SocketOptions) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // On other systems it would let another program listen on the address too.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    if options.shares_port {
        share_port(&socket)?;
    }
    socket.bind(address)?;
    socket.listen(options.backlog)
}

#[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
fn share_port(socket: &TcpSocket) -> io::Result<()> {
    socket.set_reuseport(true)
}

#[cfg(not(all(unix, not(any(target_os = "solaris", target_os = "illumos")))))]
fn share_port(_socket: &TcpSocket) -> io::Result<()> {
    let text = "this system has no SO_REUSEPORT";
    Err(io::Error::new(io::ErrorKind::Unsupported, text))
}

/// A socket that fails here fails again when read.
fn prepare(stream: &TcpStream, options: SocketOptions) {
    // Answers are written whole: waiting to fill a segment only delays them.
    let _ = stream.set_nodelay(options.has_nodelay);
    if let Some(time) = options.keepalive {
        let keepalive = TcpKeepalive::new().with_time(time).with_interval(time);
        let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive);
    }
}

/// The error for a missing address family differs from system to system, and some of these
/// errors have no [`io::ErrorKind`]. Errors about the port are the same everywhere; a
/// fallback to IPv4 after one of them would silently listen on half of the addresses.
fn may_lack_ipv6(error: &io::Error) -> bool {
    !matches!(
        error.kind(),
        io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied
    )
}

#[cfg(test)]
mod tests;
