//! The trait `Observer`, and how observers are called. Their panics are caught.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::attempt::{BegunAttempt, EndedAttempt};
use super::begun_call::BegunCall;
use super::call_observer::CallObserver;
use super::connection::{
    ClosedConnection, FailedConnection, LeavingConnection, ObservedConnection,
};
use super::ended_call::{EndedCall, PanickedHandler, RefusedCall};
use super::weights::UpdatedWeights;

/// Receives the events of the connections and calls of a channel
/// ([`ChannelBuilder::observe`](crate::ChannelBuilder::observe)) or of a server
/// ([`ServerBuilder::observe`](crate::ServerBuilder::observe)). Each method does nothing by
/// default. Without observers an event costs one branch.
///
/// The methods are called in the tasks of connections and of callers. They must not block;
/// slow work belongs in a separate task. A panic in one is caught. Several observers are
/// called in the order in which they were added.
///
/// | event | on a server | on a channel |
/// |---|---|---|
/// | HTTP/2 settings have been exchanged | [`connection_opened`](Self::connection_opened) | the same |
/// | an attempt to connect failed: the socket, TLS or HTTP/2 failed, or [`on_accept`](crate::ServerBuilder::on_accept) refused it | [`connection_failed`](Self::connection_failed) | the same, for each address that was tried |
/// | an open connection has ended, for any reason | [`connection_closed`](Self::connection_closed) | the same |
/// | GOAWAY | [`go_away_sent`](Self::go_away_sent), [`go_away_received`](Self::go_away_received) | the same |
/// | the listener cannot accept a connection | [`accept_failed`](Self::accept_failed) | |
/// | [`WeightedRoundRobin`](crate::WeightedRoundRobin) computes its schedule | | [`weights_updated`](Self::weights_updated) |
/// | a call is about to begin | [`wants_calls`](Self::wants_calls) | the same |
/// | a call begins | [`call_begun`](Self::call_begun) | the same |
/// | an attempt of a call | | [`attempt_begun`](Self::attempt_begun), [`attempt_ended`](Self::attempt_ended) |
/// | a handler panics | [`handler_panicked`](Self::handler_panicked) | |
/// | what happens within a call | [`CallObserver`] | the same |
/// | a call is over, for any reason | [`call_ended`](Self::call_ended), or [`call_refused`](Self::call_refused) if it had no handler | [`call_ended`](Self::call_ended) |
///
/// Every opened connection is reported closed once, and every call of a channel or a server
/// is reported over once. Streams that HTTP/2 itself refuses, such as those above
/// `max_concurrent_streams` or after GOAWAY, are not calls and are not reported.
///
/// ```
/// use grpc_runtime::{FailedConnection, Observer, Server};
///
/// /// Says who could not connect, and why.
/// struct Failures;
///
/// impl Observer for Failures {
///     fn connection_failed(&self, failed: &FailedConnection<'_>) {
///         eprintln!("{failed}");
///     }
/// }
///
/// let server = Server::builder().observe(Failures);
/// # drop(server);
/// ```
pub trait Observer: Send + Sync + 'static {
    /// The connection is open: the peer's SETTINGS have been received. On a channel whose
    /// calls are made on several threads, a call on the connection that ends at once may be
    /// reported before this.
    fn connection_opened(&self, connection: &ObservedConnection) {
        let _ = connection;
    }

    /// An attempt to connect failed. On a channel whose target has several addresses,
    /// attempts that lost the race to another address are not reported.
    fn connection_failed(&self, failed: &FailedConnection<'_>) {
        let _ = failed;
    }

    /// An opened connection has ended.
    fn connection_closed(&self, closed: &ClosedConnection<'_>) {
        let _ = closed;
    }

    /// This side accepts no more calls on the connection. Reported once, with the reason. An
    /// error that ends the connection later is the reason of
    /// [`connection_closed`](Self::connection_closed).
    fn go_away_sent(&self, go_away: &LeavingConnection<'_>) {
        let _ = go_away;
    }

    /// The peer accepts no more calls on the connection. Each GOAWAY is reported.
    fn go_away_received(&self, go_away: &LeavingConnection<'_>) {
        let _ = go_away;
    }

    /// Whether this observer wants the events of a call that begins now; `true` by default.
    /// If no observer does, and the call has no interceptor, only a refusal of the call is
    /// reported, and it costs little more than a call without observers. Called for each
    /// call, so it must be fast.
    fn wants_calls(&self) -> bool {
        true
    }

    /// A call begins. Return a [`CallObserver`] to follow the call event by event. The end
    /// of every call that has begun is reported once.
    fn call_begun(&self, call: &BegunCall<'_>) -> Option<Box<dyn CallObserver>> {
        let _ = call;
        None
    }

    /// An attempt of a channel's call begins. A call that is refused before it waits for a
    /// connection, for example by an interceptor, has no attempt.
    fn attempt_begun(&self, attempt: &BegunAttempt<'_>) {
        let _ = attempt;
    }

    /// An attempt of a channel's call is over. It is usually reported before the end of the
    /// call. The order can differ if several threads report events of one call, for example
    /// if the caller drops the call while an attempt begins. A hedge that lost is reported
    /// at the end of the call at the latest.
    fn attempt_ended(&self, attempt: &EndedAttempt<'_>) {
        let _ = attempt;
    }

    /// A handler has panicked. Called within the handler's turn, on its thread. The end of
    /// its call is reported too.
    fn handler_panicked(&self, panicked: &PanickedHandler<'_>) {
        let _ = panicked;
    }

    /// A call is over: on a channel when its caller has seen its end or has dropped it, on a
    /// server when it was answered or cancelled. Called after the
    /// [interceptors](crate::ServerInterceptor) that asked for the end of the call. All
    /// attempts of a retried call are one call.
    ///
    /// On a server the time begins with the call's head. OK means that the server answered
    /// with OK; whether the caller got the whole answer is not known. A call of a heavy
    /// method that ends before its handler ran is reported here too.
    fn call_ended(&self, call: &EndedCall<'_>) {
        let _ = call;
    }

    /// A server has answered a call that had no handler, or such a call was cancelled. If
    /// the server has interceptors, a call of an unknown method is reported like any other
    /// call: the interceptors see it, and [`call_ended`](Self::call_ended) reports its end.
    fn call_refused(&self, call: &RefusedCall<'_>) {
        let _ = call;
    }

    /// A channel's [`WeightedRoundRobin`](crate::WeightedRoundRobin) has computed its
    /// schedule from the weights of the ready endpoints. Called in the channel's background
    /// task, before calls use the schedule.
    fn weights_updated(&self, update: &UpdatedWeights<'_>) {
        let _ = update;
    }

    /// A listener of the server failed to accept a connection, for example because the
    /// process has no file descriptors left. The listener pauses and then continues.
    fn accept_failed(&self, error: &io::Error) {
        let _ = error;
    }
}

