//! A connection that was accepted and not admitted yet, as `on_accept` sees it. It has no
//! methods to read or write.

use std::fmt;

use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use crate::transport::PeerAddress;
use crate::transport::io::Io;

/// A connection that was accepted, or given to
/// [`Server::serve_stream`](crate::Server::serve_stream), before anything was read from
/// it: what [`ServerBuilder::on_accept`](crate::ServerBuilder::on_accept) is asked about.
pub struct Incoming<'a> {
    io: &'a Io,
    peer: &'a PeerAddress,
}

impl<'a> Incoming<'a> {
    pub(super) fn new(io: &'a Io, peer: &'a PeerAddress) -> Self {
        Self { io, peer }
    }

    /// Where its other end is, as [`Context::peer`](crate::Context::peer) tells handlers.
    pub fn peer(&self) -> &PeerAddress {
        self.peer
    }

    /// The socket, if it is TCP: for its options and its local address. Bytes read from it
    /// here are lost to the connection.
    pub fn tcp(&self) -> Option<&TcpStream> {
        match self.io {
            Io::Tcp(stream) => Some(stream),
            _ => None,
        }
    }

    /// The socket, where it is a Unix socket: for the credentials of the process at its
    /// other end (`peer_cred`), say.
    ///
    /// ```
    /// use grpc_runtime::Server;
    ///
    /// /// Lets in who runs as root.
    /// let server = Server::builder().on_accept(|incoming| {
    ///     let credentials = incoming.unix().and_then(|socket| socket.peer_cred().ok());
    ///     credentials.is_some_and(|credentials| credentials.uid() == 0)
    /// });
    /// # drop(server);
    /// ```
    #[cfg(unix)]
    pub fn unix(&self) -> Option<&UnixStream> {
        match self.io {
            Io::Unix(stream) => Some(stream),
            _ => None,
        }
    }
}

impl fmt::Debug for Incoming<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Incoming").field(self.peer).finish()
    }
}
