//! What `metrics-traces-logs.md` shows.

use std::error::Error;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use grpc_opentelemetry::{Instrument, Metrics, OptionalLabel, Traces, UnknownInstrument};
use grpc_runtime::{
    AccessLog, BegunCall, Channel, ChannelCredentials, ChannelError, Code, Context, Server,
    ServerBuilder, Spans, Status, tracing,
};
use opentelemetry_sdk::metrics::data::{ResourceMetrics, ScopeMetrics};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, SdkMeterProvider};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::example::{
    HelloRequest, HelloResponse, HelloServiceServer, HelloServiceServicer, HelloServiceStub,
};
use crate::harness::output;

// snippet: observed
/// `metrics` is one for all servers and channels of the program.
fn observed(metrics: &Metrics) -> ServerBuilder {
    Server::builder()
        .add_service(HelloServiceServer::new(Greeter))
        .observe(AccessLog::new()) // A line for each call, to standard error.
        .observe(Spans::new()) // A span of `tracing` for each call.
        .observe(metrics.clone()) // Counters and histograms for graphs and alarms.
}

fn observed_channel(target: &str, metrics: &Metrics) -> Result<Channel, ChannelError> {
    Channel::builder(target)?
        .observe(Spans::new())
        .observe(metrics.clone())
        .build(ChannelCredentials::insecure())
}
// end

// snippet: choose-metrics
fn chosen(provider: &SdkMeterProvider) -> Result<Metrics, UnknownInstrument> {
    let metrics = Metrics::builder()
        .enable([
            Instrument::ClientCallRetries,
            Instrument::SubchannelDisconnections,
        ])
        .disable(["grpc.client.attempt.started".parse()?])
        .optional_label(OptionalLabel::DisconnectError)
        .target_filter(|target| target.starts_with("dns:"))
        .build(provider);
    Ok(metrics)
}
// end

// snippet: traces
fn traced(provider: &SdkTracerProvider) -> ServerBuilder {
    let traces = Traces::new(provider, TraceContextPropagator::new());
    Server::builder().observe(traces)
}
// end

// snippet: log-file
fn logged(file: impl Write + Send + 'static) -> ServerBuilder {
    Server::builder().observe(AccessLog::json().to(file))
}
// end

// snippet: own-span
fn spans() -> Spans {
    use tracing::field::Empty;

    Spans::new().span(|call: &BegunCall<'_>| {
        tracing::info_span!(
            parent: None,
            "call",
            method = call.method().path(),
            tenant = call.metadata().get("x-tenant"),
            // The runtime fills in the fields that are declared under its names.
            rpc.grpc.status_code = Empty,
        )
    })
}
// end

struct Greeter;

impl HelloServiceServicer for Greeter {
    // snippet: log-in-a-handler
    async fn say_hello(
        &self,
        request: HelloRequest,
        _context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        if request.greeting.is_empty() {
            return Err(Status::invalid_argument("whom shall I greet?"));
        }
        tracing::info!(name = request.greeting, "greeted"); // Within the call's span.
        let reply = format!("Hello, {}!", request.greeting);
        Ok(HelloResponse { reply })
    }
    // end
}

/// What was written.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn greet(channel: &Channel, name: &str) -> Result<String, Status> {
    let request = HelloRequest {
        greeting: name.to_owned(),
    };
    let call = HelloServiceStub::new(channel.clone()).say_hello(request);
    let response = call
        .metadata("x-tenant", "ada")
        .timeout(Duration::from_secs(30))
        .await?;
    Ok(response.reply)
}

fn names(exporter: &InMemoryMetricExporter) -> Vec<String> {
    let collected = exporter.get_finished_metrics().unwrap();
    let scopes = collected.iter().flat_map(ResourceMetrics::scope_metrics);
    let metrics = scopes.flat_map(ScopeMetrics::metrics);
    metrics.map(|it| it.name().to_owned()).collect()
}

#[tokio::test]
async fn metrics_go_where_the_provider_sends_them() -> Result<(), Box<dyn Error>> {
    // snippet: provider
    // In a program: an exporter that sends, as opentelemetry-otlp has one.
    let exporter = InMemoryMetricExporter::default();
    let provider = SdkMeterProvider::builder()
        .with_periodic_exporter(exporter.clone())
        .build();
    let metrics = Metrics::new(&provider);
    // end
    let server = observed(&metrics).listen("127.0.0.1:0").start().await?;
    let channel = observed_channel(&server.addresses()[0], &metrics)?;
    assert_eq!(greet(&channel, "Ada").await?, "Hello, Ada!");
    server.shutdown(Duration::from_secs(5)).await;
    provider.force_flush()?;
    let names = names(&exporter);
    for name in [
        "grpc.server.call.duration",
        "grpc.server.call.started",
        "grpc.client.call.duration",
        "grpc.client.attempt.duration",
    ] {
        assert!(names.iter().any(|it| it == name), "{name} of {names:?}");
    }
    Ok(())
}

