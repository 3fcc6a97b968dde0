//! A channel to a server of the same process: both sides use real connections over a pipe
//! in memory, with the same deadlines, cancellation, flow control and limits as over a
//! socket. It uses both the channel and the server modules, which do not depend on each
//! other.

use std::sync::Arc;

use crate::channel::{Channel, ChannelBuilder, Connects};
use crate::clock;
use crate::server::{Peer, ServerBuilder, ServerError, serve_connection};
use crate::transport::PeerAddress;
use crate::transport::io::Io;

/// The pipe's capacity each way, in bytes.
const PIPE: usize = 64 << 10;

impl Channel {
    /// A channel to `server`'s services, without a socket. Addresses set on the builder are
    /// ignored: the server does not listen.
    ///
    /// The server's end runs on the runtime of the channel, from the first call
    /// until the last clone of the channel is dropped. The pipe is not encrypted,
    /// so calls carry only credentials that allow that.
    ///
    /// # Errors
    /// [`ServerError`] if two services have the same name.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use grpc_runtime::{Channel, Server};
    ///
    /// let channel = Channel::in_process(Server::builder())?;
    /// # drop(channel);
    /// # Ok(())
    /// # }
    /// ```
    pub fn in_process(server: ServerBuilder) -> Result<Self, ServerError> {
        let (shared, http2) = server.into_shared()?;
        let connect = move || {
            let (near, far) = tokio::io::duplex(PIPE);
            let peer = Peer::at(PeerAddress::InProcess);
            let io = Io::Memory(far);
            let (shared, http2) = (Arc::clone(&shared), http2.clone());
            tokio::spawn(serve_connection(io, peer, shared, http2, clock::now()).run());
            Io::Memory(near)
        };
        let connects = Connects::Function(Arc::new(connect));
        Ok(ChannelBuilder::over(connects, "in-process").build_plain())
    }
}
