//! The blocking forms of the four call shapes, for threads without a runtime. In a task of
//! a single-threaded runtime they return an error instead of blocking it.

use std::future::IntoFuture;

use prost::Message;

use super::bidi_streaming::BidiStreamingCall;
use super::client_streaming::{ClientStream, ClientStreamingCall};
use super::park::block_on;
use super::server_streaming::ServerStreamingCall;
use super::unary::{Response, ResponseFuture, UnaryCall};
use crate::call::receiver::Receiver;
use crate::call::sender::Sender;
use crate::metadata::Metadata;
use crate::status::Status;

impl<R: Message + Default> UnaryCall<R> {
    /// Makes the call and blocks this thread until it ends.
    ///
    /// # Errors
    /// The errors of [`response`](Self::response), and `INTERNAL` in a task of a
    /// single-threaded runtime or of a `LocalSet`, because blocking its only thread would
    /// stop it. Threads of `spawn_blocking` may block, whatever the runtime.
    pub fn wait(self) -> Result<R, Status> {
        block_on(self.into_future())?
    }
}

impl<R: Message + Default> ResponseFuture<R> {
    /// Blocks this thread until the call ends, for its message with metadata:
    /// `stub.say_hello(request).response().wait()`.
    ///
    /// # Errors
    /// As [`UnaryCall::wait`].
    pub fn wait(self) -> Result<Response<R>, Status> {
        block_on(self)?
    }
}

impl<R: Message + Default> ServerStreamingCall<R> {
    /// Starts the call; the iterator blocks this thread for each message.
    pub fn wait(self) -> BlockingReceiver<R> {
        BlockingReceiver::new(self.start())
    }
}

impl<Q: Message, R: Message + Default> ClientStreamingCall<Q, R> {
    /// Starts the call; sending and finishing block this thread.
    pub fn wait(self) -> BlockingClientStream<Q, R> {
        BlockingClientStream::new(self.start())
    }
}

impl<Q: Message, R: Message + Default> BidiStreamingCall<Q, R> {
    /// Starts the call; both halves block their threads.
    pub fn wait(self) -> (BlockingSender<Q>, BlockingReceiver<R>) {
        let (sender, receiver) = self.start();
        (BlockingSender::new(sender), BlockingReceiver::new(receiver))
    }
}

/// The receiving half of a call, as an iterator of results that blocks for each
/// message. After an error it ends. Dropping it before the end cancels the call.
#[derive(Debug)]
pub struct BlockingReceiver<R> {
    receiver: Receiver<R>,
    failed: bool,
}

impl<R: Message + Default> BlockingReceiver<R> {
    fn new(receiver: Receiver<R>) -> Self {
        Self {
            receiver,
            failed: false,
        }
    }

    /// Whether the last message arrived compressed; `false` before the first one.
    pub fn was_compressed(&self) -> bool {
        self.receiver.was_compressed()
    }

    /// The initial metadata of the response; blocks this thread until it
    /// arrives.
    ///
    /// # Errors
    /// As [`Receiver::initial_metadata`].
    pub fn initial_metadata(&mut self) -> Result<Metadata, Status> {
        block_on(self.receiver.initial_metadata())?
    }

    /// The trailing metadata; `None` until the iterator has returned `None`.
    pub fn trailing_metadata(&self) -> Option<&Metadata> {
        self.receiver.trailing_metadata()
    }

    /// Cancels the call: the server's handler is dropped, and the iterator gives the
    /// messages that had already arrived, then `CANCELLED`.
    pub fn cancel(&mut self) {
        self.receiver.cancel();
    }

    /// The async half.
    pub fn into_inner(self) -> Receiver<R> {
        self.receiver
    }
}

impl<R: Message + Default> Iterator for BlockingReceiver<R> {
    type Item = Result<R, Status>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = block_on(self.receiver.next())
            .and_then(|next| next)
            .transpose();
        self.failed = matches!(next, Some(Err(_)));
        next
    }
}

/// The sending half of a call, which blocks while the send buffer is full. Dropping it
/// before [`finish`](Self::finish) cancels the call.
#[derive(Debug)]
pub struct BlockingSender<Q> {
    sender: Sender<Q>,
}

impl<Q: Message> BlockingSender<Q> {
    fn new(sender: Sender<Q>) -> Self {
        Self { sender }
    }

    /// Sends one message; see [`Sender::send`].
    ///
    /// # Errors
    /// The call's status if it has failed; `CANCELLED` if it has ended with OK.
    pub fn send(&mut self, message: Q) -> Result<(), Status> {
        block_on(self.sender.send(message))?
    }

    /// Sends one message uncompressed even if the call's messages are compressed; see
    /// [`Sender::send_uncompressed`].
    ///
    /// # Errors
    /// The call's status if it has failed.
    pub fn send_uncompressed(&mut self, message: Q) -> Result<(), Status> {
        block_on(self.sender.send_uncompressed(message))?
    }

    /// Ends the stream in order: the server sees its end after the last message.
    pub fn finish(self) {
        self.sender.finish();
    }
}

/// A client-streaming call that has started, for a blocking thread. Dropping it before
/// [`finish`](Self::finish) cancels the call.
#[derive(Debug)]
pub struct BlockingClientStream<Q, R> {
    stream: ClientStream<Q, R>,
}

impl<Q: Message, R: Message + Default> BlockingClientStream<Q, R> {
    fn new(stream: ClientStream<Q, R>) -> Self {
        Self { stream }
    }

    /// Sends one message; see [`Sender::send`].
    ///
    /// # Errors
    /// The call's status if it has failed; `CANCELLED` if it has ended with OK.
    pub fn send(&mut self, message: Q) -> Result<(), Status> {
        block_on(self.stream.send(message))?
    }

    /// Sends one message uncompressed even if the call's messages are compressed; see
    /// [`Sender::send_uncompressed`].
    ///
    /// # Errors
    /// The call's status if it has failed.
    pub fn send_uncompressed(&mut self, message: Q) -> Result<(), Status> {
        block_on(self.stream.send_uncompressed(message))?
    }

    /// Cancels the call: the server's handler is dropped, and [`finish`](Self::finish)
    /// gives `CANCELLED`, unless the response has already arrived.
    pub fn cancel(&mut self) {
        self.stream.cancel();
    }

    /// Ends the stream, blocks until the response arrives and returns its message.
    ///
    /// # Errors
    /// The call's status.
    pub fn finish(self) -> Result<R, Status> {
        block_on(self.stream.finish())?
    }

    /// Like [`finish`](Self::finish), with the response's metadata.
    ///
    /// # Errors
    /// The call's status.
    pub fn response(self) -> Result<Response<R>, Status> {
        block_on(self.stream.response())?
    }
}
