//! Where a server listens: TCP and Unix sockets under one accept. It must never
//! read from a socket: a slow client holds up nobody's accept.

use std::io;
use std::path::{Path, PathBuf};

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

use super::error::ServerError;
use crate::transport::PeerAddress;
use crate::transport::io::Io;

/// An address to listen on, as a server's user writes it.
#[derive(Debug)]
pub(crate) enum ListenAddress {
    Tcp(String),
    Unix(PathBuf),
    /// Bound by the user.
    Bound(std::net::TcpListener),
}

impl ListenAddress {
    pub(crate) fn parse(text: &str) -> Result<Self, ServerError> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() {
                return Err(invalid(text, "the path is empty"));
            }
            if !cfg!(unix) {
                return Err(invalid(text, "this system has no Unix sockets"));
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
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener, SocketFile),
}

impl Listener {
    pub(crate) async fn bind(address: ListenAddress) -> Result<Self, ServerError> {
        match address {
            ListenAddress::Tcp(text) => match bind_tcp(&text).await {
                Ok(listener) => Ok(Self::Tcp(listener)),
                Err(source) => Err(ServerError::Bind {
                    address: text,
                    source,
                }),
            },
            ListenAddress::Unix(path) => bind_unix(path),
            ListenAddress::Bound(listener) => {
                let address = listener
                    .local_addr()
                    .map_or_else(|_| String::new(), |a| a.to_string());
                listener
                    .set_nonblocking(true)
                    .and_then(|()| TcpListener::from_std(listener))
                    .map(Self::Tcp)
                    .map_err(|source| ServerError::Bind { address, source })
            }
        }
    }

    /// The address with its real port, or `unix:` and the path.
    pub(crate) fn local_address(&self) -> String {
        match self {
            Self::Tcp(listener) => listener
                .local_addr()
                .map_or_else(|_| String::new(), |address| address.to_string()),
            #[cfg(unix)]
            Self::Unix(_, file) => format!("unix:{}", file.0.display()),
        }
    }

    pub(crate) async fn accept(&self) -> io::Result<(Io, PeerAddress)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                // Answers are written whole: waiting to fill a segment only
                // delays them. A socket that fails here fails again when read.
                let _ = stream.set_nodelay(true);
                Ok((Io::Tcp(stream), PeerAddress::Tcp(address)))
            }
            #[cfg(unix)]
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok((Io::Unix(stream), PeerAddress::Unix))
            }
        }
    }
}

/// On a machine without IPv6 `[::]` means every address there is.
async fn bind_tcp(address: &str) -> io::Result<TcpListener> {
    match (
        TcpListener::bind(address).await,
        address.strip_prefix("[::]:"),
    ) {
        (Err(error), Some(port))
            if matches!(
                error.kind(),
                io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported
            ) || error.raw_os_error() == Some(EAFNOSUPPORT) =>
        {
            TcpListener::bind(format!("0.0.0.0:{port}")).await
        }
        (result, _) => result,
    }
}

/// Linux's number; elsewhere the error kinds above are what is reported.
const EAFNOSUPPORT: i32 = 97;

/// A Unix socket's file, removed when the server stops listening.
#[derive(Debug)]
pub(crate) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(unix)]
fn bind_unix(path: PathBuf) -> Result<Listener, ServerError> {
    let error = |source| ServerError::Bind {
        address: format!("unix:{}", path.display()),
        source,
    };
    remove_stale_socket(&path).map_err(error)?;
    let listener = UnixListener::bind(&path).map_err(error)?;
    Ok(Listener::Unix(listener, SocketFile(path)))
}

#[cfg(not(unix))]
fn bind_unix(path: PathBuf) -> Result<Listener, ServerError> {
    Err(invalid(
        &path.display().to_string(),
        "this system has no Unix sockets",
    ))
}

/// A socket file that nobody listens on is left over from a process that was
/// killed; anything else at that path is not ours to remove.
#[cfg(unix)]
fn remove_stale_socket(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt;
    use std::os::unix::net::UnixStream;
    match std::fs::symlink_metadata(path) {
        Ok(file) if file.file_type().is_socket() => match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                std::fs::remove_file(path)
            }
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}
