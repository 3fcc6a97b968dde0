//! The sending half of a call, for clients and servers. It waits only for the peer's flow
//! control.

use std::future::poll_fn;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::BytesMut;
use prost::Message;

use super::state::CallState;
use crate::framing::{self, Compression, Side};
use crate::status::{Code, Phase, Status};

/// Sends the messages of one call.
///
/// A server's handler gets `&mut Sender`, and its stream ends when the handler returns. A
/// client owns its `Sender` and ends the stream with [`finish`](Self::finish). Dropping a
/// client's `Sender` before that cancels the call, so that the server does not take a
/// broken-off stream for a complete one.
#[derive(Debug)]
pub struct Sender<M> {
    state: Arc<CallState>,
    max_message_size: usize,
    side: Side,
    /// Set by [`finish`](Self::finish). Dropping a client's sender before that cancels its
    /// call.
    finished: bool,
    message: PhantomData<fn(M)>,
}

impl<M: Message> Sender<M> {
    pub(crate) fn new(state: Arc<CallState>, max_message_size: usize, side: Side) -> Self {
        Self {
            state,
            max_message_size,
            side,
            finished: false,
            message: PhantomData,
        }
    }

    /// Sends one message. Waits while more than
    /// [`Http2Options::send_buffer`](crate::Http2Options::send_buffer) bytes of the stream
    /// wait for the peer's flow-control window.
    ///
    /// A server may answer before it has received all messages, and then accepts no more.
    /// So an error here need not be the call's result: the receiving side, or
    /// [`ClientStream::finish`](crate::ClientStream::finish), always returns that. Messages
    /// that were queued at that moment are dropped; [`closed`](Self::closed) waits for it.
    ///
    /// # Errors
    /// The call's status if it has failed, was cancelled or exceeded its deadline;
    /// `CANCELLED` if it has ended with OK; `RESOURCE_EXHAUSTED` if the message is above
    /// the send limit.
    ///
    /// Dropping the future before it is ready sends nothing.
    pub async fn send(&mut self, message: M) -> Result<(), Status> {
        let length = self.framed_len(&message)?;
        let put = |buffer: &mut BytesMut| framing::put_message(&message, length, buffer);
        match poll_fn(|cx| self.state.poll_push(length, put, cx)).await? {
            None => {}
            Some(encoding) if encoding.is_identity() => self.state.push(length, put),
            Some(encoding) => self.push_compressed(&message, encoding)?,
        }
        Ok(())
    }

    /// Like [`send`](Self::send), but the message is sent uncompressed even if the call's
    /// messages are [compressed](crate::Compression). Use it for a message that is
    /// compressed already, or that holds a secret next to data that others may have chosen.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_uncompressed(&mut self, message: M) -> Result<(), Status> {
        let length = self.framed_len(&message)?;
        poll_fn(|cx| self.state.poll_room(cx)).await?;
        self.state.push(length, |buffer| {
            framing::put_message(&message, length, buffer);
        });
        Ok(())
    }

    /// Waits until the call is over and nothing that is sent would reach the peer. For
    /// senders that send rarely.
    ///
    /// ```
    /// # use grpc_runtime::Sender;
    /// # async fn pump(samples: &mut tokio::sync::mpsc::Receiver<String>, call: &mut Sender<String>) {
    /// loop {
    ///     let sample = tokio::select! {
    ///         Some(sample) = samples.recv() => sample,
    ///         () = call.closed() => break,
    ///         else => break,
    ///     };
    ///     if call.send(sample).await.is_err() {
    ///         break;
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// The future may be dropped at any time.
    pub async fn closed(&mut self) {
        poll_fn(|cx| self.state.poll_over(cx)).await;
    }

    pub(super) fn state(&self) -> &CallState {
        &self.state
    }

    fn max_message_size(&self) -> usize {
        self.max_message_size.min(self.state.late_send_size())
    }

    pub(super) fn framed_len(&self, message: &M) -> Result<usize, Status> {
        if self.finished {
            let text = "the stream was finished: nothing more can be sent on it";
            return Err(Status::new(Code::Internal, text).with_phase(Phase::Send));
        }
        framing::framed_len(message, self.max_message_size())
            .map_err(|error| error.into_status(self.side))
    }

    /// Compresses in the sender's task, without holding the call's lock.
    pub(super) fn push_compressed(&self, message: &M, encoding: Compression) -> Result<(), Status> {
        let (encoded, plain) =
            framing::compress_message(message, self.max_message_size(), encoding)
                .map_err(|error| error.into_status(self.side))?;
        self.state.push_encoded(encoded, plain);
        Ok(())
    }

    pub(crate) fn close(&mut self) {
        self.finished = true;
        self.state.finish();
    }

    /// Ends the stream in order: the peer's receiver sees the end after the last message.
    /// On a server, returning from the handler does the same.
    pub fn finish(mut self) {
        self.close();
    }
}

impl<M> Drop for Sender<M> {
    fn drop(&mut self) {
        if self.side == Side::Client && !self.finished {
            self.state.cancel();
        }
    }
}
