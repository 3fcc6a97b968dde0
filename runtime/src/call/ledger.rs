//! What passed in one call, and who wants to hear of its end. Only a call that
//! interceptors or observers watch has one. It must never decide anything about its call.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::command::Finished;
use crate::clock;
use crate::metadata::Metadata;
use crate::method::Method;
use crate::observe::ended_call::{EndedCall, Traffic};
use crate::observe::observer::Observers;
use crate::status::{Code, Status};
use crate::transport::PeerAddress;

/// Traffic as it grows: written by the half that it counts, read by anyone.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl Counter {
    /// Counts a message of so many bytes.
    pub(crate) fn add(&self, bytes: usize) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts the one message of a half that does not stream, once or again.
    pub(crate) fn set_one(&self, bytes: usize) {
        self.messages.store(1, Ordering::Relaxed);
        self.bytes.store(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn traffic(&self) -> Traffic {
        Traffic {
            messages: self.messages.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }
}

/// Wants to hear of a call's end.
pub(crate) type OnEnd = Box<dyn FnOnce(&EndedCall<'_>) + Send>;

/// One watched call.
pub(crate) struct Ledger {
    pub(crate) sent: Counter,
    pub(crate) received: Counter,
    method: Method,
    began: Instant,
    /// They hear of it last.
    observers: Observers,
    end: Mutex<End>,
}

#[derive(Default)]
struct End {
    peer: Option<PeerAddress>,
    listeners: Vec<OnEnd>,
    /// Why the call was broken off, where that came from outside of its handler.
    broken_off: Option<Status>,
    /// The listeners have been called.
    told: bool,
    /// The observers have been told.
    is_observed: bool,
}

impl Ledger {
    pub(crate) fn new(method: Method, now: Instant, observers: Observers) -> Arc<Self> {
        Arc::new(Self {
            sent: Counter::default(),
            received: Counter::default(),
            method,
            began: now,
            observers,
            end: Mutex::default(),
        })
    }

    fn end(&self) -> MutexGuard<'_, End> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The call has a stream to this peer. It may get another if this one does
    /// not look at it.
    pub(crate) fn set_peer(&self, peer: Option<PeerAddress>) {
        self.end().peer = peer;
    }

    /// Calls `listener` when the call has ended. One that comes later than that
    /// can only be late for a caller who gave up.
    pub(crate) fn on_end(&self, listener: OnEnd) {
        let mut end = self.end();
        if !end.told {
            end.listeners.push(listener);
            return;
        }
        drop(end);
        let status = Status::new(Code::Cancelled, "the call was cancelled by its caller");
        let none = Metadata::new();
        tell(vec![listener], &self.ended(None, &none, Err(&status)));
    }

    /// The call ends, whatever its handler does.
    pub(crate) fn break_off(&self, why: Status) {
        self.end().broken_off.get_or_insert(why);
    }

    /// Whether the call was broken off from outside of its handler.
    pub(crate) fn is_broken_off(&self) -> bool {
        self.end().broken_off.is_some()
    }

    /// The handler was broken off, by `otherwise` unless somebody said why: the listeners
    /// hear of it.
    pub(crate) fn tell_broken_off(&self, otherwise: impl FnOnce() -> Status) {
        let why = self.end().broken_off.clone();
        let status = why.unwrap_or_else(otherwise);
        self.break_off(status.clone());
        self.tell(&Metadata::new(), Err(&status));
    }

    /// The handler has given this: the listeners hear of it.
    pub(crate) fn tell_answered(&self, finished: &Finished) {
        let (initial, result) = said(finished);
        self.tell(initial, result);
    }

    /// It was answered with this.
    pub(crate) fn close_answered(&self, finished: &Finished) {
        let (initial, result) = said(finished);
        self.close(initial, result);
    }

    /// The caller has the call's end; who wanted to know hears of it once. It stays out of
    /// the way of calls that nobody watches.
    #[inline(never)]
    pub(crate) fn close(&self, initial: &Metadata, result: Result<&Metadata, &Status>) {
        self.tell(initial, result);
        if self.observers.is_empty() {
            return;
        }
        let mut end = self.end();
        if std::mem::replace(&mut end.is_observed, true) {
            return;
        }
        let peer = end.peer.take();
        drop(end);
        let ended = self.ended(peer.as_ref(), initial, result);
        self.observers.tell(|it| it.call_ended(&ended));
    }

    fn tell(&self, initial: &Metadata, result: Result<&Metadata, &Status>) {
        let mut end = self.end();
        if std::mem::replace(&mut end.told, true) {
            return;
        }
        let (listeners, peer) = (std::mem::take(&mut end.listeners), end.peer.clone());
        drop(end);
        if !listeners.is_empty() {
            tell(listeners, &self.ended(peer.as_ref(), initial, result));
        }
    }

    fn ended<'a>(
        &self,
        peer: Option<&'a PeerAddress>,
        initial_metadata: &'a Metadata,
        result: Result<&'a Metadata, &'a Status>,
    ) -> EndedCall<'a> {
        EndedCall {
            method: self.method,
            peer,
            elapsed: clock::now().saturating_duration_since(self.began),
            result: result.map(|_| ()),
            initial_metadata,
            trailing_metadata: result.unwrap_or_else(Status::metadata),
            sent: self.sent.traffic(),
            received: self.received.traffic(),
        }
    }
}

/// What the caller is told.
fn said(finished: &Finished) -> (&Metadata, Result<&Metadata, &Status>) {
    static NONE: Metadata = Metadata::new();
    let metadata = finished.envelope.as_ref();
    let initial = metadata.map_or(&NONE, |envelope| &envelope.initial);
    let trailing = metadata.map_or(&NONE, |envelope| &envelope.trailing);
    (initial, finished.result.as_ref().map(|()| trailing))
}

/// The one that was added last hears first, as if they stood around the call.
fn tell(listeners: Vec<OnEnd>, ended: &EndedCall<'_>) {
    for listener in listeners.into_iter().rev() {
        // This may run in a destructor. The panic hook has told of it.
        let _ = catch_unwind(AssertUnwindSafe(|| listener(ended)));
    }
}

/// One that nobody has closed was broken off, with its handler or before it: its observers
/// hear of every call.
impl Drop for Ledger {
    fn drop(&mut self) {
        if !self.observers.is_empty() {
            let text = "the call was cancelled, or its connection was lost";
            let why = self.end().broken_off.take();
            let status = why.unwrap_or_else(|| Status::new(Code::Cancelled, text));
            self.close(&Metadata::new(), Err(&status));
        }
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger")
            .field("method", &self.method)
            .field("sent", &self.sent)
            .field("received", &self.received)
            .finish_non_exhaustive()
    }
}
