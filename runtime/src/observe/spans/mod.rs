//! Reports calls as spans of `tracing`, and events of connections as `tracing` events. Only
//! this folder and one file of the access log use `tracing`.

mod connections;
mod followed;
mod made;
mod propagator;
mod recorded;

use std::fmt;
use std::io;
use std::sync::Arc;

use tracing::level_filters::LevelFilter;
use tracing::{Level, Span, debug, error};

use self::followed::FollowedCall;
pub use self::propagator::Propagator;
use super::begun_call::BegunCall;
use super::call_observer::CallObserver;
use super::connection::{
    ClosedConnection, FailedConnection, LeavingConnection, ObservedConnection,
};
use super::ended_call::{PanickedHandler, RefusedCall};
use super::excerpt::{TEXT, excerpt};
use super::observer::Observer;
use crate::framing::Side;

/// The targets of events of a server's calls, and of a channel's.
const SERVER: &str = "grpc_runtime::server";
const CLIENT: &str = "grpc_runtime::client";

type MakeSpan = dyn Fn(&BegunCall<'_>) -> Span + Send + Sync;

/// Makes a [`tracing`](mod@crate::tracing) span for each call, and events for connections:
/// an [`Observer`] for servers and channels.
///
/// ```
/// use grpc_runtime::{Channel, ChannelCredentials, Server, Spans};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Server::builder().observe(Spans::new());
/// let channel = Channel::builder("localhost:50051")?
///     .observe(Spans::new())
///     .build(ChannelCredentials::insecure())?;
/// # drop((server, channel));
/// # Ok(())
/// # }
/// ```
///
/// # The span of a call
///
/// The span is open from the beginning of the call to its end: until a channel's caller has
/// the trailers, or a server has answered. All attempts of a retried call are in one span.
/// On a server the only possible parent is the one that a [`Propagator`] finds in the
/// request, and the handler runs within the span, so the handler's log events belong to it.
/// Tasks that the handler spawns do not run within it, unless they are instrumented with
/// `Span::current()`. On a channel the parent is the span in which the call is started.
///
/// It has these fields, which `tracing-opentelemetry` turns into an OpenTelemetry span.
/// Fields with a value at the end of the call are recorded on each span that declares them
/// as `tracing::field::Empty`. Fields marked "on demand" are not on the default spans:
/// declare them on your own spans, see [`span`](Self::span).
///
/// | field | value | when | a span has it |
/// |---|---|---|---|
/// | `otel.name` | `package.Service/Method`; `_OTHER` for a method that the server does not have | begins | yes |
/// | `otel.kind` | `server` or `client` | begins | yes |
/// | `otel.status_code` | `ERROR`; not set if the call succeeded. On a channel every code except OK is an error; on a server UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE and DATA_LOSS are, since the others are the caller's errors | ends | yes |
/// | `otel.status_description` | code and text of an error, at most 1,024 bytes | ends | yes |
/// | `rpc.system` | `grpc` | begins | yes |
/// | `rpc.service` | `package.Service` | begins | yes |
/// | `rpc.method` | `Method`, or `_OTHER` | begins | yes |
/// | `rpc.grpc.status_code` | the code as a number | ends | yes |
/// | `network.peer.address`, `network.peer.port` | the address of the client or the server; not set for a call that was not sent | begins on a server, ends on a channel | yes |
/// | `server.address`, `server.port` | host and port of the channel's target | begins | on a channel |
/// | `rpc.response.status_code` | the code's name, by OpenTelemetry's newer conventions | ends | on demand |
/// | `error.type` | the code's name, if it is an error | ends | on demand |
/// | `grpc.sent.messages`, `grpc.sent.bytes`, `grpc.received.messages`, `grpc.received.bytes` | messages and bytes of the call, as [`Traffic`](crate::Traffic) counts them | ends | on demand |
/// | `grpc.attempts` | how many attempts a channel's call had | ends | on demand |
///
/// # Events
///
/// Text that a peer wrote is only in string fields of events, which subscribers escape, and
/// not in their messages. All targets begin with `grpc_runtime`, for filters such as
/// `RUST_LOG=info,grpc_runtime::connection=debug`.
///
/// | event | level | target |
/// |---|---|---|
/// | a handler panics | ERROR | `grpc_runtime::server` |
/// | a listener cannot accept connections, for example because the process has no file descriptors left | ERROR | `grpc_runtime::connection` |
/// | a channel cannot connect to an address | WARN | `grpc_runtime::connection` |
/// | a server broke the rules of HTTP/2 on an open connection, or sent a GOAWAY with an error, such as `too_many_pings` | WARN | `grpc_runtime::connection` |
/// | a channel lost a connection, or ended it because the server did not answer | INFO | `grpc_runtime::connection` |
/// | a client broke the rules of HTTP/2 on an open connection | INFO | `grpc_runtime::connection` |
/// | a client's attempt to connect to a server failed, as those of scanners and of load balancers' probes do | DEBUG | `grpc_runtime::connection` |
/// | a connection is opened, or ends in another way; any other GOAWAY | DEBUG | `grpc_runtime::connection` |
/// | a server refuses a call before it has a handler | DEBUG | `grpc_runtime::server` |
/// | a channel's call waited for name resolution or for a connection, begins another attempt, or an attempt fails | DEBUG, in the call's span | `grpc_runtime::client` |
/// | initial metadata or a message is sent or received | TRACE, in the call's span | `grpc_runtime::client` and `grpc_runtime::server` |
///
/// So calls write no lines at the level INFO. For one line a call use
/// [`AccessLog`](crate::AccessLog).
///
/// # What it costs
///
/// A call whose span is enabled costs one allocation, and what the subscriber needs for a
/// span with its fields. If the subscriber disables the span by level or target, the call
/// costs only what any observer costs. Without a subscriber the cost is close to zero.
pub struct Spans {
    level: Level,
    make: Option<Box<MakeSpan>>,
    propagator: Option<Arc<dyn Propagator>>,
}

impl Spans {
    /// Spans of the level INFO, without propagation of traces to other processes.
    pub fn new() -> Self {
        Self {
            level: Level::INFO,
            make: None,
            propagator: None,
        }
    }

    /// The level of the spans, INFO by default. It does not apply to spans of
    /// [`span`](Self::span), nor to events.
    #[must_use]
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Uses the spans that `make` returns, with your own fields, name and level. `make` runs
    /// when the call begins: on a channel within the caller's span, which becomes the
    /// parent; on a server within whatever span is current, so set `parent: None`. Return
    /// [`Span::none`] for a call without a span.
    ///
    /// ```
    /// use grpc_runtime::{BegunCall, Server, Spans, tracing};
    /// use tracing::field::Empty;
    ///
    /// let spans = Spans::new().span(|call: &BegunCall<'_>| {
    ///     tracing::info_span!(
    ///         parent: None,
    ///         "call",
    ///         method = call.method().path(),
    ///         tenant = call.metadata().get("x-tenant"),
    ///         // The runtime fills in what is declared under these names.
    ///         rpc.grpc.status_code = Empty,
    ///         grpc.sent.bytes = Empty,
    ///     )
    /// });
    /// let server = Server::builder().observe(spans);
    /// # drop(server);
    /// ```
    #[must_use]
    pub fn span(mut self, make: impl Fn(&BegunCall<'_>) -> Span + Send + Sync + 'static) -> Self {
        self.make = Some(Box::new(make));
        self
    }

    /// Propagates traces between processes: the [`Propagator`] reads and writes the trace's
    /// context in metadata. Without one each call on a server begins a new trace.
    #[must_use]
    pub fn propagator(mut self, propagator: impl Propagator) -> Self {
        self.propagator = Some(Arc::new(propagator));
        self
    }

    fn span_of(&self, call: &BegunCall<'_>) -> Span {
        match &self.make {
            Some(make) => make(call),
            None => made::span(self.level, call),
        }
    }
}

impl Default for Spans {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Spans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spans")
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}

impl Observer for Spans {
    /// `false` if there is no subscriber.
    fn wants_calls(&self) -> bool {
        LevelFilter::current() != LevelFilter::OFF
    }

    fn connection_opened(&self, connection: &ObservedConnection) {
        connections::opened(connection);
    }

    fn connection_failed(&self, failed: &FailedConnection<'_>) {
        connections::failed(failed);
    }

    fn connection_closed(&self, closed: &ClosedConnection<'_>) {
        connections::closed(closed);
    }

    fn go_away_sent(&self, go_away: &LeavingConnection<'_>) {
        connections::go_away_sent(go_away);
    }

    fn go_away_received(&self, go_away: &LeavingConnection<'_>) {
        connections::go_away_received(go_away);
    }

    fn accept_failed(&self, error: &io::Error) {
        connections::accept_failed(error);
    }

    fn call_begun(&self, call: &BegunCall<'_>) -> Option<Box<dyn CallObserver>> {
        let span = self.span_of(call);
        let propagator = self.propagator.as_ref();
        if call.side() == Side::Server {
            if span.is_disabled() {
                return None;
            }
            // First, because some spans accept a parent only until they are used.
            if let Some(propagator) = propagator {
                propagator.extract(call.metadata(), &span);
            }
            if let Some(peer) = call.peer() {
                recorded::peer(&span, peer);
            }
            return Some(Box::new(FollowedCall::new(Side::Server, span)));
        }
        let carrier = propagator.and_then(|propagator| {
            // The caller's trace goes on even if a filter disables the runtime's spans.
            let carrier = if span.is_disabled() {
                Span::current()
            } else {
                span.clone()
            };
            (!carrier.is_disabled()).then(|| (Arc::clone(propagator), carrier))
        });
        if span.is_disabled() && carrier.is_none() {
            return None;
        }
        let followed = FollowedCall::new(Side::Client, span).with_carrier(carrier);
        Some(Box::new(followed))
    }

    /// The event's parent is the call's span, since the handler's turn is within it.
    fn handler_panicked(&self, panicked: &PanickedHandler<'_>) {
        error!(
            target: SERVER,
            method = panicked.method().path(),
            peer = panicked.peer().map(ToString::to_string),
            panic = panicked.text().map(|text| excerpt(text, TEXT)),
            "a handler panicked"
        );
    }

    fn call_refused(&self, call: &RefusedCall<'_>) {
        debug!(
            target: SERVER,
            parent: None,
            path = excerpt(call.path(), TEXT),
            peer = call.peer().to_string(),
            code = call.status().code().name(),
            error = excerpt(call.status().message(), TEXT),
            "a call was refused"
        );
    }
}
