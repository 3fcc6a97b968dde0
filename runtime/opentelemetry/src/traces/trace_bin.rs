//! The context of a trace in 29 bytes, as gRPC wrote it before W3C had a form.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};

const KEY: &str = "grpc-trace-bin";
const LEN: usize = 29;

/// Others may leave the padding out.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A propagator that writes and reads `grpc-trace-bin` (gRFC A72): what OpenCensus, and
/// gRPC with it, sent between services. W3C's form is the better one; this is for peers that
/// know no other. It tells the trace, the span and whether it is sampled.
///
/// ```
/// use grpc_opentelemetry::{GrpcTraceBin, Traces};
/// use opentelemetry::propagation::TextMapCompositePropagator;
/// use opentelemetry_sdk::propagation::TraceContextPropagator;
/// use opentelemetry_sdk::trace::SdkTracerProvider;
///
/// let both = TextMapCompositePropagator::new(vec![
///     Box::new(GrpcTraceBin::new()),
///     Box::new(TraceContextPropagator::new()),
/// ]);
/// let traces = Traces::new(&SdkTracerProvider::builder().build(), both);
/// # drop(traces);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct GrpcTraceBin(());

impl GrpcTraceBin {
    /// The propagator.
    pub const fn new() -> Self {
        Self(())
    }
}

/// Version 0; field 0, the trace; field 1, the span; field 2, the flags.
fn encode(span: &SpanContext) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    bytes[2..18].copy_from_slice(&span.trace_id().to_bytes());
    bytes[18] = 1;
    bytes[19..27].copy_from_slice(&span.span_id().to_bytes());
    bytes[27] = 2;
    bytes[28] = span.trace_flags().to_u8();
    bytes
}

fn decode(bytes: &[u8]) -> Option<SpanContext> {
    let bytes: &[u8; LEN] = bytes.try_into().ok()?;
    if (bytes[0], bytes[1], bytes[18], bytes[27]) != (0, 0, 1, 2) {
        return None;
    }
    let trace = TraceId::from_bytes(bytes[2..18].try_into().ok()?);
    let span = SpanId::from_bytes(bytes[19..27].try_into().ok()?);
    let flags = TraceFlags::new(bytes[28]);
    let context = SpanContext::new(trace, span, flags, true, TraceState::default());
    context.is_valid().then_some(context)
}

impl TextMapPropagator for GrpcTraceBin {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        let span = context.span();
        let span = span.span_context();
        if span.is_valid() {
            injector.set(KEY, STANDARD.encode(encode(span)));
        }
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        let text = extractor.get(KEY);
        let bytes = text.and_then(|text| LENIENT.decode(text).ok());
        match bytes.and_then(|bytes| decode(&bytes)) {
            Some(span) => context.with_remote_span_context(span),
            None => context.clone(),
        }
    }

    fn fields(&self) -> FieldIter<'_> {
        static FIELDS: LazyLock<[String; 1]> = LazyLock::new(|| [KEY.to_owned()]);
        FieldIter::new(&*FIELDS)
    }
}

#[cfg(test)]
mod tests;
