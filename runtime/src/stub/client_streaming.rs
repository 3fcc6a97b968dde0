//! A client-streaming call of a stub: a stream of requests, one response.

use std::marker::PhantomData;

use futures_core::Stream;
use prost::Message;

use super::call::{Call, call_options};
use super::unary::{Response, ResponseFuture};
use crate::call::sender::Sender;
use crate::channel::Channel;
use crate::method::Method;
use crate::status::Status;

/// A client-streaming call that has not started: set its options, then
/// [`start`](Self::start) it.
#[derive(Debug)]
#[must_use = "a call starts with `start`"]
pub struct ClientStreamingCall<Q, R> {
    call: Call,
    messages: PhantomData<fn(Q) -> R>,
}

impl<Q: Message, R: Message + Default> ClientStreamingCall<Q, R> {
    /// A call of `method`. Generated code uses this.
    pub fn new(channel: &Channel, method: Method) -> Self {
        Self {
            call: Call::new(channel, method),
            messages: PhantomData,
        }
    }

    call_options!();

    /// Starts the call and returns at once, without waiting for the server.
    pub fn start(self) -> ClientStream<Q, R> {
        let started = self.call.start();
        let sender = started.sender();
        ClientStream {
            sender,
            answer: ResponseFuture::new(started.state),
        }
    }
}

/// A client-streaming call that has started: [`send`](Self::send) messages, then
/// [`finish`](Self::finish) for the response. Dropping it before that cancels the call.
#[derive(Debug)]
pub struct ClientStream<Q, R> {
    /// Declared before `answer`, so it is dropped first: dropping it unfinished cancels the
    /// call.
    sender: Sender<Q>,
    answer: ResponseFuture<R>,
}

impl<Q: Message, R: Message + Default> ClientStream<Q, R> {
    /// Sends one message; waits as [`Sender::send`] does. After an error,
    /// [`finish`](Self::finish) still returns the response if the server gave one before it
    /// had all messages.
    ///
    /// # Errors
    /// The call's status if it has failed; `CANCELLED` if the server has answered with OK
    /// and accepts no more messages.
    ///
    /// ```
    /// # use grpc_runtime::{ClientStream, Status};
    /// async fn upload(mut call: ClientStream<String, String>) -> Result<String, Status> {
    ///     for sample in 0.. {
    ///         if call.send(sample.to_string()).await.is_err() {
    ///             break;
    ///         }
    ///     }
    ///     call.finish().await
    /// }
    /// ```
    pub async fn send(&mut self, message: Q) -> Result<(), Status> {
        self.sender.send(message).await
    }

    /// Sends one message uncompressed even if the call's messages are compressed; see
    /// [`Sender::send_uncompressed`].
    ///
    /// # Errors
    /// The call's status if it has failed.
    pub async fn send_uncompressed(&mut self, message: Q) -> Result<(), Status> {
        self.sender.send_uncompressed(message).await
    }

    /// Sends all messages of the stream `messages`; see [`Sender::send_all`].
    ///
    /// # Errors
    /// The call's status if it has failed.
    pub async fn send_all(&mut self, messages: impl Stream<Item = Q>) -> Result<(), Status> {
        self.sender.send_all(messages).await
    }

    /// Sends all messages of the stream `messages`, until its first error; see
    /// [`Sender::try_send_all`].
    ///
    /// # Errors
    /// The stream's first error; the call's status if it has failed.
    pub async fn try_send_all<E: From<Status>>(
        &mut self,
        messages: impl Stream<Item = Result<Q, E>>,
    ) -> Result<(), E> {
        self.sender.try_send_all(messages).await
    }

    /// Waits until the server accepts no more messages; see [`Sender::closed`].
    pub async fn closed(&mut self) {
        self.sender.closed().await;
    }

    /// Cancels the call: the server's handler is dropped, and [`finish`](Self::finish)
    /// gives `CANCELLED`, unless the response has already arrived.
    pub fn cancel(&mut self) {
        self.answer.cancel();
    }

    /// Ends the stream, waits for the response and returns its message.
    ///
    /// # Errors
    /// The call's status. Dropping the future cancels the call.
    pub async fn finish(self) -> Result<R, Status> {
        Ok(self.response().await?.message)
    }

    /// Like [`finish`](Self::finish), with the response's metadata.
    ///
    /// # Errors
    /// The call's status.
    pub async fn response(mut self) -> Result<Response<R>, Status> {
        self.sender.close();
        self.answer.await
    }
}
