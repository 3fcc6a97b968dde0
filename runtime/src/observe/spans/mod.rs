//! Calls as spans of `tracing`, and events of connections as its events: with one file of the
//! access log the only place that names `tracing`.

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

/// The targets of what is told of a server's calls, and of a channel's.
const SERVER: &str = "grpc_runtime::server";
const CLIENT: &str = "grpc_runtime::client";

type MakeSpan = dyn Fn(&BegunCall<'_>) -> Span + Send + Sync;

/// Makes a span of [`tracing`](mod@crate::tracing) for each call, and an event of what happens to
/// connections: an [`Observer`] for servers and channels.
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
/// It is open from the call's beginning until the call is over: until a channel's caller has
/// the trailers, or a server has answered. The attempts of a call that is retried are in one
/// span. Of a server's call it has no parent but the one that a [`Propagator`] finds in the
/// request, and the handler runs within it, so what the handler logs belongs to it. What the
/// handler gives to a task of its own does not, unless that is instrumented with
/// `Span::current()`. Of a channel's call its parent is the span within which the call is
/// started.
///
/// It has these fields, which `tracing-opentelemetry` turns into a span of OpenTelemetry.
/// Those that are only told at the end are told to each span that declares them
/// (`tracing::field::Empty`), and so are those that a span has on demand alone, by a
/// function of yours: see [`span`](Self::span).
///
/// | field | value | when | a span has it |
/// |---|---|---|---|
/// | `otel.name` | `package.Service/Method`; `_OTHER` of a method that the server does not have | begins | yes |
/// | `otel.kind` | `server` or `client` | begins | yes |
/// | `otel.status_code` | `ERROR`; not told of a call that went well. On a channel each code but OK is an error; on a server UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE and DATA_LOSS are, since the others are the caller's | ends | yes |
/// | `otel.status_description` | code and text of an error, at most 1,024 bytes | ends | yes |
/// | `rpc.system` | `grpc` | begins | yes |
/// | `rpc.service` | `package.Service` | begins | yes |
/// | `rpc.method` | `Method`, or `_OTHER` | begins | yes |
/// | `rpc.grpc.status_code` | the code as a number | ends | yes |
/// | `network.peer.address`, `network.peer.port` | where the call came from, or went; not told of one that never left | begins on a server, ends on a channel | yes |
/// | `server.address`, `server.port` | what the channel's target names | begins | a channel's |
/// | `rpc.response.status_code` | the code's name, as newer conventions have it | ends | on demand |
/// | `error.type` | the code's name, if it is an error | ends | on demand |
/// | `grpc.sent.messages`, `grpc.sent.bytes`, `grpc.received.messages`, `grpc.received.bytes` | what passed, as [`Traffic`](crate::Traffic) counts it | ends | on demand |
/// | `grpc.attempts` | how many attempts a channel's call had | ends | on demand |
///
/// # Events
///
/// What a peer wrote is in no event's text, but in its fields, as strings, which a subscriber
/// escapes. Targets are for filters such as
/// `RUST_LOG=info,grpc_runtime::connection=debug`; all begin with `grpc_runtime`.
///
/// | what happens | level | target |
/// |---|---|---|
/// | a handler panics | ERROR | `grpc_runtime::server` |
/// | a listener gets no connections, as with no descriptors left | ERROR | `grpc_runtime::connection` |
/// | a channel cannot connect to an address | WARN | `grpc_runtime::connection` |
/// | a server broke the rules of HTTP/2 on an open connection, or complains with a GOAWAY that is no farewell, such as `too_many_pings` | WARN | `grpc_runtime::connection` |
/// | a channel lost a connection, or gave it up since its server was silent | INFO | `grpc_runtime::connection` |
/// | a client broke the rules of HTTP/2 on an open connection | INFO | `grpc_runtime::connection` |
/// | a client came to no connection with a server: scanners of the internet and a balancer's probes do so all day | DEBUG | `grpc_runtime::connection` |
/// | a connection is opened, or ends in any other way; any other GOAWAY | DEBUG | `grpc_runtime::connection` |
/// | a server refuses a call that gets no handler | DEBUG | `grpc_runtime::server` |
/// | a channel's call waited for the name or for a connection; it has a further attempt; an attempt fails | DEBUG, in the call's span | `grpc_runtime::client` |
/// | initial metadata and each message pass | TRACE, in the call's span | `grpc_runtime::client` and `grpc_runtime::server` |
///
/// So at the level INFO a call writes no line. For a line a call there is
/// [`AccessLog`](crate::AccessLog).
///
/// # What it costs
///
/// Calls whose span the subscriber wants cost what the subscriber takes for a span with its
/// fields, and an allocation. Where it does not want them, by its level or target, a call
/// costs no more than that it is observed at all; without a subscriber, next to nothing.
pub struct Spans {
    level: Level,
    make: Option<Box<MakeSpan>>,
    propagator: Option<Arc<dyn Propagator>>,
}

impl Spans {
    /// Spans of the level INFO, which carry no trace beyond this process.
    pub fn new() -> Self {
        Self {
            level: Level::INFO,
            make: None,
            propagator: None,
        }
    }

    /// The level of the spans; INFO unless it is said. It holds for those that are made here,
    /// not for those of [`span`](Self::span), and changes no event's level.
    #[must_use]
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Has calls get the spans that `make` makes, with the fields, the name and the level that
    /// you want. It runs where the call begins: on a channel within the caller's span, which
    /// so is the parent; on a server within whatever is there, so say `parent: None`. A call
    /// for which it gives [`Span::none`] has no span.
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

    /// Has traces go on from process to process: how their context stands in metadata, the
    /// [`Propagator`] says. Without one each server's call begins a trace of its own.
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
    /// Without a subscriber it wants none.
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
            // Before anything else: some can have a parent only until they are used.
            if let Some(propagator) = propagator {
                propagator.extract(call.metadata(), &span);
            }
            if let Some(peer) = call.peer() {
                recorded::peer(&span, peer);
            }
            return Some(Box::new(FollowedCall::new(Side::Server, span)));
        }
        let carrier = propagator.and_then(|propagator| {
            // A filter on the runtime's spans ends no trace of its caller.
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

    /// The parent is the call's span, within which this is told.
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
