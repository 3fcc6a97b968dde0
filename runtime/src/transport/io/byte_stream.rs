//! A user's byte stream, for a connector or a server.

use std::fmt;
use std::io::{self, IoSlice};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use super::Io;
use crate::transport::peer_address::PeerAddress;

/// A stream of bytes that HTTP/2 runs over: a tokio socket, or anything else that implements
/// `AsyncRead` and `AsyncWrite`, such as a vsock, a tunnel or a WebSocket.
///
/// A channel's [`Connector`](crate::Connector) returns them, and
/// [`Server::serve_stream`](crate::Server::serve_stream) serves them. For a TCP socket
/// `TCP_NODELAY` is set, as on the runtime's own sockets.
///
/// ```
/// use grpc_runtime::ByteStream;
///
/// let (near, far) = tokio::io::duplex(64 << 10);
/// let named = ByteStream::new(near, "a pipe of my own");
/// let plain = ByteStream::from(far);
/// # drop((named, plain));
/// ```
pub struct ByteStream(Io);

trait ReadWrite: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ReadWrite for S {}

/// A stream whose type is erased.
pub(crate) struct Own {
    stream: Box<dyn ReadWrite>,
    peer: Arc<str>,
    /// Bytes were written and not flushed yet.
    is_dirty: bool,
    /// The stream has panicked.
    is_broken: bool,
}

const PANICKED: &str = "the byte stream panicked";

impl ByteStream {
    /// A byte stream over any stream. `peer` names the other end in logs, errors and
    /// [`Context::peer`](crate::Context::peer). The runtime flushes when there is no more to
    /// write. A panic of the stream counts as an I/O error: it ends the connection only.
    pub fn new(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        peer: impl Into<Arc<str>>,
    ) -> Self {
        Self(Io::Own(Box::new(Own {
            stream: Box::new(stream),
            peer: peer.into(),
            is_dirty: false,
            is_broken: false,
        })))
    }

    pub(crate) fn into_io(self) -> Io {
        self.0
    }
}

impl From<TcpStream> for ByteStream {
    fn from(stream: TcpStream) -> Self {
        // A socket that fails here fails again when it is read.
        let _ = stream.set_nodelay(true);
        Self(Io::Tcp(stream))
    }
}

#[cfg(unix)]
impl From<UnixStream> for ByteStream {
    fn from(stream: UnixStream) -> Self {
        Self(Io::Unix(stream))
    }
}

impl From<DuplexStream> for ByteStream {
    fn from(stream: DuplexStream) -> Self {
        Self(Io::Memory(stream))
    }
}

impl fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ByteStream").field(&self.0).finish()
    }
}

impl Own {
    pub(super) fn peer(&self) -> PeerAddress {
        PeerAddress::Other(Arc::clone(&self.peer))
    }

    pub(super) fn wants_flush(&self) -> bool {
        self.is_dirty
    }

    /// Polls the stream. After a panic it is not polled again.
    fn ask<T>(
        &mut self,
        poll: impl FnOnce(Pin<&mut dyn ReadWrite>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if self.is_broken {
            return Poll::Ready(Err(io::Error::other(PANICKED)));
        }
        let poll = || poll(Pin::new(&mut *self.stream));
        catch_unwind(AssertUnwindSafe(poll)).unwrap_or_else(|_| {
            self.is_broken = true;
            Poll::Ready(Err(io::Error::other(PANICKED)))
        })
    }

    fn wrote(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.is_dirty |= matches!(written, Poll::Ready(Ok(1..)));
        written
    }
}

impl AsyncRead for Own {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.ask(|stream| stream.poll_read(cx, buf))
    }
}

impl AsyncWrite for Own {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = self.ask(|stream| stream.poll_write(cx, buf));
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.ask(|stream| stream.poll_write_vectored(cx, bufs));
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.ask(|stream| stream.poll_flush(cx));
        self.is_dirty &= flushed.is_pending();
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.ask(|stream| stream.poll_shutdown(cx))
    }
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Own").field(&self.peer).finish()
    }
}
