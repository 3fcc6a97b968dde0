use grpc_runtime::{Metadata, Propagator, tracing::Span};
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing_opentelemetry::OpenTelemetrySpanExt;

struct W3c(TraceContextPropagator);

impl Propagator for W3c {
    fn extract(&self, metadata: &Metadata, span: &Span) {
        // It fails where no layer of OpenTelemetry is set up.
        let _ = span.set_parent(self.0.extract(&Fields(metadata)));
    }

    fn inject(&self, span: &Span, metadata: &mut Metadata) {
        self.0
            .inject_context(&span.context(), &mut FieldsMut(metadata));
    }
}

struct Fields<'a>(&'a Metadata);

impl Extractor for Fields<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}

struct FieldsMut<'a>(&'a mut Metadata);

impl Injector for FieldsMut<'_> {
    fn set(&mut self, key: &str, value: String) {
        let _ = self.0.insert(key, &value);
    }
}
