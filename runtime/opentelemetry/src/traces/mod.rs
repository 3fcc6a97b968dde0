//! Spans of calls and of their attempts (gRFC A72): an observer.

mod carrier;
mod channel_spans;
mod server_span;
mod span;
mod trace_bin;

use std::fmt;
use std::sync::Arc;

use grpc_runtime::{BegunCall, CallObserver, Observer, Side};
use opentelemetry::InstrumentationScope;
use opentelemetry::global::BoxedTracer;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{Span, Tracer, TracerProvider};

use self::channel_spans::ChannelSpans;
use self::server_span::ServerSpan;
pub use self::trace_bin::GrpcTraceBin;

/// Traces of calls, for
/// [`ServerBuilder::observe`](grpc_runtime::ServerBuilder::observe) and
/// [`ChannelBuilder::observe`](grpc_runtime::ChannelBuilder::observe), as gRFC A72 has them.
///
/// | span | kind | parent | attributes | events |
/// |---|---|---|---|---|
/// | `Sent.package.Service.Method`: a channel's call | client | the current [`Context`](opentelemetry::Context) where the call is made | | `Delayed name resolution complete` |
/// | `Attempt.package.Service.Method` | internal | the call | `previous-rpc-attempts`, `transparent-retry` | `Delayed LB pick complete`, messages |
/// | `Recv.package.Service.Method`: a server's call | server | what the propagator finds in the metadata | | messages |
///
/// A message is an event `Outbound message` or `Inbound message` with `sequence-number` from
/// 0, `message-size` in bytes, and `message-size-compressed` if it differs. While a call has
/// several attempts, received messages are events of the call's span. A span that ended with
/// a code other than OK has the status error and a text such as `NOT_FOUND, no such order`.
///
/// A server's span is the current context while the handler runs: spans of its calls are its
/// children. Tasks that the handler spawns do not inherit it
/// ([`FutureExt::with_context`](opentelemetry::trace::FutureExt::with_context)). Calls for
/// which no handler began ([`Observer::call_refused`](grpc_runtime::Observer::call_refused))
/// have no span.
///
/// A call that is traced costs a few allocations; one channel may have traces and another
/// none. A clone is the same traces.
#[derive(Clone)]
pub struct Traces(Arc<Traced>);

/// The state that clones share.
pub(crate) struct Traced {
    tracer: BoxedTracer,
    propagator: Box<dyn TextMapPropagator + Send + Sync>,
}

impl Traces {
    /// Spans by a tracer of this provider, whose name is `grpc-runtime`; the context goes
    /// from a client to a server as the propagator writes and reads it. Both ends have to
    /// use the same format: W3C's is `TraceContextPropagator` of `opentelemetry_sdk`, and
    /// [`GrpcTraceBin`] is gRPC's older `grpc-trace-bin`. A `TextMapCompositePropagator`
    /// joins several. The global provider and propagator are not used.
    pub fn new<P>(provider: &P, propagator: impl TextMapPropagator + Send + Sync + 'static) -> Self
    where
        P: TracerProvider + ?Sized,
        P::Tracer: Tracer<Span: Span + Send + Sync + 'static> + Send + Sync + 'static,
    {
        let scope = InstrumentationScope::builder("grpc-runtime");
        let scope = scope.with_version(env!("CARGO_PKG_VERSION")).build();
        Self(Arc::new(Traced {
            tracer: BoxedTracer::new(Box::new(provider.tracer_with_scope(scope))),
            propagator: Box::new(propagator),
        }))
    }
}

impl Observer for Traces {
    fn call_begun(&self, call: &BegunCall<'_>) -> Option<Box<dyn CallObserver>> {
        let traces = Arc::clone(&self.0);
        Some(match call.side() {
            Side::Client => Box::new(ChannelSpans::begin(traces, call)),
            Side::Server => Box::new(ServerSpan::begin(&traces, call)),
        })
    }
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traces")
            .field("propagator", &self.0.propagator)
            .finish_non_exhaustive()
    }
}
