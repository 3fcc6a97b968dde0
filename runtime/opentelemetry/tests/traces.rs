//! Spans of gRFC A72: of calls, of attempts and of servers, in one trace.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;

use grpc_opentelemetry::{GrpcTraceBin, Traces};
use grpc_runtime::{
    Address, BidiStreamingCall, Channel, ChannelCredentials, Code, Compression, Context, Endpoint,
    HedgingPolicy, Method, MethodConfig, Resolution, Resolver, RetryPolicy, Server, Service,
    ServiceConfig, Status, Target, UnaryCall, Updates,
};
use grpc_testing::{Network, Reply, Script};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{
    FutureExt, SpanId, SpanKind, Status as SpanStatus, TraceContextExt, Tracer, TracerProvider,
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};

use support::{CHAT, GET, MS, SECOND, service, text, unary};

#[derive(Debug)]
struct Spans {
    exporter: InMemorySpanExporter,
    provider: SdkTracerProvider,
    traces: Traces,
}

impl Spans {
    fn new(propagator: impl TextMapPropagator + Send + Sync + 'static) -> Self {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(exporter.clone())
            .build();
        Self {
            traces: Traces::new(&provider, propagator),
            exporter,
            provider,
        }
    }

    fn w3c() -> Self {
        Self::new(TraceContextPropagator::new())
    }

    /// In the order in which they ended.
    fn ended(&self) -> Vec<SpanData> {
        self.exporter.get_finished_spans().unwrap()
    }

    fn of(&self, name: &str) -> Vec<SpanData> {
        let mut ended = self.ended();
        ended.retain(|span| span.name == name);
        ended.sort_by_key(|span| span.start_time);
        ended
    }

    fn one(&self, name: &str) -> SpanData {
        let mut spans = self.of(name);
        assert_eq!(spans.len(), 1, "{name}: {:?}", self.ended());
        spans.remove(0)
    }
}

/// What an event says: its name and its attributes.
fn events(span: &SpanData) -> Vec<String> {
    let events = span.events.iter().map(|event| {
        let attributes = event.attributes.iter();
        let attributes: Vec<_> = attributes
            .map(|it| format!(" {}={}", it.key, it.value))
            .collect();
        format!("{}{}", event.name, attributes.concat())
    });
    events.collect()
}

fn attributes(span: &SpanData) -> Vec<String> {
    let all = span.attributes.iter();
    all.map(|it| format!("{}={}", it.key, it.value)).collect()
}

fn id(span: &SpanData) -> SpanId {
    span.span_context.span_id()
}

async fn shop(spans: &Spans) -> (Network, grpc_testing::Host, Channel) {
    let network = Network::new(7);
    let server = Server::builder().add_service(service());
    let server = server.observe(spans.traces.clone());
    let host = network.bind("shop", server).await.unwrap();
    let channel = support::to_shop(&network)
        .observe(spans.traces.clone())
        .build(ChannelCredentials::insecure())
        .unwrap();
    (network, host, channel)
}

#[tokio::test(start_paused = true)]
async fn a_call_is_one_trace_across_its_channel_and_its_server() {
    for spans in [Spans::w3c(), Spans::new(GrpcTraceBin::new())] {
        let (_network, _host, channel) = shop(&spans).await;
        let tracer = spans.provider.tracer("test");
        let context = opentelemetry::Context::new().with_span(tracer.start("the caller"));
        // A call begins where it is made, not where it is first polled.
        let call = async { unary(&channel, "go").await };
        let answer = call.with_context(context.clone()).await;
        assert_eq!(answer.unwrap(), "go");
        context.span().end();
        tokio::time::sleep(SECOND).await;

        let caller = spans.one("the caller");
        let sent = spans.one("Sent.shop.Orders.Get");
        let attempt = spans.one("Attempt.shop.Orders.Get");
        let received = spans.one("Recv.shop.Orders.Get");
        let chain = [&caller, &sent, &attempt, &received];
        for (parent, child) in chain.iter().zip(&chain[1..]) {
            assert_eq!(child.parent_span_id, id(parent), "{}", child.name);
            let trace = child.span_context.trace_id();
            assert_eq!(trace, parent.span_context.trace_id());
        }
        assert!(received.parent_span_is_remote);
        let kinds = chain.map(|span| span.span_kind.clone());
        let expected = [
            SpanKind::Internal,
            SpanKind::Client,
            SpanKind::Internal,
            SpanKind::Server,
        ];
        assert_eq!(kinds, expected);
        for span in &chain[1..] {
            assert_eq!(span.status, SpanStatus::Ok);
            assert_eq!(span.instrumentation_scope.name(), "grpc-runtime");
        }
        let first = ["previous-rpc-attempts=0", "transparent-retry=false"];
        assert_eq!(attributes(&attempt), first);
        assert!(events(&sent).is_empty());
        let message = |which: &str| format!("{which} message sequence-number=0 message-size=4");
        let picked = text("Delayed LB pick complete");
        assert_eq!(
            events(&attempt),
            [picked, message("Outbound"), message("Inbound")]
        );
        assert_eq!(events(&received), [message("Inbound"), message("Outbound")]);
    }
}

