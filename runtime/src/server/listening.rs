//! Where a server's connections come from, beside plain addresses: options of an address, and
//! streams of connections.

use std::io;

use futures_core::Stream;

use super::builder::ServerBuilder;
use super::connection_source::ConnectionSource;
use super::error::ServerError;
use super::listen_options::ListenOptions;
use super::listener::ListenAddress;
use crate::transport::ByteStream;

impl ServerBuilder {
    /// Adds an address as [`listen`](Self::listen) does, whose connections come in as
    /// `options` say.
    #[must_use]
    pub fn listen_with_options(mut self, address: impl AsRef<str>, options: ListenOptions) -> Self {
        let address = ListenAddress::parse(address.as_ref());
        self.addresses.push((address, options));
        self
    }

    /// Adds connections that something else accepts: a listener of your own, a tunnel, a
    /// virtual machine's sockets, each of the items that `stream` gives. They are
    /// connections of the server as those that it accepts; see
    /// [`Server::serve_stream`](crate::Server::serve_stream),
    /// which takes them one by one. Of `options` those of sockets, which are the stream's
    /// business, do nothing.
    ///
    /// An error among the items is told to observers as
    /// [`accept_failed`](crate::Observer::accept_failed), and after a pause of 100 ms the next is
    /// asked for. A stream that ends, or panics, gives no more; the server goes on.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::pin::Pin;
    /// use std::task::{Context, Poll};
    ///
    /// use futures_core::Stream;
    /// use grpc_runtime::{ListenOptions, Server};
    /// use tokio::net::{TcpListener, TcpStream};
    ///
    /// /// Those of a listener of one's own.
    /// struct Accepted(TcpListener);
    ///
    /// impl Stream for Accepted {
    ///     type Item = std::io::Result<TcpStream>;
    ///
    ///     fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
    ///         self.0.poll_accept(cx).map(|accepted| Some(accepted.map(|(stream, _)| stream)))
    ///     }
    /// }
    ///
    /// let accepted = Accepted(TcpListener::bind("127.0.0.1:0").await?);
    /// let server = Server::builder()
    ///     .accept_from(accepted, ListenOptions::new())
    ///     .start()
    ///     .await?;
    /// # drop(server);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn accept_from<S, C>(mut self, stream: S, options: impl Into<ListenOptions>) -> Self
    where
        S: Stream<Item = io::Result<C>> + Send + 'static,
        C: Into<ByteStream>,
    {
        let source = ConnectionSource::new(stream);
        self.sources.push((source, options.into()));
        self
    }

    /// Serves the connections that `stream` gives, without encryption, and those of all
    /// addresses added before, until the future is dropped: when the stream has ended,
    /// too, since connections last longer. See [`accept_from`](Self::accept_from).
    ///
    /// # Errors
    /// As [`start`](Self::start).
    #[doc(alias = "serve_with_incoming")]
    pub async fn serve_incoming<S, C>(self, stream: S) -> Result<(), ServerError>
    where
        S: Stream<Item = io::Result<C>> + Send + 'static,
        C: Into<ByteStream>,
    {
        let server = self.accept_from(stream, ListenOptions::new());
        server.start().await?.wait().await;
        Ok(())
    }
}
