//! The state of one call, shared by the connection's task and the caller's or handler's
//! task. Each half has one writer and one reader. Its lock is not held across an `await`.
//!
//! ```text
//! peer → connection ─ deliver_* → inbound  ─ poll_inbound  → Receiver
//! peer ← connection ← take_outbound ─ outbound ← push ────── Sender
//! ```
//!
//! Invariants: a sender waits while at least `send_limit` bytes are pushed and not yet
//! framed; at most one `Send` command per call is queued; once the inbound half has ended,
//! nothing more is delivered; once the call is `over`, nothing more is sent.

mod application;
mod before;
mod inbound;
#[cfg(all(test, shuttle))]
mod model_tests;
mod outbound;
mod read_credit;
mod seen;
mod waiter;

use std::sync::atomic::AtomicU32;
use std::sync::{Arc, PoisonError};
use std::task::Waker;
use std::time::Instant;

use bytes::Bytes;
use tokio::task::AbortHandle;

use super::command::{Command, Link, Progress};
use super::early_head::{EarlyHead, Look};
use super::ledger::Ledger;
use super::response_head::Coding;
use crate::framing::{Compression, Payload};
use crate::limits::CallLimits;
use crate::locks::{AtomicBool, Mutex, MutexGuard, Ordering};
use crate::metadata::Metadata;
use crate::status::Status;
use crate::transport::http2::call_memory::{CallMemory, Reserve};
use crate::transport::http2::credit::Reports;

use before::Before;
use inbound::Inbound;
use outbound::Outbound;
use waiter::Waiter;

pub(crate) use outbound::Outgoing;

/// A message of more bytes than this is encoded before the lock is taken.
const ENCODE_UNDER_LOCK: usize = 4 << 10;

/// How a call ended for its receiver: the trailing metadata, or the error.
pub(crate) type Ended = Result<Metadata, Status>;

/// One call's shared state.
#[derive(Debug)]
pub(crate) struct CallState {
    /// The call is over in both directions. On a server the end of the request alone does
    /// not set it. Written under the lock.
    over: AtomicBool,
    state: Mutex<LockedState>,
    send_limit: usize,
    /// The limits on message sizes, if they become known after the call has begun.
    late_send_size: AtomicU32,
    late_receive_size: AtomicU32,
    /// Set if interceptors or observers watch the call.
    ledger: Option<Arc<Ledger>>,
}

#[derive(Debug, Default)]
struct LockedState {
    link: Option<Link>,
    before: Option<Box<Before>>,
    /// The encoding of messages, unless one is sent uncompressed, and the encodings that
    /// the head lists as accepted.
    coding: Coding,
    early: EarlyHead,
    inbound: Inbound,
    /// Created when the application first sends something itself, or with the call if what it
    /// sends counts with a server's memory. The only message of a unary request does not pass
    /// through it.
    outbound: Option<Box<Outbound>>,
}

impl Drop for CallState {
    #[inline]
    fn drop(&mut self) {
        if let Some(ledger) = self.ledger.take() {
            Ledger::give_back(ledger);
        }
    }
}

impl CallState {
    /// The state of a call that sends as `sends` says, and receives with the encoding
    /// `receives` unless the head names another.
    pub(crate) fn new(
        send_limit: usize,
        sends: Coding,
        receives: Compression,
        ledger: Option<Arc<Ledger>>,
    ) -> Arc<Self> {
        let mut state = LockedState {
            coding: sends,
            ..LockedState::default()
        };
        state.inbound.set_encoding(receives);
        Arc::new(Self {
            over: AtomicBool::new(false),
            state: Mutex::new(state),
            send_limit,
            late_send_size: AtomicU32::new(u32::MAX),
            late_receive_size: AtomicU32::new(u32::MAX),
            ledger,
        })
    }

    /// Sets the largest sizes of messages sent and received from now on.
    pub(crate) fn limit_messages(&self, limits: &CallLimits) {
        // A message's length fits into the four bytes of its prefix.
        let size = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        let send = size(limits.max_send_message_size);
        self.late_send_size.store(send, Ordering::Relaxed);
        let receive = size(limits.max_receive_message_size);
        self.late_receive_size.store(receive, Ordering::Relaxed);
    }

    pub(super) fn late_send_size(&self) -> usize {
        self.late_send_size.load(Ordering::Relaxed) as usize
    }

