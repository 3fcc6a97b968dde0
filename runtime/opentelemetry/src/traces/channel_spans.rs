//! The spans of a channel's call: its own, and one for each attempt.

use std::sync::Arc;
use std::time::Duration;

use grpc_runtime::{
    BegunAttempt, BegunCall, CallObserver, EndedAttempt, EndedCall, Metadata, ObservedMessage,
};
use opentelemetry::trace::{SpanBuilder, SpanKind, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};

use super::Traced;
use super::carrier::Writer;
use super::span::{self, INBOUND, OUTBOUND};

/// Follows a channel's call.
pub(super) struct ChannelSpans {
    traces: Arc<Traced>,
    call: Context,
    /// Attempts that have not ended, in the order in which they began.
    attempts: Vec<(u32, Context)>,
    /// The one whose head went out last.
    sending: u32,
}

impl ChannelSpans {
    pub(super) fn begin(traces: Arc<Traced>, call: &BegunCall<'_>) -> Self {
        let parent = Context::current();
        let builder = SpanBuilder::from_name(span::name("Sent", call.method()));
        let builder = builder.with_kind(SpanKind::Client);
        let own = traces.tracer.build_with_context(builder, &parent);
        Self {
            traces,
            call: parent.with_span(own),
            attempts: Vec::new(),
            sending: 0,
        }
    }

    fn attempt(&self, number: u32) -> Option<&Context> {
        let mut all = self.attempts.iter();
        Some(&all.find(|(other, _)| *other == number)?.1)
    }

    /// The attempt if there is one alone, else the call: nothing says whose it is.
    fn receiving(&self) -> &Context {
        match &*self.attempts {
            [(_, attempt)] => attempt,
            _ => &self.call,
        }
    }
}

impl CallObserver for ChannelSpans {
    fn name_resolved(&mut self, _waited: Duration) {
        let span = self.call.span();
        span.add_event("Delayed name resolution complete", Vec::new());
    }

    fn picked(&mut self, _waited: Duration) {
        let attempt = self.attempts.last().map_or(&self.call, |(_, it)| it);
        let span = attempt.span();
        span.add_event("Delayed LB pick complete", Vec::new());
    }

    fn attempt_begun(&mut self, attempt: &BegunAttempt<'_>) {
        let previous = i64::from(attempt.previous());
        let builder = SpanBuilder::from_name(span::name("Attempt", attempt.method()));
        let builder = builder.with_kind(SpanKind::Internal).with_attributes([
            KeyValue::new("previous-rpc-attempts", previous),
            KeyValue::new("transparent-retry", attempt.is_transparent()),
        ]);
        let own = self.traces.tracer.build_with_context(builder, &self.call);
        let context = self.call.with_span(own);
        self.attempts.push((attempt.number(), context));
    }

    fn attempt_metadata(&mut self, number: u32, metadata: &mut Metadata) {
        self.sending = number;
        let context = self.attempt(number).unwrap_or(&self.call);
        let propagator = &self.traces.propagator;
        propagator.inject_context(context, &mut Writer(metadata));
    }

    fn attempt_ended(&mut self, ended: &EndedAttempt<'_>) {
        let number = ended.attempt().number();
        let place = self.attempts.iter().position(|(it, _)| *it == number);
        if let Some(place) = place {
            let (_, attempt) = self.attempts.remove(place);
            span::end(&attempt, ended.result());
        }
    }

    fn message_sent(&mut self, message: &ObservedMessage) {
        let attempt = self.attempt(self.sending).unwrap_or(&self.call);
        span::message(attempt, OUTBOUND, message);
    }

    fn message_received(&mut self, message: &ObservedMessage) {
        span::message(self.receiving(), INBOUND, message);
    }

    fn ended(&mut self, call: &EndedCall<'_>) {
        span::end(&self.call, call.result());
    }
}
