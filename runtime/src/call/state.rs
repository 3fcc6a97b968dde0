//! The state of one call that two tasks share: the connection's task on one
//! side, the caller's or the handler's on the other. Each half of it has one
//! writer and one reader. It must never hold its lock across an `await`.
//!
//! ```text
//! peer → connection ─ deliver_* → inbound  ─ poll_inbound  → Receiver
//! peer ← connection ← take_outbound ─ outbound ← push ────── Sender
//! ```
//!
//! Invariants: a sender waits while as many bytes as `send_limit` are pushed and
//! not yet framed; at most one `Send` command per call is under way; once the
//! inbound half has ended, nothing more is delivered; once the call is `over`,
//! nothing is sent either.

mod credit;
mod inbound;
#[cfg(all(test, shuttle))]
mod model_tests;
mod outbound;
mod waiter;

use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use tokio::task::AbortHandle;

use super::command::{Command, Link, Progress};
use super::early_head::{EarlyHead, Look};
use super::ledger::Ledger;
use super::queue::WakeUp;
use super::response_head::Coding;
use crate::framing::{Compression, MessageReader, PREFIX_LEN, Payload};
use crate::locks::{AtomicBool, Mutex, MutexGuard, Ordering};
use crate::metadata::Metadata;
use crate::spare;
use crate::status::{Code, Phase, Status};
use crate::transport::http2::credit::Reports;

use inbound::Inbound;
use outbound::Outbound;
use waiter::Waiter;

pub(crate) use outbound::Outgoing;

/// A message above this is encoded outside the lock.
const ENCODE_UNDER_LOCK: usize = 4 << 10;

/// How a call ended for the one who receives: trailing metadata, or the error.
pub(crate) type Ended = Result<Metadata, Status>;

/// One call's shared state.
#[derive(Debug)]
pub(crate) struct CallState {
    /// Nothing can happen to the call any more. On a server the end of the
    /// request alone does not make it so. Written under the lock.
    over: AtomicBool,
    state: Mutex<State>,
    send_limit: usize,
    /// Present where interceptors watch the call.
    ledger: Option<Arc<Ledger>>,
}

/// Who has the call before it has a stream, and hears if it ends.
#[derive(Debug, Default)]
enum Before {
    #[default]
    Nobody,
    /// A task that makes it ready.
    Prepares(AbortHandle),
    /// The task in whose queue it waits.
    Queues(Waker),
}

