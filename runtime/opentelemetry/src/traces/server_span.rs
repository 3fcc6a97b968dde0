//! The span of a server's call, which is the current one while its handler runs.

use std::cell::RefCell;

use grpc_runtime::{BegunCall, CallObserver, EndedCall, ObservedMessage};
use opentelemetry::trace::{SpanBuilder, SpanKind, TraceContextExt, Tracer};
use opentelemetry::{Context, ContextGuard};

use super::Traced;
use super::carrier::Reader;
use super::span::{self, INBOUND, OUTBOUND};

thread_local! {
    /// The contexts that turns of this thread have made current. A guard must not leave its
    /// thread, and a turn ends on the thread on which it began.
    static TURNS: RefCell<Vec<ContextGuard>> = const { RefCell::new(Vec::new()) };
}

/// Follows a server's call.
pub(super) struct ServerSpan(Context);

impl ServerSpan {
    pub(super) fn begin(traces: &Traced, call: &BegunCall<'_>) -> Self {
        let reader = Reader::of(call.metadata());
        // The context that is current on this thread belongs to another call.
        let none = Context::new();
        let parent = traces.propagator.extract_with_context(&none, &reader);
        let builder = SpanBuilder::from_name(span::name("Recv", call.method()));
        let builder = builder.with_kind(SpanKind::Server);
        let own = traces.tracer.build_with_context(builder, &parent);
        Self(parent.with_span(own))
    }
}

impl CallObserver for ServerSpan {
    fn turn_began(&mut self) {
        let guard = self.0.clone().attach();
        TURNS.with_borrow_mut(|turns| turns.push(guard));
    }

    fn turn_ended(&mut self) {
        // Dropped while nothing is borrowed: the drop may run code of other crates.
        let guard = TURNS.with_borrow_mut(Vec::pop);
        drop(guard);
    }

    fn message_sent(&mut self, message: &ObservedMessage) {
        span::message(&self.0, OUTBOUND, message);
    }

    fn message_received(&mut self, message: &ObservedMessage) {
        span::message(&self.0, INBOUND, message);
    }

    fn ended(&mut self, call: &EndedCall<'_>) {
        span::end(&self.0, call.result());
    }
}
