//! The application's side of a call: what callers and handlers do with it, in their own
//! tasks. The connection is woken after the call's lock is released.

use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};

use super::outbound::Outbound;
use super::{CallState, ENCODE_UNDER_LOCK, Ended, LockedState, MutexGuard};
use crate::call::command::{Command, Progress};
use crate::call::queue::WakeUp;
use crate::framing::{Compression, MessageReader, PREFIX_LEN, Payload};
use crate::metadata::Metadata;
use crate::spare;
use crate::status::{Code, Phase, Status};

impl CallState {
    /// What has arrived of the response's head and of the call's end.
    pub(in crate::call) fn seen_so_far(&self) -> (Metadata, Option<Ended>) {
        self.lock().inbound.seen_so_far()
    }

    /// Moves what has arrived into `reader`. Ready if there was something, or with the end
    /// once everything before it was taken. The arguments report the bytes that the reader
    /// has consumed since its last report, and the size `awaits` of the message whose
    /// beginning it holds, 0 if unknown.
    pub(crate) fn poll_inbound(
        &self,
        reader: &mut MessageReader,
        consumed: usize,
        awaits: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Ended>> {
        let mut state = self.lock();
        state.early.on_ask();
        let polled = state.inbound.poll_chunks(reader, cx);
        state.inbound.credit.consume(consumed);
        if polled.is_pending() {
            state.inbound.credit.await_message(awaits);
        }
        let mut wake_up = tell_progress(&mut state);
        if polled.is_pending()
            && !state.has_begun()
            && state.early.on_wait()
            && let Some(link) = &state.link
        {
            wake_up = wake_up.or(link.push(Command::Send(link.stream)));
        }
        drop(state);
        wake_up.now();
        polled
    }

    /// The response's initial metadata, once it or the call's end has arrived. Empty if the
    /// call ended with OK and without a head.
    pub(crate) fn poll_head(&self, cx: &mut Context<'_>) -> Poll<Result<Metadata, Status>> {
        self.lock().inbound.poll_head(cx)
    }

    /// A unary response: head, message and end together.
    pub(crate) fn poll_response(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<(Metadata, Option<Payload>, Ended)> {
        self.lock().inbound.poll_response(cx)
    }

    /// The reader consumed `bytes` bytes.
    pub(crate) fn consume(&self, bytes: usize) {
        let mut state = self.lock();
        state.inbound.credit.consume(bytes);
        let wake_up = tell_progress(&mut state);
        drop(state);
        wake_up.now();
    }

    /// The reader was dropped; `holds` says whether it still has bytes that it did not
    /// consume. Everything that arrived for the call is freed.
    pub(crate) fn forget_inbound(&self, holds: bool) {
        let state = self.lock();
        if (holds || state.inbound.has_chunks())
            && let Some(link) = &state.link
        {
            let all = Progress {
                consumed: usize::MAX,
                awaits: 0,
            };
            let wake_up = link.push(Command::Read(link.stream, all));
            drop(state);
            wake_up.now();
        }
    }

    /// Waits for room in the send buffer for a message of `length` bytes and returns its
    /// encoding. An error is the call's status.
    pub(crate) fn poll_room(
        &self,
        length: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Compression, Status>> {
        let mut state = self.lock();
        let polled = self.poll_room_of(&mut state, length, cx);
        if polled.is_pending() {
            ask_for_memory(state);
        }
        polled
    }

    fn poll_room_of(
        &self,
        state: &mut LockedState,
        length: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Compression, Status>> {
        if self.is_over() {
            return Poll::Ready(Err(match state.inbound.failure() {
                Some(status) => status.clone(),
                None => answered(),
            }));
        }
        let encoding = state.coding.encoding;
        let outbound = state.outbound.as_ref();
        if !outbound.is_some_and(|outbound| outbound.fits(length)) {
            ready!(self.make_room(state, length, cx));
        }
        Poll::Ready(Ok(encoding))
    }

    /// Makes room for a message of `length` bytes, or waits for it.
    #[cold]
    fn make_room(&self, state: &mut LockedState, length: usize, cx: &mut Context<'_>) -> Poll<()> {
        let outbound = state.outbound();
        if outbound.make_room(length, self.send_limit) {
            return Poll::Ready(());
        }
        outbound.sender.register(cx);
        Poll::Pending
    }

    /// Waits until the call is over and nothing more is sent.
    pub(crate) fn poll_over(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if self.is_over() {
            return Poll::Ready(());
        }
        state.outbound().sender.register(cx);
        Poll::Pending
    }

    /// The encoding of the call's messages.
    pub(crate) fn encoding(&self) -> Compression {
        self.lock().coding.encoding
    }

    /// Waits until everything that was pushed is framed. An error is the call's status.
    pub(crate) fn poll_sent(&self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        let mut state = self.lock();
        if self.is_over() {
            let failure = state.inbound.failure().cloned();
            return Poll::Ready(failure.map_or(Ok(()), Err));
        }
        let Some(outbound) = &mut state.outbound else {
            return Poll::Ready(Ok(()));
        };
        if !outbound.is_empty() {
            outbound.sender.register(cx);
            return Poll::Pending;
        }
        let unused = outbound.surrender_unused();
        drop(state);
        drop(unused);
        Poll::Ready(Ok(()))
    }

    /// Waits for room and queues one message of `length` bytes, prefix included, if it is
    /// sent uncompressed and small enough to encode under the lock. Otherwise returns the
    /// encoding for the message once there is room, and the caller [`push`](Self::push)es
    /// it.
    pub(crate) fn poll_push(
        &self,
        length: usize,
        encode: impl FnOnce(&mut BytesMut),
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Compression>, Status>> {
        let mut state = self.lock();
        let Poll::Ready(polled) = self.poll_room_of(&mut state, length, cx) else {
            ask_for_memory(state);
            return Poll::Pending;
        };
        let encoding = polled?;
        if length > ENCODE_UNDER_LOCK || !encoding.is_identity() {
            return Poll::Ready(Ok(Some(encoding)));
        }
        if !self.is_over() {
            state.outbound().encode(length, encode);
            announce(state);
            self.count_sent(length, length);
        }
        Poll::Ready(Ok(None))
    }

    /// Queues one encoded message of `length` bytes, prefix included.
    pub(crate) fn push(&self, length: usize, encode: impl FnOnce(&mut BytesMut)) {
        if length > ENCODE_UNDER_LOCK {
            let mut buffer = spare::take(length);
            encode(&mut buffer);
            self.push_encoded(buffer.freeze(), length);
        } else {
            self.push_with(length, length, |outbound| outbound.encode(length, encode));
        }
    }

    /// Queues one message that is already encoded, prefix included; `plain` is its length
    /// before compression, in bytes.
    pub(crate) fn push_encoded(&self, message: Bytes, plain: usize) {
        let length = message.len();
        if length > ENCODE_UNDER_LOCK {
            self.push_with(plain, length, |outbound| outbound.put_chunk(message));
        } else {
            self.push_with(plain, length, |outbound| {
                outbound.encode(length, |buffer| buffer.extend_from_slice(&message));
            });
        }
    }

    fn push_with(&self, plain: usize, length: usize, put: impl FnOnce(&mut Outbound)) {
        let mut state = self.lock();
        if self.is_over() {
            return;
        }
        let outbound = state.outbound();
        put(outbound);
        if outbound.is_over() {
            outbound.count();
        }
        announce(state);
        self.count_sent(plain, length);
    }

    /// Counts a queued message, by its sizes before and after compression, prefix included.
    /// Called without the lock, since followers are user code.
    #[inline]
    fn count_sent(&self, plain: usize, length: usize) {
        if let Some(ledger) = &self.ledger {
            ledger.count_sent(plain - PREFIX_LEN, length - PREFIX_LEN);
        }
    }

    /// The initial metadata of a streaming response; sent with the first message, or at
    /// once with `now`. `false` if the head has already been sent.
    pub(crate) fn push_head(&self, head: Metadata, now: bool) -> bool {
        let mut state = self.lock();
        let free = !state.has_begun() && !state.early.is_settled();
        if free {
            state.outbound().put_head(head);
            if now {
                state.early.never();
                announce(state);
            }
        }
        free
    }

    /// The head is not sent alone until the handler asks for it. `false` if it is too late.
    pub(crate) fn hold_head(&self) -> bool {
        let mut state = self.lock();
        let free = !state.early.is_settled();
        if free {
            state.early.never();
        }
        free
    }

    /// Changes the encoding of the messages. `false` once a message was queued, or if the
    /// head can no longer change.
    pub(crate) fn set_encoding(&self, encoding: Compression) -> bool {
        let mut state = self.lock();
        let free = !state.has_begun() && !state.early.is_settled();
        if free {
            state.coding.encoding = encoding;
        }
        free
    }

    /// Ends the sending half in order.
    pub(crate) fn finish(&self) {
        let mut state = self.lock();
        if self.is_over() {
            return;
        }
        state.outbound().finish();
        announce(state);
    }

    /// The caller cancels the call: both the peer and this side see `CANCELLED`.
    pub(crate) fn cancel(&self) {
        let text = "the call was cancelled by its caller";
        self.give_up(Status::new(Code::Cancelled, text).with_phase(Phase::Call));
    }

    /// Ends the call from this side with `status`, and resets its stream.
    pub(crate) fn give_up(&self, status: Status) {
        let state = self.lock();
        if self.is_over() {
            return;
        }
        // The link is read under the lock that ends the call: a stream assigned later is
        // told of the end, and one assigned before is reset here.
        let link = state.link.clone();
        self.end(state, Err(status));
        if let Some(link) = link {
            link.send(Command::Cancel(link.stream));
        }
    }
}

/// The error of a send after the call has ended with OK. The call's result is on the
/// receiving side.
fn answered() -> Status {
    let text = "the server has answered the call and takes no more messages: \
                its answer is on the receiving side";
    Status::new(Code::Cancelled, text).with_phase(Phase::Send)
}

/// Tells the connection once that there is something to take, and releases the lock. A call
/// without a stream is looked at when it gets one.
#[inline]
fn announce(mut state: MutexGuard<'_, LockedState>) {
    let LockedState {
        link,
        outbound,
        before,
        ..
    } = &mut *state;
    let Some(outbound) = outbound else {
        return;
    };
    if let Some(link) = link {
        if outbound.announce() {
            let wake_up = link.push(Command::Send(link.stream));
            drop(state);
            wake_up.now();
        }
    } else if let Some(before) = before {
        let rivals = before.announce();
        drop(state);
        for rival in rivals {
            rival.send(Command::Send(rival.stream));
        }
    }
}

/// Tells the connection that the sender waits for memory, if it is that, and frees the
/// lock.
#[cold]
fn ask_for_memory(state: MutexGuard<'_, LockedState>) {
    let outbound = state.outbound.as_ref();
    if outbound.is_some_and(|outbound| outbound.starves())
        && let Some(link) = &state.link
    {
        let wake_up = link.push(Command::Starve);
        drop(state);
        wake_up.now();
    }
}

/// Reports the reader's progress to the connection, if a report is due.
fn tell_progress(state: &mut LockedState) -> WakeUp {
    if let Some(progress) = state.inbound.credit.due()
        && let Some(link) = &state.link
    {
        return link.push(Command::Read(link.stream, progress));
    }
    WakeUp::default()
}