    pub(super) fn late_receive_size(&self) -> usize {
        self.late_receive_size.load(Ordering::Relaxed) as usize
    }

    pub(crate) fn ledger(&self) -> Option<&Ledger> {
        self.ledger.as_deref()
    }

    /// Only a message's own encoder can panic while the lock is held. The state is
    /// consistent after that, except for a partial message, which the call that panicked
    /// never sends.
    fn lock(&self) -> MutexGuard<'_, LockedState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // --- the connection's side ---------------------------------------------------

    /// The call now has a stream. `false` if the call ended before.
    pub(crate) fn attach(&self, link: Link, reports: Reports) -> bool {
        let mut state = self.lock();
        let over = self.is_over();
        if !over {
            state.inbound.credit.set_reports(reports);
            state.link = Some(link);
            state.before = None;
        }
        !over
    }

    /// Like [`attach`](Self::attach), for a handler, whose head is sent as `early` says. What
    /// it sends counts with the server's `memory`.
    pub(crate) fn attach_handler(
        &self,
        link: Link,
        reports: Reports,
        early: EarlyHead,
        memory: Option<&Arc<CallMemory>>,
    ) {
        let mut state = self.lock();
        state.outbound = memory.map(Outbound::counted_with);
        state.inbound.credit.set_reports(reports);
        state.link = Some(link);
        state.early = early;
    }

    /// An attempt that may run beside others has a stream. The call has no stream of its
    /// own before it [`settle`](Self::settle)s on one attempt. `false` if the call ended
    /// before.
    pub(crate) fn vie(&self, number: u8, link: Link) -> bool {
        let mut state = self.lock();
        let over = self.is_over();
        if !over {
            state.before().vie(number, link);
        }
        !over
    }

    /// Makes this attempt the call's. Its connection is told to send what is queued; the
    /// other attempts are cancelled.
    pub(crate) fn settle(&self, number: u8) {
        let mut state = self.lock();
        if self.is_over() {
            return;
        }
        let Some(mut before) = state.before.take() else {
            return;
        };
        let link = before.win(number);
        if link.is_some() {
            state.link.clone_from(&link);
        }
        drop(state);
        before.ended();
        if let Some(link) = link {
            link.send(Command::Send(link.stream));
        }
    }

    /// `task` prepares the call for a stream; it is aborted if the call ends before that.
    pub(crate) fn prepare(&self, task: AbortHandle) {
        let mut state = self.lock();
        if self.is_over() {
            drop(state);
            task.abort();
        } else if state.before.is_none() {
            // A finished task has already passed the call on.
            state.before().prepares = Some(task);
        }
    }

    /// The call waits in the queue of the task that `waker` wakes. That task is woken if
    /// the call ends while it waits. `is_alone` says that it waits in no other queue.
    pub(crate) fn queued(&self, waker: Waker, is_alone: bool) {
        let mut state = self.lock();
        if self.is_over() {
            drop(state);
            waker.wake();
        } else {
            if is_alone {
                state.before = None;
            }
            state.before().queue(waker);
        }
    }

    /// The connection did not process the call, which now waits for another connection.
    pub(crate) fn detach(&self) {
        self.lock().link = None;
    }

    /// Like [`detach`](Self::detach), for an attempt that runs beside others.
    pub(crate) fn give_way(&self, number: u8) {
        if let Some(before) = &mut self.lock().before {
            before.give_way(number);
        }
    }

