//! Reads and writes the context of a trace in metadata; implemented by users.

use tracing::Span;

use crate::metadata::Metadata;

/// Writes the context of a trace into the metadata of a call, and reads it from there: see
/// [`Spans::propagator`](crate::Spans::propagator). The runtime depends on no tracing
/// backend, so the application implements this. The methods are called in the tasks of
/// connections and of callers, and must not block.
///
/// An implementation for `tracing-opentelemetry` with W3C's `traceparent`, or any other
/// OpenTelemetry propagator (a test of the runtime compiles and runs it):
///
/// ```ignore
#[doc = include_str!("../../../tests/support/w3c.rs")]
/// ```
pub trait Propagator: Send + Sync + 'static {
    /// Makes the trace context in the metadata of a server's call the parent of its span.
    /// Called before the span is entered or fields are recorded; not called if the
    /// subscriber disables the span.
    fn extract(&self, metadata: &Metadata, span: &Span);

    /// Writes the context of the span into the metadata of an attempt of a channel's call,
    /// just before its head is sent. `metadata` is only what is sent in addition to the
    /// call's own. `span` is the call's span or, if the subscriber disables that, the span
    /// in which the call was started. Not called if there is neither. A filter of a single
    /// layer is not visible here, so a layer that exports traces must not filter out the
    /// spans of calls.
    fn inject(&self, span: &Span, metadata: &mut Metadata);
}
