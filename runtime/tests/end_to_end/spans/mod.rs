//! Calls as spans: one for each side, from the beginning to the trailers, around the
//! handler; and what happens to connections as events.

mod events;
mod recorder;
mod traces;

use std::future::IntoFuture;
use std::time::Duration;

use grpc_runtime::tracing::{self, Level, Span, field::Empty, info, info_span};
use grpc_runtime::{
    BegunCall, Channel, ChannelCredentials, Context, Receiver, Sender, Server, Spans, Status,
};
use tokio::time::timeout;

use self::recorder::Recorder;
use crate::addresses::nobody;
use crate::calls::Echoes;
use crate::support::{Echo, EchoServicer, EchoStub, MISSING, service};

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);

/// Logs in every turn.
struct Logs;

impl EchoServicer for Logs {
    async fn unary(&self, request: Echo, _context: &mut Context) -> Result<Echo, Status> {
        info!("the first turn");
        tokio::task::yield_now().await;
        info!("another turn");
        match request.text.as_str() {
            "panic" => panic!("this panic is part of a test"),
            "fail" => Err(Status::internal("it is broken")),
            "wait" => std::future::pending().await,
            _ => Ok(request),
        }
    }

    async fn chat(
        &self,
        requests: &mut Receiver<Echo>,
        replies: &mut Sender<Echo>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        while let Some(request) = requests.next().await? {
            info!("a request");
            replies.send(request).await?;
        }
        Ok(())
    }
}

async fn start(servicer: impl EchoServicer, spans: Spans) -> Server {
    let server = Server::builder().add_service(service(servicer));
    let server = server.observe(spans).listen("127.0.0.1:0");
    server.start().await.unwrap()
}

fn stub(spans: Spans, address: &str) -> EchoStub {
    let builder = Channel::builder(address).unwrap().observe(spans);
    EchoStub(builder.build(ChannelCredentials::insecure()).unwrap())
}

async fn call(stub: &EchoStub, text: &str) -> Result<Echo, Status> {
    let call = stub.unary(Echo::text(text)).timeout(BOUND).into_future();
    timeout(2 * BOUND, call).await.unwrap()
}

