//! The blocking twins of the four shapes, for threads without a runtime. The
//! calls are the same; only the waiting differs. It must never block a thread
//! that a runtime needs.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use prost::Message;
use tokio::runtime::{Handle, RuntimeFlavor};

use super::client_streaming::ClientStream;
use super::unary::Response;
use crate::call::receiver::Receiver;
use crate::call::sender::Sender;
use crate::status::{Code, Status};

/// Blocks this thread until `future` is ready. On a worker of a multi-threaded
/// runtime its other tasks are moved away first; on a single-threaded runtime
/// there is nowhere to move them, and that is an error.
pub(super) fn block_on<F: Future>(future: F) -> Result<F::Output, Status> {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Err(_) => Ok(park_on(future)),
        Ok(RuntimeFlavor::MultiThread) => Ok(tokio::task::block_in_place(|| park_on(future))),
        Ok(_) => Err(Status::new(
            Code::FailedPrecondition,
            "wait() would block the only thread of this tokio runtime, and with it the call's own \
             connection: use .await here, or call it from a thread of its own",
        )),
    }
}

fn park_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
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
    pub(super) fn new(receiver: Receiver<R>) -> Self {
        Self {
            receiver,
            failed: false,
        }
    }

    /// The async half, with metadata and cancellation.
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

/// The sending half of a call, which blocks while there is no room. Dropped
/// unfinished, it cancels the call.
#[derive(Debug)]
pub struct BlockingSender<Q> {
    sender: Sender<Q>,
}

impl<Q: Message> BlockingSender<Q> {
    pub(super) fn new(sender: Sender<Q>) -> Self {
        Self { sender }
    }

    /// Sends one message; see [`Sender::send`].
    ///
    /// # Errors
    /// The call's status if it has failed.
    pub fn send(&mut self, message: Q) -> Result<(), Status> {
        block_on(self.sender.send(message))?
    }

    /// Ends the stream in order.
    pub fn finish(self) {
        self.sender.finish();
    }
}

/// A client-streaming call under way, for a blocking thread. Dropped before
/// [`finish`](Self::finish), it cancels the call.
#[derive(Debug)]
pub struct BlockingClientStream<Q, R> {
    stream: ClientStream<Q, R>,
}

impl<Q: Message, R: Message + Default> BlockingClientStream<Q, R> {
    pub(super) fn new(stream: ClientStream<Q, R>) -> Self {
        Self { stream }
    }

    /// Sends one message; see [`Sender::send`].
    ///
    /// # Errors
    /// The call's status if it has failed.
    pub fn send(&mut self, message: Q) -> Result<(), Status> {
        block_on(self.stream.send(message))?
    }

    /// Ends the stream and gives the answer.
    ///
    /// # Errors
    /// The call's status.
    pub fn finish(self) -> Result<R, Status> {
        block_on(self.stream.finish())?
    }

    /// As [`finish`](Self::finish), with the answer's metadata.
    ///
    /// # Errors
    /// The call's status.
    pub fn response(self) -> Result<Response<R>, Status> {
        block_on(self.stream.response())?
    }
}
