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

    /// Adds connections that are accepted elsewhere, for example by your listener, a tunnel
    /// or a virtual machine's sockets: each item of `stream` is one. The server treats them
    /// as connections that it accepted; see
    /// [`Server::serve_stream`](crate::Server::serve_stream), which takes single ones. The
    /// socket options among `options` have no effect: they are up to the stream.
    ///
    /// After an error item observers get [`accept_failed`](crate::Observer::accept_failed),
    /// and the next item is polled after a pause of 100 ms. If the stream ends or panics,
    /// the server goes on without it.
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

    /// Serves the connections of `stream`, without encryption, and those of all addresses
    /// added before, until the future is dropped. It goes on after the end of the stream,
    /// since connections last longer. See [`accept_from`](Self::accept_from).
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
