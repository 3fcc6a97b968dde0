//! TLS between a socket and HTTP/2: handshakes, and the encrypted byte stream. The rustls
//! configurations decide whom to trust.

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, ClientConfig, InvalidMessage, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::Io;
use crate::transport::peer_address::PeerAddress;
use crate::transport::peer_identity::PeerIdentity;

/// The protocol's name in ALPN (RFC 9113 section 3.2).
pub(crate) const H2: &[u8] = b"h2";

/// Bytes read from a socket at a time. rustls alone reads 4 KiB at a time.
const READ_AHEAD: usize = 64 << 10;
/// Plaintext that is encrypted at a time: 16 full records in one `writev`.
const WRITE_LIMIT: usize = 256 << 10;
/// How long a failed handshake waits for the peer to close the connection.
const LINGER: Duration = Duration::from_secs(1);

thread_local! {
    /// The read-ahead buffer for the next connection that reads on this thread. An idle
    /// connection keeps none.
    static SPARE: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// The client's handshake: verifies the server and negotiates HTTP/2.
pub(crate) async fn connect(
    config: &Arc<ClientConfig>,
    name: &ServerName<'static>,
    io: Io,
) -> Result<Io, HandshakeError> {
    let stream = TlsConnector::from(Arc::clone(config))
        .connect_with(name.clone(), Ahead::new(io), |session| {
            session.set_buffer_limit(Some(WRITE_LIMIT));
        })
        .await
        .map_err(HandshakeError::new)?;
    agreed_on_h2(stream.get_ref().1.alpn_protocol(), "server")?;
    Ok(Io::Tls(Box::new(EncryptedStream(stream.into()))))
}

/// The server's handshake. Returns the client's verified identity too, if it was asked for a
/// certificate and showed one. A refused client gets a TLS alert.
pub(crate) async fn accept(
    config: &Arc<ServerConfig>,
    io: Io,
) -> Result<(Io, Option<Arc<PeerIdentity>>), HandshakeError> {
    let accepted = TlsAcceptor::from(Arc::clone(config))
        .accept_with(Ahead::new(io), |session| {
            session.set_buffer_limit(Some(WRITE_LIMIT));
        })
        .into_fallible()
        .await;
    let mut stream = match accepted {
        Ok(stream) => stream,
        Err((error, socket)) => {
            hang_up(socket).await;
            return Err(HandshakeError::new(error));
        }
    };
    if let Err(error) = agreed_on_h2(stream.get_ref().1.alpn_protocol(), "client") {
        hang_up(&mut stream).await;
        return Err(error);
    }
    let session = stream.get_ref().1;
    let chain = session.peer_certificates();
    let identity = chain.map(|chain| Arc::new(PeerIdentity::of(chain)));
    Ok((Io::Tls(Box::new(EncryptedStream(stream.into()))), identity))
}

/// Closes a connection so that the peer can read what was sent. Closing a socket with unread
/// input sends a reset, which discards sent bytes.
async fn hang_up(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let ended = async {
        stream.shutdown().await?;
        let mut rest = [0; 1 << 10];
        while stream.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    // Best effort: the result does not matter.
    let _ = tokio::time::timeout(LINGER, ended).await;
}

/// Checks that ALPN chose HTTP/2, the only protocol that gRPC uses.
fn agreed_on_h2(chosen: Option<&[u8]>, peer: &str) -> Result<(), HandshakeError> {
    let text = match chosen {
        Some(H2) => return Ok(()),
        Some(other) => format!(
            "the {peer} chose '{}' by ALPN; gRPC needs HTTP/2 ('h2')",
            other.escape_ascii()
        ),
        None => {
            format!("the {peer} did not agree on HTTP/2 by ALPN ('h2'), which gRPC needs")
        }
    };
    Err(HandshakeError { text, source: None })
}

/// Why a TLS handshake failed.
#[derive(Debug)]
pub(crate) struct HandshakeError {
    text: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl HandshakeError {
    pub(crate) fn new(error: io::Error) -> Self {
        let known = error.get_ref().and_then(|inner| inner.downcast_ref());
        let text = match known {
            Some(error) => describe(error),
            None if error.kind() == io::ErrorKind::UnexpectedEof => {
                "the connection was closed during the handshake".to_owned()
            }
            None => error.to_string(),
        };
        Self {
            text,
            source: Some(error.into()),
        }
    }

    /// The error of an established stream, if TLS failed.
    pub(crate) fn of_stream(error: &io::Error) -> Option<Self> {
        let error: &rustls::Error = error.get_ref()?.downcast_ref()?;
        Some(Self {
            text: describe(error),
            source: Some(error.clone().into()),
        })
    }

    /// The peer did not finish the handshake in this time.
    pub(crate) fn of_silence(limit: Duration) -> Self {
        Self::of_ours(format!("the handshake did not end within {limit:?}"))
    }

    /// This side ended the handshake.
    pub(crate) fn of_ours(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            source: None,
        }
    }

    /// This side has no certificates for the handshake.
    pub(crate) fn of_credentials(error: impl Error + Send + Sync + 'static) -> Self {
        Self {
            text: format!("this side cannot shake hands: {error}"),
            source: Some(error.into()),
        }
    }

    pub(crate) fn into_source(self) -> Option<Box<dyn Error + Send + Sync>> {
        self.source
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The text of a rustls error, with an explanation for someone who configures a channel.
fn describe(error: &rustls::Error) -> String {
    let hint = match error {
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "the peer does not speak TLS on this port"
        }
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "none of the trusted roots has signed it"
        }
        // Roots are found by their names.
        rustls::Error::InvalidCertificate(CertificateError::BadSignature) => {
            "a trusted root has its issuer's name and another key"
        }
        rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol) => {
            "the peer does not speak HTTP/2 ('h2')"
        }
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "the peer wants a certificate of this side"
        }
        rustls::Error::AlertReceived(AlertDescription::UnknownCA) => {
            "the peer does not trust who signed this side's certificate"
        }
        _ => return error.to_string(),
    };
    format!("{error} ({hint})")
}