impl Before {
    fn ended(self) {
        match self {
            Self::Nobody => {}
            Self::Prepares(task) => task.abort(),
            Self::Queues(waker) => waker.wake(),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    link: Option<Link>,
    before: Before,
    /// What keeps the call's time besides its connection.
    timer: Option<AbortHandle>,
    /// What messages are compressed with, unless one is not, and what else a
    /// response's head says of it.
    coding: Coding,
    early: EarlyHead,
    inbound: Inbound,
    /// Made when the application first sends something by itself: the one
    /// message of a unary request never passes through here.
    outbound: Option<Box<Outbound>>,
}

impl CallState {
    /// The state of a call that sends as `sends` says, and receives with the encoding
    /// `receives` unless a head says otherwise.
    pub(crate) fn new(
        send_limit: usize,
        sends: Coding,
        receives: Compression,
        ledger: Option<Arc<Ledger>>,
    ) -> Arc<Self> {
        let mut state = State {
            coding: sends,
            ..State::default()
        };
        state.inbound.set_encoding(receives);
        Arc::new(Self {
            over: AtomicBool::new(false),
            state: Mutex::new(state),
            send_limit,
            ledger,
        })
    }

    pub(crate) fn ledger(&self) -> Option<&Ledger> {
        self.ledger.as_deref()
    }

    /// A panic while the lock is held can only come from a message's own
    /// encoder; the state is consistent then, but for a partial message, which
    /// the panic's call never gets to send.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // --- the connection's side ---------------------------------------------------

    /// The call has a stream from now on. `false` if it ended meanwhile.
    pub(crate) fn attach(&self, link: Link, reports: Reports) -> bool {
        let mut state = self.lock();
        let over = self.is_over();
        if !over {
            state.inbound.credit.set_reports(reports);
            state.link = Some(link);
            state.before = Before::Nobody;
        }
        !over
    }

    /// The same for a handler's side, whose head goes as `early` says.
    pub(crate) fn attach_handler(&self, link: Link, reports: Reports, early: EarlyHead) {
        let mut state = self.lock();
        state.inbound.credit.set_reports(reports);
        state.link = Some(link);
        state.early = early;
    }

    /// `task` makes the call ready for a stream; it is stopped if the call ends
    /// before that.
    pub(crate) fn prepare(&self, task: AbortHandle) {
        self.held_by(Before::Prepares(task));
    }

    /// The call waits in the queue of the task that `waker` wakes: it is woken if the
    /// call ends there.
    pub(crate) fn queued(&self, waker: Waker) {
        self.held_by(Before::Queues(waker));
    }

    /// `timer` ends the call at its deadline; it is stopped if the call ends before.
    pub(crate) fn timed_by(&self, timer: AbortHandle) {
        let mut state = self.lock();
        if self.is_over() {
            drop(state);
            timer.abort();
        } else {
            state.timer = Some(timer);
        }
    }

    fn held_by(&self, before: Before) {
        let mut state = self.lock();
        if self.is_over() {
            drop(state);
            before.ended();
        } else {
            state.before = before;
        }
    }

    /// The call leaves its connection unprocessed and waits for another.
    pub(crate) fn detach(&self) {
        self.lock().link = None;
    }

    /// Whether the application has given the call up, or it ended otherwise.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    pub(crate) fn deliver_head(&self, head: Metadata, encoding: Compression) {
        let mut state = self.lock();
        state.inbound.deliver_head(head, encoding);
        wake(state, |state| &mut state.inbound.reader);
    }

    /// `false` where nobody will read it any more.
    pub(crate) fn deliver_data(&self, data: Bytes) -> bool {
        let mut state = self.lock();
        let open = state.inbound.deliver_data(data);
        if open {
            // Who answers is read: a conversation is never slowed down.
            if let Some(outbound) = &mut state.outbound {
                outbound.earn();
            }
            wake(state, |state| &mut state.inbound.reader);
        }
        open
    }

    /// Memory is set aside for the message that the reader waits for.
    pub(crate) fn grant_room(&self) {
        self.lock().inbound.credit.grant_room();
    }

    /// What the reader has to tell from now on, and how far it is.
    pub(crate) fn set_reports(&self, reports: Reports) -> Progress {
        self.lock().inbound.credit.set_reports(reports)
    }

    /// The end of a request on a server; the response goes on.
    pub(crate) fn deliver_half_close(&self) {
        let mut state = self.lock();
        state.inbound.deliver_half_close();
        wake(state, |state| &mut state.inbound.reader);
    }

    /// The end of the call. What was pushed and not taken is dropped: nobody
    /// will read it.
    pub(crate) fn deliver_end(&self, ended: Ended) {
        self.end(self.lock(), ended);
    }

    /// A whole unary response in one step, with one wake-up.
    pub(crate) fn deliver_response(&self, head: Metadata, message: Payload, ended: Ended) {
        let mut state = self.lock();
        if !self.is_over() {
            state.inbound.deliver_whole(head, message);
        }
        self.end(state, ended);
    }

    fn end(&self, mut state: MutexGuard<'_, State>, ended: Ended) {
        if self.is_over() {
            return;
        }
        self.over.store(true, Ordering::Release);
        let before = std::mem::take(&mut state.before);
        let timer = state.timer.take();
        state.inbound.end(ended);
        let receiver = state.inbound.reader.take();
        let sender = state.outbound.as_mut().and_then(|outbound| {
            outbound.clear();
            outbound.sender.take()
        });
        // Outside the lock, so that the woken task does not run into it.
        drop(state);
        before.ended();
        if let Some(timer) = timer {
            timer.abort();
        }
        for waker in [receiver, sender].into_iter().flatten() {
            waker.wake();
        }
    }

    /// As [`take_outbound`](Self::take_outbound), or nothing where small messages
    /// come so fast that they should gather first: the caller holds the stream
    /// for [`HOLD`](super::sends::HOLD). So it does for a head that goes alone.
    pub(crate) fn take_when_due(&self, now: Instant) -> Option<Outgoing> {
        let mut state = self.lock();
        let coding = state.coding;
        if !state.has_begun() {
            let waits = state.inbound.reader.is_waiting();
            match state.early.look(waits) {
                Look::Take => {}
                Look::Nothing => return Some(Outgoing::default()),
                Look::Hold => return None,
                Look::Send => state.outbound().need_head(),
            }
        }
        state.outbound().take_when_due(coding, now)
    }

    /// Everything the sending side has pushed since the last time.
    pub(crate) fn take_outbound(&self) -> Outgoing {
        let mut state = self.lock();
        let coding = state.coding;
        match &mut state.outbound {
            Some(outbound) => outbound.take(coding),
            None => Outgoing::default(),
        }
    }

    /// `bytes` of what was taken are framed.
    pub(crate) fn sent(&self, bytes: usize) {
        let mut state = self.lock();
        let Some(outbound) = &mut state.outbound else {
            return;
        };
        outbound.framed(bytes);
        if outbound.has_room(self.send_limit) || outbound.is_empty() {
            wake(state, |state| &mut state.outbound().sender);
        }
    }

    // --- the application's side --------------------------------------------------

    /// What has come of a response's head, and of its end.
    pub(super) fn seen_so_far(&self) -> (Metadata, Option<Ended>) {
        self.lock().inbound.seen_so_far()
    }

    /// Moves what has arrived into `reader`. Ready when there was something, or
    /// with the end once all before it is taken. The reader has consumed so many
    /// bytes since it last told, and what it holds is part of a message of `awaits`
    /// bytes, if it knows that.
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

    /// The response's initial metadata, once it or the end is here. An end
    /// without a head gives empty metadata.
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

    /// The reader consumed so many bytes.
    pub(crate) fn consume(&self, bytes: usize) {
        let mut state = self.lock();
        state.inbound.credit.consume(bytes);
        let wake_up = tell_progress(&mut state);
        drop(state);
        wake_up.now();
    }

    /// The reader is gone; `holds` says whether it has bytes that it did not
    /// consume. All that came of the call is free.
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

    /// Waits for room, and says what the next message is compressed with. An error
    /// is the call's own end.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<Compression, Status>> {
        self.poll_room_of(&mut self.lock(), cx)
    }

