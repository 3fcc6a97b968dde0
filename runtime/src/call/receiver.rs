//! The receiving half of a call, for clients and servers. The peer gets flow-control credit
//! only for what the application has taken.

use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use prost::Message;

use super::state::CallState;
use super::validator::RequestValidator;
use crate::framing::{MessageReader, Side};
use crate::metadata::Metadata;
use crate::status::Status;

/// The most bytes consumed that are not yet reported to the call's state.
const TOLD: usize = 16 << 10;

/// Receives the messages of one call.
///
/// [`next`](Self::next) returns `Ok(Some(message))` for each message, then `Ok(None)` at
/// the stream's regular end, or the call's error: a failure never looks like an end. It is
/// also a [`Stream`] of results.
///
/// A client's `Receiver` that is dropped before the end cancels the call.
#[derive(Debug)]
pub struct Receiver<M> {
    state: Arc<CallState>,
    reader: MessageReader,
    max_message_size: usize,
    side: Side,
    /// Bytes consumed and not yet reported to the connection.
    consumed: usize,
    /// Bytes in the reader that are not yet counted as consumed.
    held: usize,
    ended: Option<Result<Metadata, Status>>,
    was_compressed: bool,
    /// Set on a server whose service validates its requests.
    validator: Option<Arc<RequestValidator>>,
    message: PhantomData<fn() -> M>,
}

impl<M: Message + Default> Receiver<M> {
    pub(crate) fn new(state: Arc<CallState>, max_message_size: usize, side: Side) -> Self {
        Self {
            state,
            reader: MessageReader::new(),
            max_message_size,
            side,
            consumed: 0,
            held: 0,
            ended: None,
            was_compressed: false,
            validator: None,
            message: PhantomData,
        }
    }

    /// Sets the validator of each message.
    pub(crate) fn validated_by(mut self, validator: Option<Arc<RequestValidator>>) -> Self {
        self.validator = validator;
        self
    }