/// The fields as they stand in a line.
fn told(fields: &recorder::Fields) -> String {
    let fields = fields.iter().map(|(name, value)| format!("{name}={value}"));
    fields.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_call_is_one_span_at_each_end() {
    let (recorder, _guard) = Recorder::set(Level::INFO);
    let server = start(Logs, Spans::new()).await;
    let address = server.addresses()[0].clone();
    let (host, port) = address.rsplit_once(':').unwrap();
    let stub = stub(Spans::new(), &address);
    let caller = info_span!("caller");
    // It is around all that happens on this thread, the server too.
    let around = caller.enter();
    call(&stub, "hi").await.unwrap();
    drop(around);

    let (_, client) = recorder.closed("client", 1).await.remove(0);
    assert_eq!(client.name, "grpc.call");
    assert_eq!(
        (client.target, client.level),
        ("grpc_runtime::client", Level::INFO)
    );
    assert_eq!(
        told(&client.fields),
        format!(
            "network.peer.address={host} network.peer.port={port} otel.kind=client \
             otel.name=test.Echo/Unary rpc.grpc.status_code=0 rpc.method=Unary \
             rpc.service=test.Echo rpc.system=grpc server.address={host} server.port={port}"
        )
    );
    // The caller is the first of all spans.
    assert_eq!(client.parent, Some(0));
    assert_eq!(client.entered, 0);

    let (place, served) = recorder.closed("server", 1).await.remove(0);
    assert_eq!(
        (served.target, served.level),
        ("grpc_runtime::server", Level::INFO)
    );
    assert_eq!(served.fields["otel.name"], "test.Echo/Unary");
    assert_eq!(served.fields["rpc.grpc.status_code"], "0");
    assert_eq!(served.fields["network.peer.address"], "127.0.0.1");
    assert!(!served.fields.contains_key("otel.status_code"));
    assert_eq!(served.parent, None);
    assert_eq!(recorder.texts(place), ["the first turn", "another turn"]);
    // No event of the runtime's is as loud as that.
    assert_eq!(recorder.records().events.len(), 2);
}

#[tokio::test]
async fn a_span_says_how_its_call_ended() {
    let (recorder, _guard) = Recorder::set(Level::INFO);
    let server = start(Logs, Spans::new()).await;
    let stub = stub(Spans::new(), &server.addresses()[0]);

    call(&stub, "fail").await.unwrap_err();
    for span in [
        recorder.last("client", 1).await,
        recorder.last("server", 1).await,
    ] {
        assert_eq!(span.fields["rpc.grpc.status_code"], "13");
        assert_eq!(span.fields["otel.status_code"], "ERROR");
        assert_eq!(
            span.fields["otel.status_description"],
            "INTERNAL: it is broken"
        );
    }

    // What the caller did wrong is no error of the server.
    let missing = stub.collect().start().finish();
    timeout(BOUND, missing).await.unwrap().unwrap_err();
    assert_eq!(
        recorder.last("client", 2).await.fields["otel.status_code"],
        "ERROR"
    );
    let served = recorder.last("server", 2).await;
    assert_eq!(served.fields["otel.status_code"], "ERROR");
    let other = start(Echoes, Spans::new()).await;
    let stub = self::stub(Spans::new(), &other.addresses()[0]);
    call(&stub, "fail").await.unwrap_err();
    assert_eq!(
        recorder.last("client", 3).await.fields["otel.status_code"],
        "ERROR"
    );
    let served = recorder.last("server", 3).await;
    assert_eq!(served.fields["rpc.grpc.status_code"], "5");
    assert!(
        !served.fields.contains_key("otel.status_code"),
        "{served:?}"
    );
}

#[tokio::test]
async fn a_handler_that_panics_leaves_its_span() {
    let (recorder, _guard) = Recorder::set(Level::INFO);
    let server = start(Logs, Spans::new()).await;
    let stub = stub(Spans::new(), &server.addresses()[0]);
    call(&stub, "panic").await.unwrap_err();
    let (place, served) = recorder.closed("server", 1).await.remove(0);
    assert_eq!(served.fields["otel.status_code"], "ERROR");
    assert!(Span::current().is_none());
    // It is told within the call's span.
    let event = recorder.event("a handler panicked").await;
    assert_eq!((event.level, event.span), (Level::ERROR, Some(place)));
    assert_eq!(event.fields["panic"], "this panic is part of a test");
    assert_eq!(event.fields["method"], "/test.Echo/Unary");

    // And so is that of a first turn.
    let other = start(Echoes, Spans::new()).await;
    let stub = self::stub(Spans::new(), &other.addresses()[0]);
    call(&stub, "panic").await.unwrap_err();
    let (place, _) = recorder.closed("server", 2).await.remove(1);
    assert!(Span::current().is_none());
    assert_eq!(recorder.texts(place), ["a handler panicked"]);
}

#[tokio::test]
async fn calls_that_are_given_up_close_their_spans() {
    let (recorder, _guard) = Recorder::set(Level::INFO);
    let server = start(Logs, Spans::new()).await;
    let stub = stub(Spans::new(), &server.addresses()[0]);

    let short = Duration::from_millis(100);
    let late = stub.unary(Echo::text("wait")).timeout(short).into_future();
    timeout(BOUND, late).await.unwrap().unwrap_err();
    let client = recorder.last("client", 1).await;
    assert_eq!(client.fields["rpc.grpc.status_code"], "4");
    recorder.closed("server", 1).await;

    let left = timeout(short, call(&stub, "wait")).await;
    assert!(left.is_err());
    let client = recorder.last("client", 2).await;
    assert_eq!(client.fields["rpc.grpc.status_code"], "1");
    let served = recorder.last("server", 2).await;
    assert_eq!(served.fields["rpc.grpc.status_code"], "1");
    assert!(
        !served.fields.contains_key("otel.status_code"),
        "{served:?}"
    );
    assert!(Span::current().is_none());

    // It never left.
    let stub = self::stub(Spans::new(), nobody());
    call(&stub, "hi").await.unwrap_err();
    let client = recorder.last("client", 3).await;
    assert_eq!(client.fields["rpc.grpc.status_code"], "14");
    assert!(!client.fields.contains_key("network.peer.address"));
}

#[tokio::test]
async fn a_stream_is_one_span_until_its_trailers() {
    let (recorder, _guard) = Recorder::set(Level::TRACE);
    let server = start(Logs, Spans::new()).await;
    let stub = stub(Spans::new(), &server.addresses()[0]);
    let (mut requests, mut replies) = stub.chat().start();
    for _ in 0..2 {
        requests.send(Echo::text("hi")).await.unwrap();
        timeout(BOUND, replies.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }
    let is_open = |kind: &str| {
        let records = recorder.records();
        let mut spans = records.spans.iter();
        spans.any(|span| {
            span.fields.get("otel.kind").is_some_and(|it| it == kind) && !span.is_closed
        })
    };
    assert!(is_open("client") && is_open("server"));
    requests.finish();
    assert!(
        timeout(BOUND, replies.next())
            .await
            .unwrap()
            .unwrap()
            .is_none()
    );
    let (place, _) = recorder.closed("server", 1).await.remove(0);
    let mut texts = recorder.texts(place);
    texts.retain(|text| !text.starts_with("initial"));
    let turn = ["message received", "a request", "message sent"];
    assert_eq!(texts, [turn, turn].concat());
    let (place, _) = recorder.closed("client", 1).await.remove(0);
    let mut texts = recorder.texts(place);
    texts.retain(|text| text.contains("message"));
    assert_eq!(texts.len(), 4, "{texts:?}");
    let sent = recorder.event("message sent").await;
    assert_eq!(sent.level, Level::TRACE);
    assert_eq!(told(&sent.fields), "number=0 size=4 wire_size=4");
    assert_eq!(
        recorder.event("initial metadata received").await.level,
        Level::TRACE
    );
}

#[tokio::test]
async fn a_level_holds_for_the_spans_of_calls() {
    let (recorder, _guard) = Recorder::set(Level::DEBUG);
    let server = start(Echoes, Spans::new().level(Level::TRACE)).await;
    let stub = stub(Spans::new().level(Level::WARN), &server.addresses()[0]);
    call(&stub, "hi").await.unwrap();
    assert_eq!(recorder.last("client", 1).await.level, Level::WARN);
    // The subscriber does not want it.
    recorder.closed("server", 0).await;
    for level in [Level::ERROR, Level::INFO, Level::DEBUG] {
        let number = recorder.records().spans.len() + 1;
        let stub = self::stub(Spans::new().level(level), &server.addresses()[0]);
        call(&stub, "hi").await.unwrap();
        assert_eq!(recorder.last("client", number).await.level, level);
    }
}

#[tokio::test]
async fn spans_of_ones_own_are_told_what_they_declare() {
    let (recorder, _guard) = Recorder::set(Level::INFO);
    let make = |call: &BegunCall<'_>| {
        if call.metadata().get("x-tenant").is_none() {
            return Span::none();
        }
        tracing::info_span!(
            parent: None,
            "mine",
            otel.kind = "mine",
            tenant = call.metadata().get("x-tenant"),
            grpc.sent.messages = Empty,
            grpc.received.bytes = Empty,
            grpc.attempts = Empty,
            rpc.response.status_code = Empty,
            error.type = Empty,
        )
    };
    let server = start(Echoes, Spans::new().span(make)).await;
    let stub = stub(Spans::new().span(make), &server.addresses()[0]);
    call(&stub, "hi").await.unwrap();
    let own = stub
        .unary(Echo::text("fail"))
        .metadata("x-tenant", "a")
        .into_future();
    timeout(BOUND, own).await.unwrap().unwrap_err();
    let spans = recorder.closed("mine", 2).await;
    let shared = "otel.kind=mine rpc.response.status_code=NOT_FOUND tenant=a";
    let mut all: Vec<_> = spans.iter().map(|(_, span)| told(&span.fields)).collect();
    all.sort();
    assert_eq!(
        all,
        [
            format!(
                "error.type=NOT_FOUND grpc.attempts=1 grpc.received.bytes=0 \
                 grpc.sent.messages=1 {shared}"
            ),
            format!("grpc.received.bytes=6 grpc.sent.messages=0 {shared}"),
        ]
    );
}

#[tokio::test]
async fn a_call_that_is_refused_is_an_event() {
    let (recorder, _guard) = Recorder::set(Level::DEBUG);
    let server = start(Echoes, Spans::new()).await;
    let stub = stub(Spans::new(), &server.addresses()[0]);
    let missing = stub.call(MISSING, Echo::default()).into_future();
    timeout(BOUND, missing).await.unwrap().unwrap_err();
    assert_eq!(
        recorder.last("client", 1).await.fields["rpc.grpc.status_code"],
        "12"
    );
    let event = recorder.event("a call was refused").await;
    assert_eq!((event.level, event.span), (Level::DEBUG, None));
    assert_eq!(event.target, "grpc_runtime::server");
    assert_eq!(event.fields["path"], "/test.Echo/Missing");
    assert_eq!(event.fields["code"], "UNIMPLEMENTED");
    recorder.closed("server", 0).await;
}

#[tokio::test]
async fn a_method_that_is_not_there_has_no_name_of_its_callers() {
    let (recorder, _guard) = Recorder::set(Level::INFO);
    let server = Server::builder().add_service(service(Echoes));
    let server = server.observe(Spans::new()).interceptor(Passes);
    let server = server.listen("127.0.0.1:0").start().await.unwrap();
    let stub = stub(Spans::new(), &server.addresses()[0]);
    let missing = stub.call(MISSING, Echo::default()).into_future();
    timeout(BOUND, missing).await.unwrap().unwrap_err();
    let served = recorder.last("server", 1).await;
    assert_eq!(served.fields["otel.name"], "_OTHER");
    assert_eq!(served.fields["rpc.method"], "_OTHER");
    assert!(!served.fields.contains_key("rpc.service"));
    // The panic of a handler within interceptors is told in the same place.
    call(&stub, "panic").await.unwrap_err();
    let (place, _) = recorder.closed("server", 2).await.remove(1);
    assert_eq!(recorder.texts(place), ["a handler panicked"]);
}

struct Passes;

impl grpc_runtime::ServerInterceptor for Passes {
    async fn intercept(
        &self,
        context: &mut Context,
        next: grpc_runtime::Next<'_>,
    ) -> grpc_runtime::Outcome {
        next.run(context).await
    }
}

#[tokio::test]
async fn without_a_subscriber_nothing_happens() {
    struct Looks;
    impl EchoServicer for Looks {
        async fn unary(&self, request: Echo, _context: &mut Context) -> Result<Echo, Status> {
            assert!(Span::current().is_none());
            Ok(request)
        }
    }
    let server = start(Looks, Spans::new()).await;
    call(&stub(Spans::new(), &server.addresses()[0]), "hi")
        .await
        .unwrap();
}
