//! The byte streams that a connection can run on, as one type, so that the layers above are
//! not generic over the socket.

pub(crate) mod byte_stream;
#[cfg(feature = "tls")]
pub(crate) mod tls;

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use super::peer_address::PeerAddress;

/// One end of a byte stream.
#[derive(Debug)]
pub(crate) enum Io {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    /// Both ends live in this process.
    Memory(DuplexStream),
    /// A user's stream.
    Own(Box<byte_stream::Own>),
    /// Encrypted, over one of the others.
    #[cfg(feature = "tls")]
    Tls(Box<tls::EncryptedStream>),
}

impl Io {
    /// The address of the other end; `None` for a socket that has lost it.
    pub(crate) fn peer(&self) -> Option<PeerAddress> {
        match self {
            Self::Tcp(stream) => stream.peer_addr().ok().map(PeerAddress::Tcp),
            #[cfg(unix)]
            Self::Unix(_) => Some(PeerAddress::Unix),
            Self::Memory(_) => Some(PeerAddress::InProcess),
            Self::Own(stream) => Some(stream.peer()),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.peer(),
        }
    }

    /// Its own address, if it is a TCP socket.
    pub(crate) fn local(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.local_addr().ok(),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.local(),
            _ => None,
        }
    }

    /// Whether TLS protects it.
    pub(crate) fn is_encrypted(&self) -> bool {
        match self {
            #[cfg(feature = "tls")]
            Self::Tls(_) => true,
            _ => false,
        }
    }

    /// Whether written bytes wait for a flush. Sockets keep none. TLS keeps records that its
    /// socket did not take. A user's stream may keep any, so each write to it needs a flush.
    pub(crate) fn wants_flush(&self) -> bool {
        match self {
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.wants_flush(),
            Self::Own(stream) => stream.wants_flush(),
            _ => false,
        }
    }

    /// Whether a flush must come before the next write: TLS would accept more bytes although
    /// its socket is full.
    pub(crate) fn holds_back(&self) -> bool {
        match self {
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.holds_back(),
            _ => false,
        }
    }
}

/// Runs the same poll on each kind of stream.
macro_rules! on_stream {
    ($io:expr, $stream:ident => $poll:expr) => {
        match $io.get_mut() {
            Io::Tcp($stream) => $poll,
            #[cfg(unix)]
            Io::Unix($stream) => $poll,
            Io::Memory($stream) => $poll,
            Io::Own($stream) => $poll,
            #[cfg(feature = "tls")]
            Io::Tls($stream) => $poll,
        }
    };
}

impl AsyncRead for Io {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        on_stream!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Io {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        on_stream!(self, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        on_stream!(self, stream => Pin::new(stream).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
