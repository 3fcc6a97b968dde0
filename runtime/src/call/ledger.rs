//! Records what happens in one call and reports its end to interceptors and observers. A
//! call with neither has no ledger.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use self::counter::Counter;
use self::live_attempts::LiveAttempts;
use super::command::Finished;
use crate::clock;
use crate::framing::Side;
use crate::metadata::Metadata;
use crate::method::Method;
use crate::observe::begun_call::BegunCall;
use crate::observe::call_observer::{CallObserver, ObservedMessage};
use crate::observe::ended_call::{EndedCall, FurtherAttempts, PanickedHandler};
use crate::observe::observer::Observers;
use crate::spare;
use crate::status::{Code, Status};
use crate::transport::PeerAddress;

mod attempts;
mod counter;
pub(crate) mod live_attempts;

/// The most ledgers that a thread keeps: about as many as one connection has calls in
/// flight. Each takes some 400 bytes.
const KEPT: usize = 128;

thread_local! {
    /// No call uses these, and nothing else holds them.
    static SPARE: RefCell<Vec<Arc<Ledger>>> = const { RefCell::new(Vec::new()) };
}

/// Called when a call ends.
pub(crate) type OnEnd = Box<dyn FnOnce(&EndedCall<'_>) + Send>;

/// The record of one observed call.
pub(crate) struct Ledger {
    pub(crate) sent: Counter,
    pub(crate) received: Counter,
    side: Side,
    method: Method,
    began: Instant,
    /// They are told of the end after the listeners.
    observers: Observers,
    /// Whether there are followers.
    is_followed: bool,
    followers: Mutex<Followers>,
    end: Mutex<EndFacts>,
}

/// The observers that follow this call.
#[derive(Default)]
struct Followers {
    all: Vec<Box<dyn CallObserver>>,
    /// They were told of the call's end. After that they are told only when a handler's
    /// turn ends.
    are_done: bool,
}

#[derive(Default)]
struct EndFacts {
    peer: Option<PeerAddress>,
    attempts: LiveAttempts,
    /// When the call began to wait for what its next attempt needs.
    waits_since: Option<Instant>,
    /// The attempt whose response is the call's, by its number in the policy's count.
    winner: Option<u8>,
    listeners: Vec<OnEnd>,
    /// Why the call was broken off, if the cause is outside its handler.
    broken_off: Option<Status>,
    /// The listeners have been called.
    told: bool,
    /// The observers have been told.
    is_observed: bool,
}

impl Ledger {
    /// The record of a call that begins at `now`; reports the beginning to the observers.
    pub(crate) fn begin(observers: Observers, call: &BegunCall<'_>, now: Instant) -> Arc<Self> {
        let followers = observers.begin(call);
        // Filled in place: the struct is too large to move.
        let spare = spare::with(&SPARE, Vec::pop).flatten();
        let mut ledger = spare.unwrap_or_else(|| Arc::new(Self::vacant(call, now)));
        let Some(place) = Arc::get_mut(&mut ledger) else {
            unreachable!("nobody holds a spare one");
        };
        (place.sent, place.received) = (Counter::default(), Counter::default());
        (place.side, place.method, place.began) = (call.side, call.method, now);
        place.observers = observers;
        place.is_followed = !followers.is_empty();
        let of_call = place.followers.get_mut();
        let of_call = of_call.unwrap_or_else(PoisonError::into_inner);
        (of_call.all, of_call.are_done) = (followers, false);
        let end = place.end.get_mut().unwrap_or_else(PoisonError::into_inner);
        end.peer = call.peer.cloned();
        end.attempts = LiveAttempts::default();
        (end.waits_since, end.winner, end.broken_off) = (None, None, None);
        end.listeners.clear();
        (end.told, end.is_observed) = (false, false);
        ledger
    }

    /// A newly allocated ledger.
    #[cold]
    fn vacant(call: &BegunCall<'_>, now: Instant) -> Self {
        Self {
            sent: Counter::default(),
            received: Counter::default(),
            side: call.side,
            method: call.method,
            began: now,
            observers: Observers::default(),
            is_followed: false,
            followers: Mutex::default(),
            end: Mutex::default(),
        }
    }

    /// Called by each holder when it is done with the call. The last holder's ledger is
    /// kept for the thread's next call.
    pub(crate) fn give_back(mut ledger: Arc<Self>) {
        if let Some(last) = Arc::get_mut(&mut ledger) {
            last.finish();
            last.observers = Observers::default();
            spare::with(&SPARE, |spare| {
                if spare.len() < KEPT {
                    spare.push(ledger);
                }
            });
        }
    }

    /// A ledger that was never closed belongs to a call that was broken off, with its
    /// handler or before it: reports that end, since observers are told of every call's
    /// end.
    fn finish(&mut self) {
        let end = self.end.get_mut().unwrap_or_else(PoisonError::into_inner);
        if !self.observers.is_empty() && !end.is_observed {
            let text = "the call was cancelled, or its connection was lost";
            let why = end.broken_off.take();
            let status = why.unwrap_or_else(|| Status::new(Code::Cancelled, text));
            self.close(&Metadata::new(), Err(&status));
        }
        let end = self.end.get_mut().unwrap_or_else(PoisonError::into_inner);
        (end.peer, end.broken_off) = (None, None);
        if std::mem::take(&mut self.is_followed) {
            self.drop_followers();
        }
    }

    #[cold]
    fn drop_followers(&mut self) {
        let followers = self.followers.get_mut();
        for follower in std::mem::take(followers.unwrap_or_else(PoisonError::into_inner)).all {
            let _ = catch_unwind(AssertUnwindSafe(|| drop(follower)));
        }
    }

    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    fn end(&self) -> MutexGuard<'_, EndFacts> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `tell` for each follower, unless they were already told of the end.
    pub(crate) fn follow(&self, tell: impl FnMut(&mut dyn CallObserver)) {
        if self.is_followed {
            self.followers().tell(tell);
        }
    }

    /// The handler's turn has ended: it waits or is done. The call may already be over.
    pub(crate) fn end_turn(&self) {
        if self.is_followed {
            let mut followers = self.followers();
            let are_done = std::mem::take(&mut followers.are_done);
            followers.tell(CallObserver::turn_ended);
            followers.are_done = are_done;
        }
    }

    fn followers(&self) -> MutexGuard<'_, Followers> {
        let followers = self.followers.lock();
        followers.unwrap_or_else(PoisonError::into_inner)
    }

    // --- messages ------------------------------------------------------------------

    /// This side has queued a message of `size` bytes for sending.
    pub(crate) fn count_sent(&self, size: usize, wire_size: usize) {
        let number = self.sent.add(wire_size);
        let message = ObservedMessage::new(number, size, wire_size);
        self.follow(|it| it.message_sent(&message));
    }

    /// Like [`count_sent`](Self::count_sent), for the only message of a half that does not
    /// stream. It may have been counted before.
    pub(crate) fn count_sent_one(&self, size: usize, wire_size: usize) {
        self.sent.set_one(wire_size);
        let message = ObservedMessage::new(0, size, wire_size);
        self.follow(|it| it.message_sent(&message));
    }

    /// The application has taken a received message.
    pub(crate) fn count_received(&self, size: usize, wire_size: usize) {
        let number = self.received.add(wire_size);
        let message = ObservedMessage::new(number, size, wire_size);
        self.follow(|it| it.message_received(&message));
    }

    /// Like [`count_sent_one`](Self::count_sent_one), for a message that the application
    /// took.
    pub(crate) fn count_received_one(&self, size: usize, wire_size: usize) {
        self.received.set_one(wire_size);
        let message = ObservedMessage::new(0, size, wire_size);
        self.follow(|it| it.message_received(&message));
    }

    // --- the end -------------------------------------------------------------------

    /// Calls `listener` when the call has ended. After the end it is called at once; that
    /// happens only if the caller gave up before.
    pub(crate) fn on_end(&self, listener: OnEnd) {
        let mut end = self.end();
        if !end.told {
            end.listeners.push(listener);
            return;
        }
        let counts = (end.attempts.begun(), end.attempts.counts());
        drop(end);
        let status = Status::new(Code::Cancelled, "the call was cancelled by its caller");
        let none = Metadata::new();
        let ended = self.ended(None, &none, Err(&status), counts, clock::now());
        tell(vec![listener], &ended);
    }

    /// Records why the call ends, whatever its handler does. The first reason stays.
    pub(crate) fn break_off(&self, why: Status) {
        self.end().broken_off.get_or_insert(why);
    }

    /// Whether the call was broken off by something outside its handler.
    pub(crate) fn is_broken_off(&self) -> bool {
        self.end().broken_off.is_some()
    }

    /// The handler was broken off: tells the listeners, with the recorded reason or else
    /// with `otherwise`.
    pub(crate) fn tell_broken_off(&self, otherwise: impl FnOnce() -> Status) {
        let why = self.end().broken_off.clone();
        let status = why.unwrap_or_else(otherwise);
        self.break_off(status.clone());
        self.tell(&Metadata::new(), Err(&status));
    }

    /// The handler has returned `finished`: tells the listeners.
    pub(crate) fn tell_answered(&self, finished: &Finished) {
        let (initial, result) = said(finished);
        self.tell(initial, result);
    }

    /// The call was answered with `finished`: closes the record.
    pub(crate) fn close_answered(&self, finished: &Finished) {
        let (initial, result) = said(finished);
        self.close(initial, result);
    }

    /// The handler has panicked.
    #[cold]
    pub(crate) fn panicked(&self, payload: &(dyn Any + Send)) {
        let owned = payload.downcast_ref::<String>().map(String::as_str);
        let peer = self.end().peer.clone();
        let panicked = PanickedHandler {
            method: self.method,
            peer: peer.as_ref(),
            text: owned.or_else(|| payload.downcast_ref::<&str>().copied()),
        };
        self.observers.tell(|it| it.handler_panicked(&panicked));
    }

    /// The caller has received the call's end: tells the listeners and observers, once. Not
    /// inlined, to keep the code of unobserved calls small.
    #[inline(never)]
    pub(crate) fn close(&self, initial: &Metadata, result: Result<&Metadata, &Status>) {
        let now = clock::now();
        let mut end = self.end();
        let is_told = std::mem::replace(&mut end.told, true);
        let is_observed = std::mem::replace(&mut end.is_observed, true);
        if is_told && (is_observed || self.observers.is_empty()) {
            return;
        }
        let listeners = std::mem::take(&mut end.listeners);
        let peer = end.peer.clone();
        let (winner, attempts) = (end.winner, end.attempts.end_all());
        let counts = (end.attempts.begun(), end.attempts.counts());
        drop(end);
        let ended = self.ended(peer.as_ref(), initial, result, counts, now);
        tell(listeners, &ended);
        if is_observed || self.observers.is_empty() {
            return;
        }
        for attempt in attempts {
            self.close_attempt(&attempt, winner, &ended, now);
        }
        self.observers.tell(|it| it.call_ended(&ended));
        if self.is_followed {
            let mut followers = self.followers();
            followers.tell(|it| it.ended(&ended));
            followers.are_done = true;
        }
    }

    /// Tells the listeners of the end.
    fn tell(&self, initial: &Metadata, result: Result<&Metadata, &Status>) {
        let mut end = self.end();
        if std::mem::replace(&mut end.told, true) {
            return;
        }
        let (listeners, peer) = (std::mem::take(&mut end.listeners), end.peer.clone());
        let counts = (end.attempts.begun(), end.attempts.counts());
        drop(end);
        if !listeners.is_empty() {
            let now = clock::now();
            let ended = self.ended(peer.as_ref(), initial, result, counts, now);
            tell(listeners, &ended);
        }
    }

    fn ended<'a>(
        &'a self,
        peer: Option<&'a PeerAddress>,
        initial_metadata: &'a Metadata,
        result: Result<&'a Metadata, &'a Status>,
        (attempts, further_attempts): (u32, FurtherAttempts),
        now: Instant,
    ) -> EndedCall<'a> {
        EndedCall {
            side: self.side,
            method: self.method,
            target: self.observers.target(),
            attempts,
            further_attempts,
            peer,
            elapsed: now.saturating_duration_since(self.began),
            result: result.map(|_| ()),
            initial_metadata,
            trailing_metadata: result.unwrap_or_else(Status::metadata),
            sent: self.sent.traffic(),
            received: self.received.traffic(),
        }
    }
}

impl Followers {
    fn tell(&mut self, mut tell: impl FnMut(&mut dyn CallObserver)) {
        if self.are_done {
            return;
        }
        for follower in &mut self.all {
            let _ = catch_unwind(AssertUnwindSafe(|| tell(&mut **follower)));
        }
    }
}

/// The metadata and status that the caller receives.
fn said(finished: &Finished) -> (&Metadata, Result<&Metadata, &Status>) {
    static NONE: Metadata = Metadata::new();
    let metadata = finished.envelope.as_ref();
    let initial = metadata.map_or(&NONE, |envelope| &envelope.initial);
    let trailing = metadata.map_or(&NONE, |envelope| &envelope.trailing);
    (initial, finished.result.as_ref().map(|()| trailing))
}

/// Calls the listeners in reverse order of their addition, so that they nest around the
/// call.
fn tell(listeners: Vec<OnEnd>, ended: &EndedCall<'_>) {
    for listener in listeners.into_iter().rev() {
        // This may run in a destructor, so a panic stops here. The panic hook has reported
        // it.
        let _ = catch_unwind(AssertUnwindSafe(|| listener(ended)));
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.finish();
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

#[cfg(test)]
mod tests;
