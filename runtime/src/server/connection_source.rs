//! Connections that a program accepts itself and gives to a server as a stream.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::transport::ByteStream;
use crate::transport::io::Io;

/// A type-erased stream of connections.
pub(super) struct ConnectionSource(Option<Pin<Box<dyn Stream<Item = io::Result<Io>> + Send>>>);

/// Converts each item of the stream to an [`Io`].
struct Mapped<S>(Pin<Box<S>>);

impl<S, C> Stream for Mapped<S>
where
    S: Stream<Item = io::Result<C>>,
    C: Into<ByteStream>,
{
    type Item = io::Result<Io>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.0.as_mut().poll_next(cx);
        next.map(|item| item.map(|item| item.map(|stream| stream.into().into_io())))
    }
}

impl ConnectionSource {
    pub(super) fn new<S, C>(stream: S) -> Self
    where
        S: Stream<Item = io::Result<C>> + Send + 'static,
        C: Into<ByteStream>,
    {
        Self(Some(Box::pin(Mapped(Box::pin(stream)))))
    }

    /// Returns the next connection; `None` once the stream has ended. If the stream panics,
    /// returns an error, then `None`.
    pub(super) async fn accept(&mut self) -> Option<io::Result<Io>> {
        std::future::poll_fn(|cx| {
            let Some(stream) = &mut self.0 else {
                return Poll::Ready(None);
            };
            let next = catch_unwind(AssertUnwindSafe(|| stream.as_mut().poll_next(cx)));
            let next = next.unwrap_or_else(|_| {
                let error = io::Error::other("the stream of connections panicked");
                self.0 = None;
                Poll::Ready(Some(Err(error)))
            });
            if let Poll::Ready(None) = next {
                self.0 = None;
            }
            next
        })
        .await
    }
}

impl fmt::Debug for ConnectionSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnectionSource")
    }
}
