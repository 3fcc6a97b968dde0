//! Follows one call with its span: entered while the handler runs, closed when the call is
//! over.

use std::sync::Arc;
use std::time::Duration;

use tracing::{Level, Span, event};

use super::propagator::Propagator;
use super::{CLIENT, SERVER, recorded};
use crate::framing::Side;
use crate::metadata::Metadata;
use crate::observe::attempt::{BegunAttempt, EndedAttempt};
use crate::observe::call_observer::{CallObserver, ObservedMessage};
use crate::observe::ended_call::EndedCall;
use crate::observe::excerpt::{TEXT, excerpt};

/// Follows one call.
pub(super) struct FollowedCall {
    side: Side,
    /// Disabled once the call is over, or if only its trace is propagated.
    span: Span,
    /// On a channel: the propagator, and the span whose context goes into the attempts.
    carrier: Option<(Arc<dyn Propagator>, Span)>,
    /// The span is entered for a turn of the handler. It is left on the same thread.
    is_entered: bool,
    /// The call is over while a turn of its handler still runs.
    is_over: bool,
}

/// An event in the call's span.
macro_rules! tell {
    ($call:expr, $level:expr, $($rest:tt)+) => {
        if $call.span.is_disabled() {
        } else if $call.side == Side::Client {
            event!(target: CLIENT, parent: &$call.span, $level, $($rest)+);
        } else {
            event!(target: SERVER, parent: &$call.span, $level, $($rest)+);
        }
    };
}

impl FollowedCall {
    pub(super) fn new(side: Side, span: Span) -> Self {
        Self {
            side,
            span,
            carrier: None,
            is_entered: false,
            is_over: false,
        }
    }

    pub(super) fn with_carrier(self, carrier: Option<(Arc<dyn Propagator>, Span)>) -> Self {
        Self { carrier, ..self }
    }
}

impl CallObserver for FollowedCall {
    fn name_resolved(&mut self, waited: Duration) {
        tell!(
            self,
            Level::DEBUG,
            waited_ms = millis(waited),
            "waited for name resolution"
        );
    }

    fn picked(&mut self, waited: Duration) {
        tell!(
            self,
            Level::DEBUG,
            waited_ms = millis(waited),
            "waited for a connection"
        );
    }

    fn attempt_begun(&mut self, attempt: &BegunAttempt<'_>) {
        if attempt.number() > 0 {
            tell!(
                self,
                Level::DEBUG,
                number = attempt.number(),
                kind = kind(attempt),
                "a further attempt begins"
            );
        }
    }

    fn attempt_metadata(&mut self, _number: u32, metadata: &mut Metadata) {
        if let Some((propagator, span)) = &self.carrier {
            propagator.inject(span, metadata);
        }
    }

    fn attempt_ended(&mut self, attempt: &EndedAttempt<'_>) {
        if let Err(status) = attempt.result() {
            tell!(
                self,
                Level::DEBUG,
                number = attempt.attempt().number(),
                peer = attempt.peer().map(ToString::to_string),
                code = status.code().name(),
                error = excerpt(status.message(), TEXT),
                elapsed_ms = millis(attempt.elapsed()),
                "an attempt failed"
            );
        }
    }

    fn head_sent(&mut self, metadata: &Metadata) {
        tell!(
            self,
            Level::TRACE,
            entries = metadata.len(),
            "initial metadata sent"
        );
    }

    fn head_received(&mut self, metadata: &Metadata) {
        tell!(
            self,
            Level::TRACE,
            entries = metadata.len(),
            "initial metadata received"
        );
    }

    fn message_sent(&mut self, message: &ObservedMessage) {
        tell!(
            self,
            Level::TRACE,
            number = message.number(),
            size = message.size(),
            wire_size = message.wire_size(),
            "message sent"
        );
    }

    fn message_received(&mut self, message: &ObservedMessage) {
        tell!(
            self,
            Level::TRACE,
            number = message.number(),
            size = message.size(),
            wire_size = message.wire_size(),
            "message received"
        );
    }

    fn turn_began(&mut self) {
        let entered = self
            .span
            .with_subscriber(|(id, dispatch)| dispatch.enter(id));
        self.is_entered = entered.is_some();
    }

    fn turn_ended(&mut self) {
        if std::mem::take(&mut self.is_entered) {
            self.span
                .with_subscriber(|(id, dispatch)| dispatch.exit(id));
        }
        if self.is_over {
            self.span = Span::none();
        }
    }

    fn ended(&mut self, call: &EndedCall<'_>) {
        recorded::end(&self.span, call);
        self.carrier = None;
        self.is_over = true;
        // The handler of a cancelled call may still run on another thread.
        if !self.is_entered {
            self.span = Span::none();
        }
    }
}

fn kind(attempt: &BegunAttempt<'_>) -> &'static str {
    if attempt.is_hedge() {
        "hedge"
    } else if attempt.is_transparent() {
        "transparent retry"
    } else {
        "retry"
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests;