/// Names take a second.
struct Slow;

impl Resolver for Slow {
    fn scheme(&self) -> &'static str {
        "slow"
    }

    async fn resolve(&self, _target: &Target, mut updates: Updates) {
        tokio::time::sleep(SECOND).await;
        let shop = Endpoint::new(Address::Other("shop".into()));
        let _ = updates.send(Resolution::new([shop])).await;
        std::future::pending::<()>().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_its_name_says_so() {
    let spans = Spans::w3c();
    let (network, _host, _) = shop(&spans).await;
    let channel = Channel::builder("slow:///shop")
        .unwrap()
        .resolver(Slow)
        .connector(network.connector("client"))
        .observe(spans.traces.clone())
        .build(ChannelCredentials::insecure())
        .unwrap();
    for _ in 0..2 {
        unary(&channel, "go").timeout(60 * SECOND).await.unwrap();
    }
    tokio::time::sleep(SECOND).await;
    let sent: Vec<_> = spans
        .of("Sent.shop.Orders.Get")
        .iter()
        .map(events)
        .collect();
    assert_eq!(
        sent,
        [vec![text("Delayed name resolution complete")], vec![]]
    );
    let attempts = spans.of("Attempt.shop.Orders.Get");
    let waited = |span| events(span).contains(&text("Delayed LB pick complete"));
    let delays: Vec<_> = attempts.iter().map(waited).collect();
    assert_eq!(delays, [true, false]);
}

#[tokio::test(start_paused = true)]
async fn messages_are_numbered_and_told_by_both_their_sizes() {
    let spans = Spans::w3c();
    let network = Network::new(7);
    let server = Server::builder().add_service(service());
    let server = server.observe(spans.traces.clone());
    let _host = network.bind("shop", server).await.unwrap();
    let channel = support::to_shop(&network)
        .compression(Compression::Gzip)
        .observe(spans.traces.clone())
        .build(ChannelCredentials::insecure())
        .unwrap();
    let long = "x".repeat(10_000);
    let (mut orders, mut replies) =
        BidiStreamingCall::<String, String>::new(&channel, CHAT).start();
    for order in [&long, "go"] {
        orders.send(text(order)).await.unwrap();
        assert_eq!(replies.next().await.unwrap().as_deref(), Some(order));
    }
    orders.finish();
    assert_eq!(replies.next().await.unwrap(), None);
    tokio::time::sleep(SECOND).await;
    let attempt = events(&spans.one("Attempt.shop.Orders.Chat"));
    let of = |which: &str| -> Vec<_> {
        attempt
            .iter()
            .filter(|it| it.starts_with(which))
            .cloned()
            .collect()
    };
    for which in ["Outbound", "Inbound"] {
        let events = of(which);
        assert_eq!(events.len(), 2, "{attempt:?}");
        let large = format!("{which} message sequence-number=0 message-size=10003");
        assert!(events[0].starts_with(&large), "{events:?}");
        assert!(
            events[1].contains("sequence-number=1 message-size=4"),
            "{events:?}"
        );
    }
    assert!(of("Outbound")[0].contains("message-size-compressed="));
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_an_error_with_its_code_and_text() {
    let spans = Spans::w3c();
    let (_network, _host, channel) = shop(&spans).await;
    unary(&channel, "fail").await.unwrap_err();
    unary(&channel, "wait").timeout(20 * MS).await.unwrap_err();
    tokio::time::sleep(SECOND).await;
    for kind in ["Sent", "Attempt", "Recv"] {
        let ended = spans.of(&format!("{kind}.shop.Orders.Get"));
        assert_eq!(ended.len(), 2);
        assert_eq!(
            ended[0].status,
            SpanStatus::error("NOT_FOUND, no such order")
        );
        let SpanStatus::Error { description } = &ended[1].status else {
            panic!("{:?}", ended[1].status);
        };
        assert!(
            description.starts_with("DEADLINE_EXCEEDED, "),
            "{description}"
        );
    }
}

/// What the spans of attempts say and how they ended.
fn attempts(spans: &Spans) -> Vec<(Vec<String>, bool)> {
    let sent = id(&spans.one("Sent.shop.Orders.Get"));
    let mut attempts = spans.of("Attempt.shop.Orders.Get");
    assert!(attempts.iter().all(|span| span.parent_span_id == sent));
    attempts.sort_by_key(attributes);
    let all = attempts.iter();
    all.map(|span| (attributes(span), span.status == SpanStatus::Ok))
        .collect()
}

async fn scripted(spans: &Spans, script: &Script, method: MethodConfig) {
    let network = Network::new(7);
    let server = script.server().observe(spans.traces.clone());
    let _host = network.bind("shop", server).await.unwrap();
    let config = ServiceConfig::builder().all(method).build().unwrap();
    let channel = support::to_shop(&network)
        .service_config(config)
        .observe(spans.traces.clone())
        .build(ChannelCredentials::insecure())
        .unwrap();
    let call = unary(&channel, "1").timeout(60 * SECOND);
    assert_eq!(call.await.unwrap(), "a book");
    tokio::time::sleep(SECOND).await;
}

fn attempt(previous: u32) -> Vec<String> {
    vec![
        format!("previous-rpc-attempts={previous}"),
        text("transparent-retry=false"),
    ]
}

#[tokio::test(start_paused = true)]
async fn each_attempt_has_a_span_and_its_own_child_on_the_server() {
    let busy = || Reply::status(Status::unavailable("busy"));
    let book = Reply::message(&text("a book"));
    let script = Script::new()
        .on(GET.path(), busy())
        .on(GET.path(), busy())
        .on(GET.path(), book);
    let policy = RetryPolicy::new([Code::Unavailable]);
    let spans = Spans::w3c();
    scripted(&spans, &script, MethodConfig::new().retry(policy)).await;
    let expected = [(attempt(0), false), (attempt(1), false), (attempt(2), true)];
    assert_eq!(attempts(&spans), expected);
    // Each server's span, by the metadata of its attempt.
    let mut parents: Vec<_> = spans.ended();
    parents.retain(|span| span.name.starts_with("Recv."));
    let mut parents: Vec<_> = parents.iter().map(|span| span.parent_span_id).collect();
    let mut own: Vec<_> = spans.of("Attempt.shop.Orders.Get").iter().map(id).collect();
    parents.sort_by_key(|id| id.to_bytes());
    own.sort_by_key(|id| id.to_bytes());
    assert_eq!(parents, own);
    for span in spans.of("Attempt.shop.Orders.Get") {
        let sent = events(&span);
        let sent = sent.iter().filter(|event| event.starts_with("Outbound"));
        assert_eq!(sent.count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hedge_that_lost_ends_with_the_call() {
    let script = Script::new()
        .on(GET.path(), Reply::hang())
        .on(GET.path(), Reply::message(&text("a book")));
    let spans = Spans::w3c();
    let policy = HedgingPolicy::new(100 * MS).max_attempts(2);
    scripted(&spans, &script, MethodConfig::new().hedging(policy)).await;
    assert_eq!(attempts(&spans), [(attempt(0), false), (attempt(1), true)]);
}

const RELAY: Method = Method::unary("/shop.Relay/Get");

/// Asks another server.
struct Relay(Channel);

async fn relay(relay: &Relay, order: String, _context: &mut Context) -> Result<String, Status> {
    // It waits first, so that a later turn makes the call.
    tokio::time::sleep(MS).await;
    unary(&relay.0, &order).await
}

#[tokio::test(start_paused = true)]
async fn what_a_handler_calls_is_a_child_of_its_span() {
    let spans = Spans::w3c();
    let (network, _shop, to_shop) = shop(&spans).await;
    let service = Service::builder("shop.Relay", Arc::new(Relay(to_shop)));
    let server = Server::builder()
        .add_service(service.unary(RELAY, relay).build())
        .observe(spans.traces.clone());
    let _relay = network.bind("relay", server).await.unwrap();
    let to_relay = Channel::builder("passthrough:///relay")
        .unwrap()
        .connector(network.connector("client"))
        .observe(spans.traces.clone())
        .build(ChannelCredentials::insecure())
        .unwrap();
    let ask = |order: &str| UnaryCall::<String>::new(&to_relay, RELAY, &text(order));
    // Several at once, so that their turns follow on each other.
    let (first, second, third) = tokio::join!(ask("go"), ask("rest"), ask("fail"));
    assert!(first.is_ok() && second.is_ok() && third.is_err());
    tokio::time::sleep(SECOND).await;
    let relays = spans.of("Recv.shop.Relay.Get");
    let inner = spans.of("Sent.shop.Orders.Get");
    assert_eq!((relays.len(), inner.len()), (3, 3));
    for span in &inner {
        let parent = relays.iter().find(|relay| id(relay) == span.parent_span_id);
        let parent = parent.expect("it has a handler for its parent");
        let trace = parent.span_context.trace_id();
        assert_eq!(span.span_context.trace_id(), trace);
    }
    let mut traces: Vec<_> = inner.iter().map(|it| it.span_context.trace_id()).collect();
    traces.sort_by_key(|trace| trace.to_bytes());
    traces.dedup();
    assert_eq!(traces.len(), 3, "each call is a trace of its own");
    // Nothing is left current on this thread.
    assert!(!opentelemetry::Context::current().has_active_span());
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_leaves_no_context_behind() {
    let spans = Spans::w3c();
    let (_network, _host, channel) = shop(&spans).await;
    unary(&channel, "panic").await.unwrap_err();
    assert!(!opentelemetry::Context::current().has_active_span());
    unary(&channel, "go").await.unwrap();
    tokio::time::sleep(SECOND).await;
    let mut traces: Vec<_> = spans
        .of("Recv.shop.Orders.Get")
        .iter()
        .map(|span| span.span_context.trace_id())
        .collect();
    traces.dedup();
    assert_eq!(traces.len(), 2);
}