    /// The next message; `None` after the last one.
    ///
    /// # Errors
    /// The call's status if it failed: the peer's status, `CANCELLED`, `DEADLINE_EXCEEDED`,
    /// `UNAVAILABLE` if the connection was lost, `RESOURCE_EXHAUSTED` for a message above
    /// the receive limit, `INTERNAL` for a message that cannot be decompressed or decoded.
    /// On a server also the status with which
    /// [`Service::validate_requests`](crate::Service::validate_requests) rejects a message.
    /// Further calls return the same error.
    ///
    /// Dropping the future loses no message.
    pub async fn next(&mut self) -> Result<Option<M>, Status> {
        poll_fn(|cx| self.poll_message(cx)).await
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<M>, Status>> {
        loop {
            if let Some(ended) = &self.ended {
                return Poll::Ready(ended.as_ref().map(|_| None).map_err(Clone::clone));
            }
            let limit = self.max_message_size.min(self.state.late_receive_size());
            if self.validator.is_some() {
                match self.next_validated(limit) {
                    Ok(None) => {}
                    Ok(message) => return Poll::Ready(Ok(message)),
                    Err(status) => return Poll::Ready(Err(self.fail(status))),
                }
            } else {
                match self.reader.next_message(limit) {
                    Ok(Some((message, wire_size, decompressed))) => {
                        self.took(wire_size, decompressed);
                        return Poll::Ready(Ok(Some(message)));
                    }
                    Ok(None) => {}
                    Err(error) => {
                        let status = error.into_status(self.side);
                        return Poll::Ready(Err(self.fail(status)));
                    }
                }
            }
            // The bytes left are part of a message that has not arrived completely.
            let before = self.reader.buffered();
            self.consumed += self.held.saturating_sub(before);
            self.held = before;
            let consumed = std::mem::take(&mut self.consumed);
            let awaits = self.reader.awaited_size();
            let ended = ready!(
                self.state
                    .poll_inbound(&mut self.reader, consumed, awaits, cx)
            );
            self.held += self.reader.buffered() - before;
            if let Some(ended) = ended {
                let ended = ended.and_then(|trailers| match self.reader.finish() {
                    Ok(()) => Ok(trailers),
                    Err(error) => Err(error.into_status(self.side)),
                });
                if self.side == Side::Client {
                    self.state.seen(ended.as_ref());
                }
                self.ended = Some(ended);
            }
        }
    }

    /// A message was taken, of these sizes on the wire and after decompression.
    #[inline]
    fn took(&mut self, wire_size: usize, decompressed: Option<usize>) {
        self.was_compressed = decompressed.is_some();
        if let Some(ledger) = self.state.ledger() {
            ledger.count_received(decompressed.unwrap_or(wire_size), wire_size);
        }
        self.consume(self.reader.buffered());
    }

    /// The next message, if it has arrived completely and the validator accepts it.
    #[cold]
    fn next_validated(&mut self, limit: usize) -> Result<Option<M>, Status> {
        let Some(validator) = self.validator.clone() else {
            return Ok(None);
        };
        let next = self.reader.next(limit);
        let Some(payload) = next.map_err(|error| error.into_status(self.side))? else {
            return Ok(None);
        };
        let (wire_size, is_compressed) = (payload.len(), payload.is_compressed());
        let (message, size) = validator.decode(payload)?;
        self.took(wire_size, is_compressed.then_some(size));
        Ok(Some(message))
    }

    /// Counts as consumed all bytes except the `left` ones that the reader still holds.
    fn consume(&mut self, left: usize) {
        self.consumed += self.held.saturating_sub(left);
        self.held = left.min(self.held);
        if self.consumed >= TOLD {
            self.state.consume(std::mem::take(&mut self.consumed));
        }
    }

    /// This side found an error, such as a message over the limit: a client ends the call.
    fn fail(&mut self, status: Status) -> Status {
        // On a server the handler returns the error, which ends the call.
        if self.side == Side::Client {
            self.state.give_up(status.clone());
            self.state.seen(Err(&status));
        }
        self.ended = Some(Err(status.clone()));
        status
    }
}

impl<M> Receiver<M> {
    /// The response's initial metadata, as soon as it arrives. On a server it is empty and
    /// returned at once: the request's metadata is
    /// [`Context::metadata`](crate::Context::metadata).
    ///
    /// # Errors
    /// The call's status if it failed before the response's head arrived.
    ///
    /// Dropping the future loses nothing.
    pub async fn initial_metadata(&mut self) -> Result<Metadata, Status> {
        if self.side == Side::Server {
            return Ok(Metadata::default());
        }
        poll_fn(|cx| self.state.poll_head(cx)).await
    }

    /// Whether the last message that [`next`](Self::next) returned arrived compressed.
    pub fn was_compressed(&self) -> bool {
        self.was_compressed
    }

    /// The trailing metadata; `None` until [`next`](Self::next) has returned `Ok(None)`.
    pub fn trailing_metadata(&self) -> Option<&Metadata> {
        match self.ended.as_ref()? {
            Ok(trailers) => Some(trailers),
            Err(status) => Some(status.metadata()),
        }
    }

    /// Cancels the call: the server's handler is dropped, and [`next`](Self::next) returns
    /// the messages that had already arrived, then `CANCELLED`.
    pub fn cancel(&mut self) {
        self.state.cancel();
    }
}

impl<M: Message + Default> Stream for Receiver<M> {
    type Item = Result<M, Status>;

    /// Like [`next`](Receiver::next), except that an error is returned once, followed by
    /// the stream's end.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if matches!(self.ended, Some(Err(_))) {
            return Poll::Ready(None);
        }
        self.poll_message(cx).map(Result::transpose)
    }
}

impl<M> Unpin for Receiver<M> {}

impl<M> Drop for Receiver<M> {
    fn drop(&mut self) {
        if self.side == Side::Client {
            if self.ended.is_none() {
                self.state.leave();
            }
            self.state.forget_inbound(self.held + self.consumed > 0);
        }
    }
}
