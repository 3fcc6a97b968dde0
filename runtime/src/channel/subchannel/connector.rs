//! Byte streams made by a user's connector instead of TCP.

use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

use crate::channel::address::Address;
use crate::transport::ByteStream;

/// Makes the byte streams of a channel, instead of the system's sockets: through a proxy,
/// over a vsock, or to a server in a test.
///
/// [`ChannelBuilder::connector`](crate::ChannelBuilder::connector) sets a channel's
/// connector. It gets the addresses of the channel's target: those of the host, or for the
/// target `passthrough:///text` the text itself, without resolution ([`Address::Other`]).
/// The channel's credentials decide whether its streams are encrypted. It runs within the
/// channel's [connect timeout](crate::ChannelBuilder::connect_timeout), and is dropped
/// after that, or when another address was faster.
///
/// ```
/// use std::io;
///
/// use grpc_runtime::{Address, ByteStream, Connector};
/// use tokio::net::TcpStream;
///
/// /// All connections go through one tunnel.
/// struct Tunnel;
///
/// impl Connector for Tunnel {
///     async fn connect(&self, address: &Address) -> io::Result<ByteStream> {
///         let stream = TcpStream::connect("127.0.0.1:3128").await?;
///         // Here the tunnel is told where to go.
///         let _ = address.to_string();
///         Ok(stream.into())
///     }
/// }
/// ```
pub trait Connector: Send + Sync + 'static {
    /// Opens a stream to `address`. An error fails the attempt, like that of a socket:
    /// calls end with `UNAVAILABLE`; their message has the address and the error's text,
    /// and their source is the error. A panic counts as an error. It runs in the
    /// connection's task, so it must not block.
    fn connect(&self, address: &Address) -> impl Future<Output = io::Result<ByteStream>> + Send;
}

/// A [`Connector`] with its type erased.
pub(crate) trait ConnectsTo: Send + Sync {
    fn connect_boxed<'a>(
        &'a self,
        address: &'a Address,
    ) -> Pin<Box<dyn Future<Output = io::Result<ByteStream>> + Send + 'a>>;
}

impl<C: Connector> ConnectsTo for C {
    fn connect_boxed<'a>(
        &'a self,
        address: &'a Address,
    ) -> Pin<Box<dyn Future<Output = io::Result<ByteStream>> + Send + 'a>> {
        Box::pin(self.connect(address))
    }
}

/// Calls the connector. A panic becomes an error, so that it fails only this attempt.
pub(super) async fn connect(
    connector: &dyn ConnectsTo,
    address: &Address,
) -> io::Result<ByteStream> {
    let panicked = |_| io::Error::other("the connector panicked");
    let begin = || connector.connect_boxed(address);
    let mut future = catch_unwind(AssertUnwindSafe(begin)).map_err(panicked)?;
    poll_fn(|cx| {
        let poll = || future.as_mut().poll(cx);
        let polled = catch_unwind(AssertUnwindSafe(poll));
        polled.unwrap_or_else(|panic| Poll::Ready(Err(panicked(panic))))
    })
    .await
}