#[tokio::test]
async fn instruments_are_chosen_by_name() -> Result<(), Box<dyn Error>> {
    let exporter = InMemoryMetricExporter::default();
    let provider = SdkMeterProvider::builder().with_periodic_exporter(exporter.clone());
    let provider = provider.build();
    let server = Server::builder().add_service(HelloServiceServer::new(Greeter));
    let server = server.listen("127.0.0.1:0").start().await?;
    let channel = observed_channel(&server.addresses()[0], &chosen(&provider)?)?;
    greet(&channel, "Ada").await?;
    provider.force_flush()?;
    let names = names(&exporter);
    let has = |name: &str| names.iter().any(|it| it == name);
    assert!(has("grpc.client.attempt.duration"), "{names:?}");
    assert!(!has("grpc.client.attempt.started"), "{names:?}");
    Ok(())
}

#[tokio::test]
async fn a_call_has_a_span_of_opentelemetry() {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder();
    let provider = provider.with_simple_exporter(exporter.clone()).build();
    let server = traced(&provider).add_service(HelloServiceServer::new(Greeter));
    let channel = Channel::in_process(server).unwrap();
    greet(&channel, "Ada").await.unwrap();
    drop(channel);
    let ended = async {
        loop {
            let spans = exporter.get_finished_spans().unwrap();
            if let [span, ..] = &spans[..] {
                break span.name.clone();
            }
            tokio::task::yield_now().await;
        }
    };
    let name = tokio::time::timeout(Duration::from_secs(30), ended).await;
    assert_eq!(name.unwrap(), "Recv.example.HelloService.SayHello");
}

#[tokio::test]
async fn a_call_is_a_line() {
    let written = Written::default();
    let log = AccessLog::new().to(written.clone());
    let server = Server::builder().add_service(HelloServiceServer::new(Greeter));
    let server = server.observe(log).listen("127.0.0.1:0").start();
    let server = server.await.unwrap();
    let channel = Channel::insecure(&server.addresses()[0]).unwrap();
    let status = greet(&channel, "").await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    server.shutdown(Duration::from_secs(5)).await;
    // But for what differs each time.
    let text = written.text();
    let words = text.split(' ').map(|word| match word.split_once('=') {
        None if word.ends_with('Z') => "2026-07-15T12:00:00.123Z",
        Some(("peer", _)) => "peer=10.1.2.3:50123",
        Some(("elapsed", _)) => "elapsed=0.041ms",
        _ => word,
    });
    output("line", &words.collect::<Vec<_>>().join(" "));
}

#[tokio::test]
async fn lines_may_be_json() {
    let written = Written::default();
    let server = logged(written.clone()).add_service(HelloServiceServer::new(Greeter));
    let server = server.listen("127.0.0.1:0").start().await.unwrap();
    let channel = Channel::insecure(&server.addresses()[0]).unwrap();
    greet(&channel, "Ada").await.unwrap();
    server.shutdown(Duration::from_secs(5)).await;
    let line: serde_json::Value = serde_json::from_str(&written.text()).unwrap();
    assert_eq!(line["method"], "/example.HelloService/SayHello");
    assert_eq!(line["code"], "OK");
}

#[tokio::test]
async fn what_a_handler_logs_is_within_its_calls_span() {
    let written = Written::default();
    let writer = written.clone();
    // snippet: subscriber
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("info,grpc_runtime::connection=debug"))
        .with_span_events(FmtSpan::CLOSE) // A line for each span, when it ends.
        .with_writer(move || writer.clone());
    // end
    let subscriber = subscriber.with_ansi(false).finish();
    // For all tests of this program: a subscriber of one thread is not heard of by callsites
    // that another thread comes to first.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    tracing::callsite::rebuild_interest_cache();
    let server = Server::builder().add_service(HelloServiceServer::new(Greeter));
    let channel = Channel::in_process(server.observe(spans())).unwrap();
    greet(&channel, "Barbara").await.unwrap();
    let text = written.text();
    let line = text.lines().find(|line| line.contains("\"Barbara\""));
    let line = line.unwrap();
    assert!(line.contains("greeted"), "{line}");
    assert!(
        line.contains("method=\"/example.HelloService/SayHello\""),
        "{line}"
    );
    assert!(line.contains("tenant=\"ada\""), "{line}");
}
