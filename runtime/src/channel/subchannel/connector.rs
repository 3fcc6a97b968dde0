//! Byte streams that a user's connector makes in place of TCP.

use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

use crate::channel::address::Address;
use crate::transport::ByteStream;

/// Makes the byte streams of a channel, in place of the system's sockets: through a
/// proxy, over a vsock, or to a server in a test.
///
/// [`ChannelBuilder::connector`](crate::ChannelBuilder::connector) gives one to a
/// channel. It gets the addresses that the channel's target leads to: those of the host,
/// or, of the target `passthrough:///text`, the text as it stands, which nobody looks up
/// ([`Address::Other`]). What it makes is encrypted as the channel's credentials say. It
/// runs within the channel's
/// [connect timeout](crate::ChannelBuilder::connect_timeout) and is dropped when that is
/// over, or when another address was faster.
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
    /// Makes a stream to `address`. An error fails the attempt, as that of a socket
    /// does: calls end with `UNAVAILABLE`, the address and the error's text, and have the
    /// error as their source. A panic is such an error. It runs in the task of the
    /// connection, so it must not block.
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

/// What a connector makes; an error where it panics, so that it ends this attempt alone.
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
