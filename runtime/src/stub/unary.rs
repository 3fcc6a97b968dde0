//! A unary call of a stub: one request, one response. It returns a message only if the
//! call's status is OK.

use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use prost::Message;

use super::call::{Call, call_options};
use crate::call::state::CallState;
use crate::channel::Channel;
use crate::framing::{self, Payload, Side};
use crate::metadata::Metadata;
use crate::method::Method;
use crate::status::{Code, Status};

/// A unary call that has not started. Set its options, then `.await` it for the message,
/// call [`response`](Self::response) for the metadata too, or [`wait`](Self::wait) on a
/// thread without a runtime.
#[derive(Debug)]
#[must_use = "a call starts when it is awaited"]
pub struct UnaryCall<R> {
    call: Call,
    message: PhantomData<fn() -> R>,
}

/// A response message with its metadata.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Response<M> {
    /// The message.
    pub message: M,
    /// The response's initial metadata, which the server sent before the message.
    pub initial_metadata: Metadata,
    /// The response's trailing metadata, which the server sent after the message.
    pub trailing_metadata: Metadata,
    /// Whether the message arrived [compressed](crate::Compression).
    pub was_compressed: bool,
}

impl<R: Message + Default> UnaryCall<R> {
    /// A call of `method` with `request`. Generated code uses this.
    pub fn new(channel: &Channel, method: Method, request: &impl Message) -> Self {
        Self {
            call: Call::with_request(channel, method, request),
            message: PhantomData,
        }
    }

    call_options!();

    /// Starts the call; the future returns the message with its metadata.
    ///
    /// # Errors
    /// The server's status, or one of the runtime: `DEADLINE_EXCEEDED` after the deadline,
    /// `UNAVAILABLE` if there is no connection or it was lost, `RESOURCE_EXHAUSTED` for a
    /// message over a limit, `INTERNAL` for a response that breaks the protocol. Dropping
    /// the future cancels the call.
    pub fn response(self) -> ResponseFuture<R> {
        ResponseFuture::new(self.call.start().state)
    }
}

impl<R: Message + Default> IntoFuture for UnaryCall<R> {
    type Output = Result<R, Status>;
    type IntoFuture = UnaryFuture<R>;

    fn into_future(self) -> UnaryFuture<R> {
        UnaryFuture(self.response())
    }
}

/// A unary call that has started; resolves to the message. Dropping it cancels the call.
#[derive(Debug)]
pub struct UnaryFuture<R>(ResponseFuture<R>);

impl<R: Message + Default> Future for UnaryFuture<R> {
    type Output = Result<R, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(cx)
            .map_ok(|response| response.message)
    }
}

/// A unary call that has started; resolves to the message with its metadata. Dropping it
/// cancels the call.
#[derive(Debug)]
pub struct ResponseFuture<R> {
    state: Arc<CallState>,
    done: bool,
    message: PhantomData<fn() -> R>,
}

impl<R> ResponseFuture<R> {
    pub(crate) fn cancel(&self) {
        self.state.cancel();
    }

    /// The response of a started call: dropping the future cancels the call.
    pub(crate) fn new(state: Arc<CallState>) -> Self {
        Self {
            state,
            done: false,
            message: PhantomData,
        }
    }
}

impl<R: Message + Default> Future for ResponseFuture<R> {
    type Output = Result<Response<R>, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (initial_metadata, payload, ended) = ready!(self.state.poll_response(cx));
        self.done = true;
        let wire_size = payload.as_ref().map(Payload::len);
        let mut size = None;
        let result = ended.and_then(|trailing_metadata| {
            let payload = payload
                .ok_or_else(|| Status::new(Code::Internal, "the answer has already been taken"))?;
            let was_compressed = payload.is_compressed();
            let message = match framing::decode_message(payload) {
                Ok((message, decoded)) => {
                    size = Some(decoded);
                    message
                }
                Err(error) => {
                    let status = error.into_status(Side::Client);
                    return Err(status.with_initial_metadata(initial_metadata));
                }
            };
            Ok(Response {
                message,
                initial_metadata,
                trailing_metadata,
                was_compressed,
            })
        });
        if let Some(ledger) = self.state.ledger() {
            match (size, wire_size) {
                (Some(size), Some(wire_size)) => ledger.count_received_one(size, wire_size),
                (None, Some(wire_size)) => ledger.received.set_one(wire_size),
                (_, None) => {}
            }
            match &result {
                Ok(response) => {
                    ledger.close(&response.initial_metadata, Ok(&response.trailing_metadata));
                }
                Err(status) => ledger.close(status.initial_metadata(), Err(status)),
            }
        }
        Poll::Ready(result)
    }
}

impl<R> Drop for ResponseFuture<R> {
    fn drop(&mut self) {
        if !self.done {
            self.state.leave();
        }
    }
}