    /// Whether the call is over, cancelled by the application or ended otherwise.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    pub(crate) fn deliver_head(&self, head: Metadata, encoding: Compression) {
        let mut state = self.lock();
        state.inbound.deliver_head(head, encoding);
        wake(state, |state| &mut state.inbound.reader);
    }

    /// The number of messages that end in `data`; `None` if it will not be read.
    pub(crate) fn deliver_data(&self, data: Bytes) -> Option<u32> {
        let mut state = self.lock();
        let messages = state.inbound.deliver_data(data);
        if messages.is_some() {
            // A peer that answers also reads: received data earns small takes, so that a
            // conversation is not slowed down.
            if let Some(outbound) = &mut state.outbound {
                outbound.earn();
            }
            wake(state, |state| &mut state.inbound.reader);
        }
        messages
    }

    /// What there is to read keeps nothing of what it was read with.
    pub(crate) fn unpin(&self) {
        self.lock().inbound.unpin();
    }

    /// Memory is reserved for the message that the reader waits for.
    pub(crate) fn grant_room(&self) {
        self.lock().inbound.credit.grant_room();
    }

    /// Sets what the reader reports from now on, and returns its present progress.
    pub(crate) fn set_reports(&self, reports: Reports) -> Progress {
        self.lock().inbound.credit.set_reports(reports)
    }

    /// A server received the end of the request; the response continues.
    pub(crate) fn deliver_half_close(&self) {
        let mut state = self.lock();
        state.inbound.deliver_half_close();
        wake(state, |state| &mut state.inbound.reader);
    }

    /// The end of the call. What was pushed and not taken is dropped, since nobody will
    /// read it.
    pub(crate) fn deliver_end(&self, ended: Ended) {
        drop(self.end(self.lock(), ended));
    }

    /// The same where the handler has ended; what the call has of the server's memory is
    /// the connection's, which has the rest of the response.
    pub(crate) fn deliver_handlers_end(&self, ended: Ended) -> Option<Reserve> {
        self.end(self.lock(), ended)
    }

    /// Delivers a whole unary response with one wake-up.
    pub(crate) fn deliver_response(&self, head: Metadata, message: Payload, ended: Ended) {
        let mut state = self.lock();
        if !self.is_over() {
            state.inbound.deliver_whole(head, message);
        }
        drop(self.end(state, ended));
    }

    fn end(&self, mut state: MutexGuard<'_, LockedState>, ended: Ended) -> Option<Reserve> {
        if self.is_over() {
            return None;
        }
        self.over.store(true, Ordering::Release);
        let before = state.before.take();
        state.inbound.end(ended);
        let receiver = state.inbound.reader.take();
        let outbound = state.outbound.as_mut();
        let (reserve, sender) = outbound.map_or((None, None), |outbound| {
            (outbound.clear(), outbound.sender.take())
        });
        // Outside the lock, so that the woken task does not wait for it.
        drop(state);
        if let Some(before) = before {
            before.ended();
        }
        for waker in [receiver, sender].into_iter().flatten() {
            waker.wake();
        }
        reserve
    }

    /// Like [`take_outbound`](Self::take_outbound), but `None` if small messages come so
    /// fast that they are collected first, or if a head would be sent alone: the caller
    /// then holds the stream for [`HOLD`](super::sends::HOLD).
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

    /// `bytes` of what was taken are now framed, and `begun` of the chunk that is next.
    /// Returns the server's memory that nothing queued keeps any more.
    #[must_use]
    pub(crate) fn sent(&self, bytes: usize, begun: usize) -> Option<Reserve> {
        let mut state = self.lock();
        let outbound = state.outbound.as_mut()?;
        let free = outbound.framed(bytes, begun);
        if outbound.has_room(self.send_limit) || outbound.is_empty() {
            wake(state, |state| &mut state.outbound().sender);
        }
        free
    }

    /// There may be memory for a sender that waits for some.
    pub(crate) fn offer_room(&self) {
        let mut state = self.lock();
        if let Some(outbound) = &mut state.outbound
            && outbound.stop_starving()
        {
            wake(state, |state| &mut state.outbound().sender);
        }
    }

    /// Whether it holds some of the server's memory and did not get on since the last look.
    pub(crate) fn look(&self) -> bool {
        let mut state = self.lock();
        let outbound = state.outbound.as_mut();
        outbound.is_some_and(|outbound| outbound.look())
    }

    /// What it has of the server's memory is another's from now on.
    pub(crate) fn surrender(&self) -> Option<Reserve> {
        self.lock().outbound.as_mut()?.surrender()
    }
}

impl LockedState {
    fn outbound(&mut self) -> &mut Outbound {
        self.outbound.get_or_insert_default()
    }

    fn before(&mut self) -> &mut Before {
        self.before.get_or_insert_default()
    }

    fn has_begun(&self) -> bool {
        let outbound = self.outbound.as_ref();
        outbound.is_some_and(|outbound| outbound.has_begun())
    }
}

/// Wakes outside the lock, so that the woken task does not wait for it.
fn wake(
    mut state: MutexGuard<'_, LockedState>,
    slot: impl FnOnce(&mut LockedState) -> &mut Waiter,
) {
    let waker = slot(&mut state).take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}
