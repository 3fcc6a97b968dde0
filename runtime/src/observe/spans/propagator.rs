//! How a trace's context stands in metadata: the user's word.

use tracing::Span;

use crate::metadata::Metadata;

/// Puts the context of a trace into the metadata of a call, and takes it from there:
/// [`Spans::propagator`](crate::Spans::propagator). It is yours since the runtime knows no
/// library of traces. It is called in the tasks of connections and of callers, and must not
/// block.
///
/// With `tracing-opentelemetry` and W3C's `traceparent`, or any other propagator of
/// OpenTelemetry, it is these lines, which a test of the runtime compiles and runs:
///
/// ```ignore
#[doc = include_str!("../../../tests/support/w3c.rs")]
/// ```
pub trait Propagator: Send + Sync + 'static {
    /// A server's call begins: makes the context in its metadata the parent of its span. It is
    /// called before the span is entered or told anything, and not where the subscriber does
    /// not want the span.
    fn extract(&self, metadata: &Metadata, span: &Span);

    /// The head of an attempt of a channel's call is about to go out: puts the context of the
    /// span into the metadata, to which only what goes out besides the call's own belongs. It
    /// is the call's span, or the one within which it was started where the subscriber wants
    /// no span of the call. It is not called where there is neither. (A filter that a layer
    /// of traces has to itself cannot be seen from here: let it have the spans of calls.)
    fn inject(&self, span: &Span, metadata: &mut Metadata);
}
