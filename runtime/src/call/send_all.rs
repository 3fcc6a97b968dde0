//! Sends a stream of messages through a sender, and makes the sender a [`Sink`]. A message
//! is taken from the stream only when there is room to send it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use futures_core::Stream;
use futures_sink::Sink;
use prost::Message;

use super::sender::Sender;
use crate::framing;
use crate::status::Status;

impl<M: Message> Sender<M> {
    /// Sends all messages of the stream `messages`, as fast as the peer accepts them. It
    /// does not end the call's stream: [`finish`](Self::finish) does.
    ///
    /// If a server answers with OK before it has all of them, this returns `Ok` at once,
    /// even while `messages` has nothing to give. The remaining messages are dropped.
    ///
    /// # Errors
    /// The errors of [`send`](Self::send), except that the end of the call with OK is not
    /// an error here.
    ///
    /// If `messages` is borrowed, dropping the future loses at most one message: the one
    /// that waits for room.
    ///
    /// ```
    /// # use grpc_runtime::{Sender, Status};
    /// # use futures_core::Stream;
    /// async fn upload(
    ///     mut requests: Sender<String>,
    ///     lines: impl Stream<Item = String>,
    /// ) -> Result<(), Status> {
    ///     requests.send_all(lines).await?;
    ///     requests.finish();
    ///     Ok(())
    /// }
    /// ```
    pub async fn send_all(&mut self, messages: impl Stream<Item = M>) -> Result<(), Status> {
        let mut messages = pin!(messages);
        while let Some(message) = self.next_of(messages.as_mut()).await {
            if !self.is_sent(message).await? {
                break;
            }
        }
        self.failure().map_or(Ok(()), Err)
    }

    /// Like [`send_all`](Self::send_all), for a stream whose items are results. Its first
    /// error ends the sending and leaves the call open: dropping the sender then cancels a
    /// client's call, and the handler's result ends a server's.
    ///
    /// # Errors
    /// The stream's first error, or those of [`send_all`](Self::send_all).
    ///
    /// ```
    /// # use grpc_runtime::{Receiver, Sender, Status};
    /// /// Passes on what another server answers.
    /// async fn relay(
    ///     from: &mut Receiver<String>,
    ///     to: &mut Sender<String>,
    /// ) -> Result<(), Status> {
    ///     to.try_send_all(from).await
    /// }
    /// ```
    pub async fn try_send_all<E: From<Status>>(
        &mut self,
        messages: impl Stream<Item = Result<M, E>>,
    ) -> Result<(), E> {
        let mut messages = pin!(messages);
        while let Some(message) = self.next_of(messages.as_mut()).await {
            if !self.is_sent(message?).await? {
                break;
            }
        }
        Ok(self.failure().map_or(Ok(()), Err)?)
    }

    /// The stream's next item; `None` once the stream or the call has ended.
    async fn next_of<S: Stream>(&self, mut messages: Pin<&mut S>) -> Option<S::Item> {
        poll_fn(|cx| match messages.as_mut().poll_next(cx) {
            Poll::Pending => self.state().poll_over(cx).map(|()| None),
            next @ Poll::Ready(_) => next,
        })
        .await
    }

    /// `false` if the call has ended with OK.
    async fn is_sent(&mut self, message: M) -> Result<bool, Status> {
        match self.send(message).await {
            Ok(()) => Ok(true),
            Err(_) if self.state().is_over() && self.failure().is_none() => Ok(false),
            Err(status) => Err(status),
        }
    }

    /// The status with which the call failed, if it has.
    fn failure(&self) -> Option<Status> {
        self.state().seen_so_far().1?.err()
    }
}

/// Ready while the stream has [room](Sender::send), flushed once everything was passed to
/// the connection for writing, closed by [`finish`](Sender::finish). Its errors are those
/// of [`Sender::send`].
///
/// Dropping the future that drives the sink loses no message that the sink has accepted.
impl<M: Message> Sink<M> for Sender<M> {
    type Error = Status;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.state().poll_room(cx).map_ok(|_| ())
    }

    fn start_send(self: Pin<&mut Self>, message: M) -> Result<(), Status> {
        let length = self.framed_len(&message)?;
        let encoding = self.state().encoding();
        if encoding.is_identity() {
            self.state().push(length, |buffer: &mut BytesMut| {
                framing::put_message(&message, length, buffer);
            });
            return Ok(());
        }
        self.push_compressed(&message, encoding)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.state().poll_sent(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        ready!(self.state().poll_sent(cx))?;
        self.close();
        Poll::Ready(Ok(()))
    }
}

impl<M> Unpin for Sender<M> {}