    fn poll_room_of(
        &self,
        state: &mut State,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Compression, Status>> {
        if self.is_over() {
            return Poll::Ready(Err(match state.inbound.failure() {
                Some(status) => status.clone(),
                None => answered(),
            }));
        }
        let encoding = state.coding.encoding;
        let Some(outbound) = &mut state.outbound else {
            return Poll::Ready(Ok(encoding));
        };
        if outbound.has_room(self.send_limit) {
            return Poll::Ready(Ok(encoding));
        }
        outbound.sender.register(cx);
        Poll::Pending
    }

    /// Waits until nothing that is sent goes out any more.
    pub(crate) fn poll_over(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if self.is_over() {
            return Poll::Ready(());
        }
        state.outbound().sender.register(cx);
        Poll::Pending
    }

    /// What messages are compressed with.
    pub(crate) fn encoding(&self) -> Compression {
        self.lock().coding.encoding
    }

    /// Waits until all that was pushed is framed. An error is the call's own end.
    pub(crate) fn poll_sent(&self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        let mut state = self.lock();
        if self.is_over() {
            let failure = state.inbound.failure().cloned();
            return Poll::Ready(failure.map_or(Ok(()), Err));
        }
        match &mut state.outbound {
            Some(outbound) if !outbound.is_empty() => {
                outbound.sender.register(cx);
                Poll::Pending
            }
            _ => Poll::Ready(Ok(())),
        }
    }

    /// Waits for room and queues one message of `length` bytes, prefix included,
    /// in the same step, where that is all there is to do. Otherwise there is
    /// room, and it says what to compress with before the message is
    /// [`push`](Self::push)ed.
    pub(crate) fn poll_push(
        &self,
        length: usize,
        encode: impl FnOnce(&mut BytesMut),
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Compression>, Status>> {
        let mut state = self.lock();
        let encoding = ready!(self.poll_room_of(&mut state, cx))?;
        if length > ENCODE_UNDER_LOCK || !encoding.is_identity() {
            return Poll::Ready(Ok(Some(encoding)));
        }
        if !self.is_over() {
            state.outbound().encode(length, encode);
            self.count_sent(length);
            announce(state);
        }
        Poll::Ready(Ok(None))
    }

    /// Queues one encoded message of `length` bytes, prefix included.
    pub(crate) fn push(&self, length: usize, encode: impl FnOnce(&mut BytesMut)) {
        if length > ENCODE_UNDER_LOCK {
            let mut buffer = spare::take(length);
            encode(&mut buffer);
            self.push_encoded(buffer.freeze());
        } else {
            self.push_with(length, |outbound| outbound.encode(length, encode));
        }
    }

    /// Queues one message that is encoded already, prefix included.
    pub(crate) fn push_encoded(&self, message: Bytes) {
        let length = message.len();
        if length > ENCODE_UNDER_LOCK {
            self.push_with(length, |outbound| outbound.put_chunk(message));
        } else {
            self.push_with(length, |outbound| {
                outbound.encode(length, |buffer| buffer.extend_from_slice(&message));
            });
        }
    }

    fn push_with(&self, length: usize, put: impl FnOnce(&mut Outbound)) {
        let mut state = self.lock();
        if self.is_over() {
            return;
        }
        put(state.outbound());
        self.count_sent(length);
        announce(state);
    }

    /// A message of `length` bytes, prefix included, is queued.
    fn count_sent(&self, length: usize) {
        if let Some(ledger) = &self.ledger {
            ledger.sent.add(length - PREFIX_LEN);
        }
    }

    /// The initial metadata of a response that streams; sent with the first
    /// message, or at once with `now`. `false` when it is too late for any.
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

    /// The head does not go alone but when it is told to. `false` when it is too
    /// late for that.
    pub(crate) fn hold_head(&self) -> bool {
        let mut state = self.lock();
        let free = !state.early.is_settled();
        if free {
            state.early.never();
        }
        free
    }

    /// Changes what the messages are compressed with. `false` once there is one, or
    /// it is too late for what a head would say of it.
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

    /// The caller's own cancellation: the peer sees CANCELLED, and so does this
    /// side.
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
        // In the section that ends the call: one that gets its stream after that is
        // told, and one that had it before resets it.
        let link = state.link.clone();
        self.end(state, Err(status));
        if let Some(link) = link {
            link.send(Command::Cancel(link.stream));
        }
    }
}

/// A send after the call's end in order, which is on the receiving side.
fn answered() -> Status {
    let text = "the server has answered the call and takes no more messages: \
                its answer is on the receiving side";
    Status::new(Code::FailedPrecondition, text).with_phase(Phase::Send)
}

impl State {
    fn outbound(&mut self) -> &mut Outbound {
        self.outbound.get_or_insert_default()
    }

    fn has_begun(&self) -> bool {
        let outbound = self.outbound.as_ref();
        outbound.is_some_and(|outbound| outbound.has_begun())
    }
}

/// Tells the connection once that there is something to take, and frees the lock. A
/// call with no stream yet is looked at when it gets one.
fn announce(mut state: MutexGuard<'_, State>) {
    let State { link, outbound, .. } = &mut *state;
    if let (Some(link), Some(outbound)) = (link, outbound)
        && outbound.announce()
    {
        let wake_up = link.push(Command::Send(link.stream));
        drop(state);
        wake_up.now();
    }
}

/// Tells the connection how far the reader is, where that is due.
fn tell_progress(state: &mut State) -> WakeUp {
    if let Some(progress) = state.inbound.credit.due()
        && let Some(link) = &state.link
    {
        return link.push(Command::Read(link.stream, progress));
    }
    WakeUp::default()
}

/// Wakes outside the lock, so that the woken task does not run into it.
fn wake(mut state: MutexGuard<'_, State>, slot: impl FnOnce(&mut State) -> &mut Waiter) {
    let waker = slot(&mut state).take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}
