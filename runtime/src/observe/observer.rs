//! The trait `Observer`, and how observers are called. A panic of theirs is caught.

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

/// Hears what happens to the connections and the calls of a channel
/// ([`ChannelBuilder::observe`](crate::ChannelBuilder::observe)) or of a server
/// ([`ServerBuilder::observe`](crate::ServerBuilder::observe)). Each method does nothing
/// unless it is written; without an observer nothing is told, which costs one branch.
///
/// They are called where it happens, in the tasks of connections and of callers: they must
/// not block, and what takes time belongs to a task of its own. A panic in one is
/// dropped. Of several each is told, in the order in which they were added.
///
/// | what happens | on a server | on a channel |
/// |---|---|---|
/// | HTTP/2 is agreed on | [`connection_opened`](Self::connection_opened) | the same |
/// | it comes to no connection: the socket, TLS or HTTP/2 failed, or [`on_accept`](crate::ServerBuilder::on_accept) refused it | [`connection_failed`](Self::connection_failed) | the same, for each address that was tried |
/// | one that was open has ended, whoever ended it | [`connection_closed`](Self::connection_closed) | the same |
/// | GOAWAY | [`go_away_sent`](Self::go_away_sent), [`go_away_received`](Self::go_away_received) | the same |
/// | the system gives the listener no connection | [`accept_failed`](Self::accept_failed) | |
/// | [`WeightedRoundRobin`](crate::WeightedRoundRobin) makes its turns | | [`weights_updated`](Self::weights_updated) |
/// | a call is about to begin | [`wants_calls`](Self::wants_calls) | the same |
/// | a call begins | [`call_begun`](Self::call_begun) | the same |
/// | an attempt of a call | | [`attempt_begun`](Self::attempt_begun), [`attempt_ended`](Self::attempt_ended) |
/// | a handler panics | [`handler_panicked`](Self::handler_panicked) | |
/// | what happens within a call | [`CallObserver`] | the same |
/// | a call is over, in whatever way | [`call_ended`](Self::call_ended), or [`call_refused`](Self::call_refused) where it had no handler | [`call_ended`](Self::call_ended) |
///
/// Every connection that was opened is closed once. Every call of a channel is over once,
/// and so is every one that has come to a server's calls: not among them is what HTTP/2
/// itself turns away, as a stream above `max_concurrent_streams`, or after GOAWAY.
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
    /// HTTP/2 is agreed on with the peer: its SETTINGS have come. On a channel whose calls
    /// are made on several threads, one that was over at once may be told before this.
    fn connection_opened(&self, connection: &ObservedConnection) {
        let _ = connection;
    }

    /// An attempt came to no connection. On a channel whose target has several addresses,
    /// one that another address was faster than is not told.
    fn connection_failed(&self, failed: &FailedConnection<'_>) {
        let _ = failed;
    }

    /// A connection that was opened is no more.
    fn connection_closed(&self, closed: &ClosedConnection<'_>) {
        let _ = closed;
    }

    /// This side takes no more calls on the connection: told once, with the reason. An error
    /// that ends it later is the reason why it is closed.
    fn go_away_sent(&self, go_away: &LeavingConnection<'_>) {
        let _ = go_away;
    }

    /// The peer takes no more calls on the connection. Each GOAWAY is told.
    fn go_away_received(&self, go_away: &LeavingConnection<'_>) {
        let _ = go_away;
    }

    /// Whether it wants to hear of a call that begins now; `true` unless it is written. Where
    /// no observer does, and no interceptor stands around the call, nothing is told of it
    /// but its refusal, and it costs hardly more than without observers. It is asked for each
    /// call, and must be quick.
    fn wants_calls(&self) -> bool {
        true
    }

    /// A call begins. One that wants to follow it, event by event, gives a [`CallObserver`].
    /// Every call that has begun ends once.
    fn call_begun(&self, call: &BegunCall<'_>) -> Option<Box<dyn CallObserver>> {
        let _ = call;
        None
    }

    /// An attempt of a channel's call begins. A call that is refused before it looks for a
    /// connection, as by an interceptor, has none.
    fn attempt_begun(&self, attempt: &BegunAttempt<'_>) {
        let _ = attempt;
    }

    /// An attempt of a channel's call is over. As a rule it is told ahead of the call's own end;
    /// where several threads tell of one call, as when its caller leaves while an attempt
    /// begins, their order is not kept. A hedge that has lost is told with the call's end at the
    /// latest.
    fn attempt_ended(&self, attempt: &EndedAttempt<'_>) {
        let _ = attempt;
    }

    /// A handler has panicked. It is told within the handler's turn, on its thread; its
    /// call's end is told too.
    fn handler_panicked(&self, panicked: &PanickedHandler<'_>) {
        let _ = panicked;
    }

    /// A call is over. On a channel it is so when its caller has seen its end, or has left;
    /// on a server when it was answered, or broken off. It is told after the
    /// [interceptors](crate::ServerInterceptor) that wanted to know, and to those who watch
    /// the whole call: the attempts of one that is retried are one call.
    ///
    /// On a server the time begins with the call's head, and OK says that it was answered so:
    /// whether the caller got all of the answer is not known here. A call of a
    /// heavy method that ends before its handler had its turn is told here too.
    fn call_ended(&self, call: &EndedCall<'_>) {
        let _ = call;
    }

    /// A server has answered a call that had no handler, or such a call was broken off.
    /// Where the server has interceptors, a method that it does not have is a call as any
    /// other: they see it, and it ends.
    fn call_refused(&self, call: &RefusedCall<'_>) {
        let _ = call;
    }

    /// A channel's [`WeightedRoundRobin`](crate::WeightedRoundRobin) has made its turns from
    /// the weights of the endpoints that are ready, for the first time or anew. It is told by
    /// the task that looks after the channel, before calls go by these turns.
    fn weights_updated(&self, update: &UpdatedWeights<'_>) {
        let _ = update;
    }

    /// A listener of the server got an error for a connection, as where the process has
    /// no descriptors left. It pauses and goes on.
    fn accept_failed(&self, error: &io::Error) {
        let _ = error;
    }
}

/// The observers of a channel or a server.
#[derive(Clone, Default)]
pub(crate) struct Observers(Option<Arc<ObserverSet>>);

/// Those who are told, and of what.
struct ObserverSet {
    observers: Vec<Arc<dyn Observer>>,
    /// The channel's; a server has none.
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

    /// The same, of a channel that has this target.
    pub(crate) fn of_target(&self, target: String) -> Self {
        Self(self.0.as_ref().map(|audience| {
            Arc::new(ObserverSet {
                observers: audience.observers.clone(),
                target: Some(target.into()),
            })
        }))
    }

    /// The same, counted apart: for a connection, whose calls each count themselves.
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

    /// Whether there is one that wants to hear of a call.
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

    /// The same, to keep.
    pub(super) fn shared_target(&self) -> Option<Arc<str>> {
        self.0.as_ref()?.target.clone()
    }

    fn all(&self) -> impl Iterator<Item = &Arc<dyn Observer>> {
        self.0.iter().flat_map(|audience| &audience.observers)
    }

    /// Has each told. The panic hook has told of a panic.
    pub(crate) fn tell(&self, tell: impl Fn(&dyn Observer)) {
        for observer in self.all() {
            let _ = catch_unwind(AssertUnwindSafe(|| tell(&**observer)));
        }
    }

    /// Has each told of a call that begins; those who follow it.
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
