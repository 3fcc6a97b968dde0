//! Traces that go from a caller over a channel to a server and to its handler, by W3C's
//! header and OpenTelemetry's own libraries.

use grpc_runtime::tracing::subscriber::{DefaultGuard, set_default};
use grpc_runtime::tracing::{Instrument, info_span};
use grpc_runtime::{Context, Spans, Status};
use opentelemetry::trace::{SpanKind, Status as TraceStatus, TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;

use super::{call, start, stub};
use crate::support::{Echo, EchoServicer};

// As it stands in the documentation, with its imports.
include!("../../support/w3c.rs");

/// Works within a span of its own, and says which trace it was called in.
struct Works;

impl EchoServicer for Works {
    async fn unary(&self, request: Echo, context: &mut Context) -> Result<Echo, Status> {
        let work = async {
            tokio::task::yield_now().await;
            match request.text.as_str() {
                "fail" => Err(Status::internal("it is broken")),
                _ => Ok(()),
            }
        };
        work.instrument(info_span!("work")).await?;
        Ok(Echo::text(
            context.metadata().get("traceparent").unwrap_or_default(),
        ))
    }
}

fn w3c() -> W3c {
    W3c(TraceContextPropagator::new())
}

/// Exports all spans, but for those of these targets, which the subscriber does not want.
fn export(without: &'static [&str]) -> (InMemorySpanExporter, DefaultGuard) {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let filter = filter_fn(|metadata| !without.contains(&metadata.target()));
    let guard = set_default(Registry::default().with(filter).with(layer));
    (exporter, guard)
}

async fn exported(exporter: &InMemorySpanExporter, number: usize) -> Vec<SpanData> {
    let all = async {
        while exporter.get_finished_spans().unwrap().len() < number {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    };
    let in_time = tokio::time::timeout(super::BOUND, all).await;
    let spans = exporter.get_finished_spans().unwrap();
    assert!(in_time.is_ok(), "only {spans:?}");
    spans
}

fn find<'a>(spans: &'a [SpanData], name: &str, kind: &SpanKind) -> &'a SpanData {
    let mut of_kind = spans.iter().filter(|span| span.span_kind == *kind);
    of_kind.find(|span| span.name == name).unwrap()
}

#[tokio::test]
async fn a_trace_goes_from_a_caller_to_the_work_of_a_handler() {
    let (exporter, _guard) = export(&[]);
    let server = start(Works, Spans::new().propagator(w3c())).await;
    let stub = stub(Spans::new().propagator(w3c()), &server.addresses()[0]);
    let caller = info_span!("caller");
    call(&stub, "fail").instrument(caller).await.unwrap_err();

    let spans = exported(&exporter, 4).await;
    assert_eq!(spans.len(), 4);
    let caller = find(&spans, "caller", &SpanKind::Internal);
    let client = find(&spans, "test.Echo/Unary", &SpanKind::Client);
    let served = find(&spans, "test.Echo/Unary", &SpanKind::Server);
    let work = find(&spans, "work", &SpanKind::Internal);
    for (child, parent) in [(client, caller), (served, client), (work, served)] {
        assert_eq!(child.parent_span_id, parent.span_context.span_id());
        assert_eq!(
            child.span_context.trace_id(),
            caller.span_context.trace_id()
        );
    }
    assert!(served.parent_span_is_remote);
    let broken = TraceStatus::error("INTERNAL: it is broken");
    assert_eq!((&client.status, &served.status), (&broken, &broken));
    let value = |span: &SpanData, key: &str| {
        let mut attributes = span.attributes.iter();
        let attribute = attributes.find(|attribute| attribute.key.as_str() == key);
        attribute.map(|attribute| attribute.value.to_string())
    };
    for span in [client, served] {
        assert_eq!(value(span, "rpc.grpc.status_code").as_deref(), Some("13"));
        assert_eq!(value(span, "rpc.service").as_deref(), Some("test.Echo"));
        assert_eq!(
            value(span, "network.peer.address").as_deref(),
            Some("127.0.0.1")
        );
    }
}

#[tokio::test]
async fn a_call_that_goes_well_has_no_status() {
    let (exporter, _guard) = export(&[]);
    let server = start(Works, Spans::new().propagator(w3c())).await;
    let stub = stub(Spans::new().propagator(w3c()), &server.addresses()[0]);
    call(&stub, "hi").await.unwrap();
    let spans = exported(&exporter, 3).await;
    assert!(
        spans.iter().all(|span| span.status == TraceStatus::Unset),
        "{spans:?}"
    );
}

#[tokio::test]
async fn a_filter_on_the_spans_of_calls_ends_no_trace() {
    let (exporter, _guard) = export(&["grpc_runtime::client"]);
    let server = start(Works, Spans::new().propagator(w3c())).await;
    let stub = stub(Spans::new().propagator(w3c()), &server.addresses()[0]);
    let caller = info_span!("caller");
    let told = call(&stub, "hi").instrument(caller).await.unwrap().text;
    let spans = exported(&exporter, 3).await;
    let caller = find(&spans, "caller", &SpanKind::Internal);
    let served = find(&spans, "test.Echo/Unary", &SpanKind::Server);
    assert_eq!(served.parent_span_id, caller.span_context.span_id());
    assert!(
        told.contains(&caller.span_context.trace_id().to_string()),
        "{told}"
    );
    // Outside of a span there is no trace to carry.
    assert_eq!(call(&stub, "hi").await.unwrap().text, "");
}

/// One that has a right to be wrong.
struct Panics;

impl Propagator for Panics {
    fn extract(&self, _metadata: &Metadata, _span: &Span) {
        panic!("this panic is part of a test");
    }

    fn inject(&self, _span: &Span, _metadata: &mut Metadata) {
        panic!("this panic is part of a test");
    }
}

#[tokio::test]
async fn a_propagator_that_panics_stops_no_call() {
    let (_exporter, _guard) = export(&[]);
    let server = start(Works, Spans::new().propagator(Panics)).await;
    let stub = stub(Spans::new().propagator(Panics), &server.addresses()[0]);
    call(&stub, "hi").await.unwrap();
}
