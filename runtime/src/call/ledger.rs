//! What passed in one call, and who wants to hear of its end. Only a call that
//! interceptors watch has one. It must never decide anything about its call.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock;
use crate::metadata::Metadata;
use crate::method::Method;
use crate::status::{Code, Status};
use crate::transport::PeerAddress;

/// What passed one way in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Traffic {
    /// Messages.
    pub messages: u64,
    /// The bytes of their bodies, compressed where they were, without gRPC's
    /// prefixes.
    pub bytes: u64,
}

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
}

/// A call that has ended, as its caller saw it, or as its server left it.
#[derive(Debug)]
pub struct EndedCall<'a> {
    method: Method,
    peer: Option<&'a PeerAddress>,
    elapsed: Duration,
    result: Result<(), &'a Status>,
    initial_metadata: &'a Metadata,
    trailing_metadata: &'a Metadata,
    sent: Traffic,
    received: Traffic,
}

impl EndedCall<'_> {
    /// The method that was called.
    pub fn method(&self) -> Method {
        self.method
    }

    /// Where the call went, or came from; `None` if it never left. Behind a proxy
    /// that is the proxy.
    pub fn peer(&self) -> Option<&PeerAddress> {
        self.peer
    }

    /// The time from the start of the call to the moment when its caller saw the
    /// end; on a server, from when the request was there until the handler had ended.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// How the call ended.
    pub fn result(&self) -> Result<(), &Status> {
        self.result
    }

    /// The code of [`result`](Self::result).
    pub fn code(&self) -> Code {
        self.result.err().map_or(Code::Ok, Status::code)
    }

    /// What the server sent ahead of its messages.
    pub fn initial_metadata(&self) -> &Metadata {
        self.initial_metadata
    }

    /// What the server sent behind its messages, or with its error.
    pub fn trailing_metadata(&self) -> &Metadata {
        self.trailing_metadata
    }

    /// The messages that this side sent.
    pub fn sent(&self) -> Traffic {
        self.sent
    }

    /// The messages that this side received.
    pub fn received(&self) -> Traffic {
        self.received
    }
}

impl Ledger {
    pub(crate) fn new(method: Method, now: Instant) -> Arc<Self> {
        Arc::new(Self {
            sent: Counter::default(),
            received: Counter::default(),
            method,
            began: now,
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
        self.tell(vec![listener], None, &Metadata::new(), Err(&status));
    }

    /// The call ends, whatever its handler does.
    pub(crate) fn break_off(&self, why: Status) {
        self.end().broken_off.get_or_insert(why);
    }

    /// Whether the call was broken off from outside of its handler.
    pub(crate) fn is_broken_off(&self) -> bool {
        self.end().broken_off.is_some()
    }

    /// The call was broken off, by `otherwise` unless somebody said why.
    pub(crate) fn close_broken_off(&self, otherwise: impl FnOnce() -> Status) {
        let why = self.end().broken_off.take();
        let status = why.unwrap_or_else(otherwise);
        self.close(&Metadata::new(), Err(&status));
    }

    /// The caller has the call's end; who wanted to know hears of it once.
    pub(crate) fn close(&self, initial: &Metadata, result: Result<&Metadata, &Status>) {
        let mut end = self.end();
        if std::mem::replace(&mut end.told, true) {
            return;
        }
        let (listeners, peer) = (std::mem::take(&mut end.listeners), end.peer.take());
        drop(end);
        self.tell(listeners, peer.as_ref(), initial, result);
    }

    /// The one that was added last hears first, as if they stood around the call.
    fn tell(
        &self,
        listeners: Vec<OnEnd>,
        peer: Option<&PeerAddress>,
        initial_metadata: &Metadata,
        result: Result<&Metadata, &Status>,
    ) {
        let ended = EndedCall {
            method: self.method,
            peer,
            elapsed: clock::now().saturating_duration_since(self.began),
            result: result.map(|_| ()),
            initial_metadata,
            trailing_metadata: result.unwrap_or_else(Status::metadata),
            sent: self.sent.traffic(),
            received: self.received.traffic(),
        };
        for listener in listeners.into_iter().rev() {
            // This may run in a destructor. The panic hook has told of it.
            let _ = catch_unwind(AssertUnwindSafe(|| listener(&ended)));
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