/// An encrypted byte stream.
#[derive(Debug)]
pub(crate) struct EncryptedStream(TlsStream<Ahead>);

impl EncryptedStream {
    pub(super) fn local(&self) -> Option<SocketAddr> {
        self.0.get_ref().0.io.local()
    }

    pub(super) fn peer(&self) -> Option<PeerAddress> {
        self.0.get_ref().0.io.peer()
    }

    /// Whether there are records that the socket did not take.
    pub(super) fn holds_back(&self) -> bool {
        self.0.get_ref().1.wants_write()
    }

    /// Whether bytes wait for a flush, in records or in the stream below.
    pub(super) fn wants_flush(&self) -> bool {
        self.holds_back() || self.0.get_ref().0.io.wants_flush()
    }
}

impl AsyncRead for EncryptedStream {
    /// Fills `buf` from all records that have come: rustls returns one at a time.
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let start = buf.filled().len();
        loop {
            let before = buf.filled().len();
            match Pin::new(&mut self.0).poll_read(cx, buf) {
                // The connection ended without a TLS `close_notify`: HTTP/2 has its own
                // marks of completeness.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Poll::Ready(Ok(()));
                }
                // Return what was read before the error; the next read returns the error
                // again.
                Poll::Ready(Err(_)) | Poll::Pending if before > start => {
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Ok(())) => {}
                other => return other,
            }
            let full_or_end = buf.remaining() == 0 || buf.filled().len() == before;
            if full_or_end || self.0.get_ref().0.is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for EncryptedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// A socket that is read in large pieces, however few bytes its reader asks for.
#[derive(Debug)]
struct Ahead {
    io: Io,
    buffer: Box<[u8]>,
    /// Bytes that are read and not taken: `buffer[start..end]`.
    start: usize,
    end: usize,
}

impl Ahead {
    fn new(io: Io) -> Self {
        Self {
            io,
            buffer: Box::default(),
            start: 0,
            end: 0,
        }
    }

    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.buffer.is_empty() {
            let spare = SPARE.try_with(Cell::take).ok().flatten();
            self.buffer = spare.unwrap_or_else(|| vec![0; READ_AHEAD].into_boxed_slice());
        }
        let mut room = ReadBuf::new(&mut self.buffer);
        let read = Pin::new(&mut self.io).poll_read(cx, &mut room);
        (self.start, self.end) = (0, room.filled().len());
        read
    }

    /// Puts an empty buffer back for the next connection that wakes.
    fn spare(&mut self) {
        if self.is_empty() && !self.buffer.is_empty() {
            let buffer = std::mem::take(&mut self.buffer);
            // A thread that is ending drops the buffer.
            let _ = SPARE.try_with(|spare| spare.set(Some(buffer)));
        }
    }
}

impl AsyncRead for Ahead {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_empty() {
            let read = self.poll_fill(cx);
            if read.is_pending() {
                self.spare();
            }
            ready!(read)?;
        }
        let length = buf.remaining().min(self.end - self.start);
        buf.put_slice(&self.buffer[self.start..self.start + length]);
        self.start += length;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Ahead {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
