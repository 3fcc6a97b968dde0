//! The sending half of a call, for clients and servers alike. It waits for the peer's flow
//! control only.

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
/// A server's handler gets `&mut Sender` and ends its stream by returning. A
/// client owns its `Sender` and ends the stream with [`finish`](Self::finish); a
/// client's `Sender` that is dropped unfinished cancels the call, so that the
/// server never mistakes a broken-off stream for a complete one.
#[derive(Debug)]
pub struct Sender<M> {
    state: Arc<CallState>,
    max_message_size: usize,
    side: Side,
    /// A client's sender that is dropped unfinished cancels its call.
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

    /// Sends one message. Waits while the stream holds more than
    /// [`Http2Options::send_buffer`](crate::Http2Options::send_buffer) bytes that
    /// the peer has not made room for.
    ///
    /// A server may answer before it has all messages, and takes no more of them
    /// then. So an error here need not be the call's: the receiving side, or
    /// [`ClientStream::finish`](crate::ClientStream::finish), has the call's end in
    /// any case. Messages that were on their way then are dropped;
    /// [`closed`](Self::closed) waits for that moment.
    ///
    /// # Errors
    /// The call's own status if it has failed, been cancelled or run out of
    /// time; `CANCELLED` where it has ended with OK;
    /// `RESOURCE_EXHAUSTED` if the message is above the send limit.
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

    /// As [`send`](Self::send), but the message goes as it is where the call's are
    /// [compressed](crate::Compression): for one that holds a secret beside what
    /// others may have written, or that is compressed already.
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

    /// Waits until the call is over, so that nothing that is sent would reach the
    /// peer: for a sender that has nothing to send for long.
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
    /// Dropping the future loses nothing.
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

    /// The work is done here, in the sender's task, and under no lock.
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

    /// Ends the stream in order: the peer's receiver sees the end after the last
    /// message. On a server, returning from the handler does this.
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