/// The observers of a channel or a server.
#[derive(Clone, Default)]
pub(crate) struct Observers(Option<Arc<ObserverSet>>);

/// The observers, and what they share.
struct ObserverSet {
    observers: Vec<Arc<dyn Observer>>,
    /// The channel's target; `None` for a server.
    target: Option<Arc<str>>,
}

impl Observers {
    pub(crate) fn push(&mut self, observer: impl Observer) {
        let others = self.all().cloned();
        let last: Arc<dyn Observer> = Arc::new(observer);
        self.0 = Some(Arc::new(ObserverSet {
            observers: others.chain([last]).collect(),
            target: self.shared_target(),
        }));
    }

    /// The same, for a channel with this target.
    pub(crate) fn of_target(&self, target: String) -> Self {
        Self(self.0.as_ref().map(|audience| {
            Arc::new(ObserverSet {
                observers: audience.observers.clone(),
                target: Some(target.into()),
            })
        }))
    }

    /// A copy with its own reference count: for a connection, each of whose calls holds a
    /// reference.
    pub(crate) fn apart(&self) -> Self {
        Self(self.0.as_ref().map(|audience| {
            Arc::new(ObserverSet {
                observers: audience.observers.clone(),
                target: audience.target.clone(),
            })
        }))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether any observer wants the events of a call.
    #[inline]
    pub(crate) fn want_calls(&self) -> bool {
        !self.is_empty() && self.ask_for_calls()
    }

    #[cold]
    fn ask_for_calls(&self) -> bool {
        let wants = |observer: &Arc<dyn Observer>| {
            let wants = catch_unwind(AssertUnwindSafe(|| observer.wants_calls()));
            wants.unwrap_or(true)
        };
        self.all().any(wants)
    }

    /// The channel's target, with its scheme.
    pub(crate) fn target(&self) -> Option<&str> {
        self.0.as_ref()?.target.as_deref()
    }

    /// The same, owned.
    pub(super) fn shared_target(&self) -> Option<Arc<str>> {
        self.0.as_ref()?.target.clone()
    }

    fn all(&self) -> impl Iterator<Item = &Arc<dyn Observer>> {
        self.0.iter().flat_map(|audience| &audience.observers)
    }

    /// Calls each observer. The panic hook reports a panic.
    pub(crate) fn tell(&self, tell: impl Fn(&dyn Observer)) {
        for observer in self.all() {
            let _ = catch_unwind(AssertUnwindSafe(|| tell(&**observer)));
        }
    }

    /// Reports a call that begins; returns the observers that follow it.
    pub(crate) fn begin(&self, call: &BegunCall<'_>) -> Vec<Box<dyn CallObserver>> {
        let begin = |observer: &Arc<dyn Observer>| {
            let begun = catch_unwind(AssertUnwindSafe(|| observer.call_begun(call)));
            begun.unwrap_or_default()
        };
        self.all().filter_map(begin).collect()
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Observers({})", self.all().count())
    }
}
