//! Credentials of calls: where they may go, in which order, and how a source of
//! them fails.

use std::error::Error;
use std::future::{IntoFuture, pending};
use std::time::Duration;

use crate::support::{Echo, EchoServicer, EchoStub, service};
use grpc_runtime::{
    CallCredentials, Channel, ChannelCredentials, Code, Context, Metadata, MetadataValue, Phase,
    Receiver, Sender, Server, Status,
};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::timeout;

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);

/// Tells callers which credentials came with their calls.
struct Door;

fn shown(context: &Context) -> Echo {
    let values = context.metadata().get_all("authorization");
    let values: Vec<_> = values.filter_map(MetadataValue::as_str).collect();
    Echo::text(&values.join(", "))
}

impl EchoServicer for Door {
    async fn unary(&self, _request: Echo, context: &mut Context) -> Result<Echo, Status> {
        Ok(shown(context))
    }

    async fn expand(
        &self,
        _request: Echo,
        replies: &mut Sender<Echo>,
        context: &mut Context,
    ) -> Result<(), Status> {
        replies.send(shown(context)).await
    }

    async fn collect(
        &self,
        requests: &mut Receiver<Echo>,
        context: &mut Context,
    ) -> Result<Echo, Status> {
        while requests.next().await?.is_some() {}
        Ok(shown(context))
    }

    async fn chat(
        &self,
        requests: &mut Receiver<Echo>,
        replies: &mut Sender<Echo>,
        context: &mut Context,
    ) -> Result<(), Status> {
        while requests.next().await?.is_some() {
            replies.send(shown(context)).await?;
        }
        Ok(())
    }
}

fn bearer(token: &str) -> CallCredentials {
    CallCredentials::bearer(token).unwrap()
}

/// A source that takes its time.
fn made(token: &'static str) -> CallCredentials {
    CallCredentials::from_source(move |_| async move {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Ok(Metadata::from_pairs([("authorization", token)])?)
    })
}

fn in_process() -> EchoStub {
    let server = Server::builder().add_service(service(Door));
    EchoStub(Channel::in_process(server).unwrap())
}

async fn server() -> Server {
    let builder = Server::builder().add_service(service(Door));
    builder.listen("127.0.0.1:0").start().await.unwrap()
}

#[tokio::test]
async fn unencrypted_connections_get_no_credentials_unless_asked_by_name() {
    let server = server().await;
    let target = &server.addresses()[0];
    let insecure = EchoStub(Channel::insecure(target).unwrap());
    for stub in [&insecure, &in_process()] {
        for credentials in [
            bearer("t"),
            made("t"),
            bearer("t").and(bearer("u").allow_unencrypted()),
        ] {
            let call = stub.unary(Echo::text("hi")).credentials(credentials);
            let status = call.await.unwrap_err();
            assert_eq!(status.code(), Code::Unauthenticated);
            assert_eq!(status.phase(), Some(Phase::Call));
            for part in [
                "without encryption",
                "ChannelCredentials::tls()",
                "allow_unencrypted",
            ] {
                assert!(status.message().contains(part), "{status}");
            }
        }
        let call = stub.unary(Echo::text("hi"));
        let reply = call.credentials(bearer("t").allow_unencrypted()).await;
        assert_eq!(reply.unwrap().text, "Bearer t");
    }
    let channel = ChannelCredentials::insecure().with_call_credentials(bearer("t"));
    let stub = EchoStub(Channel::new(target, channel).unwrap());
    let status = stub.unary(Echo::text("hi")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_is_not_encrypted_either() {
    let path = std::env::temp_dir().join(format!("grpc-runtime-calls-{}", std::process::id()));
    let target = format!("unix:{}", path.display());
    let builder = Server::builder().add_service(service(Door));
    let _server = builder.listen(&target).start().await.unwrap();
    let stub = EchoStub(Channel::insecure(&target).unwrap());
    let call = stub.unary(Echo::text("hi")).credentials(bearer("t"));
    assert_eq!(call.await.unwrap_err().code(), Code::Unauthenticated);
    let call = stub.unary(Echo::text("hi"));
    let reply = call.credentials(bearer("t").allow_unencrypted()).await;
    assert_eq!(reply.unwrap().text, "Bearer t");
}

#[tokio::test]
async fn the_channels_credentials_come_before_the_calls() {
    let server = server().await;
    let channel = ChannelCredentials::insecure()
        .with_call_credentials(bearer("1").allow_unencrypted())
        .with_call_credentials(made("2").allow_unencrypted());
    let stub = EchoStub(Channel::new(&server.addresses()[0], channel).unwrap());
    let own = made("3").and(bearer("4")).allow_unencrypted();
    let call = stub.unary(Echo::text("hi")).credentials(own);
    let call = call.credentials(bearer("5").allow_unencrypted());
    let reply = call.await.unwrap();
    assert_eq!(reply.text, "Bearer 1, 2, 3, Bearer 4, Bearer 5");
    let reply = stub.unary(Echo::text("hi")).await.unwrap();
    assert_eq!(reply.text, "Bearer 1, 2");
}

#[tokio::test]
async fn all_kinds_of_calls_carry_credentials() {
    let stub = in_process();
    for credentials in [bearer("t"), made("Bearer t")] {
        let credentials = || credentials.clone().allow_unencrypted();
        let call = stub.unary(Echo::default()).credentials(credentials());
        assert_eq!(call.await.unwrap().text, "Bearer t");

        let call = stub.expand(Echo::default()).credentials(credentials());
        let mut replies = call.start();
        assert_eq!(replies.next().await.unwrap().unwrap().text, "Bearer t");

        // What is sent before the credentials are there waits for them.
        let mut call = stub.collect().credentials(credentials()).start();
        call.send(Echo::default()).await.unwrap();
        assert_eq!(call.finish().await.unwrap().text, "Bearer t");

        let (mut requests, mut replies) = stub.chat().credentials(credentials()).start();
        requests.send(Echo::default()).await.unwrap();
        assert_eq!(replies.next().await.unwrap().unwrap().text, "Bearer t");
        requests.finish();
        assert_eq!(replies.next().await.unwrap(), None);
    }
}

#[test]
fn a_blocking_call_waits_for_its_credentials() {
    let call = in_process().unary(Echo::default());
    let reply = call.credentials(made("t").allow_unencrypted()).wait();
    assert_eq!(reply.unwrap().text, "t");
}

#[tokio::test]
async fn a_source_knows_the_service_and_the_method() {
    let server = server().await;
    let source = CallCredentials::from_source(|request| async move {
        let value = format!("{} {}", request.service_url, request.method.name());
        Ok(Metadata::from_pairs([("authorization", value)])?)
    });
    for (authority, host) in [
        ("service.test:443", "service.test"),
        ("service.test", "service.test"),
        ("service.test:8080", "service.test:8080"),
    ] {
        let builder = Channel::builder(&server.addresses()[0]).unwrap();
        let credentials = ChannelCredentials::insecure()
            .with_call_credentials(source.clone().allow_unencrypted());
        let channel = builder.authority(authority).build(credentials).unwrap();
        let reply = EchoStub(channel).unary(Echo::default()).await.unwrap();
        assert_eq!(reply.text, format!("https://{host}/test.Echo Unary"));
    }
}

#[tokio::test]
async fn a_sources_error_is_the_calls() {
    let stub = in_process();
    for (given, seen) in [
        (Code::Unauthenticated, Code::Unauthenticated),
        (Code::Unavailable, Code::Unavailable),
        (Code::PermissionDenied, Code::PermissionDenied),
        // gRFC A54: those are for servers to say.
        (Code::NotFound, Code::Internal),
        (Code::InvalidArgument, Code::Internal),
        (Code::Ok, Code::Internal),
    ] {
        let source = CallCredentials::from_source(move |_| async move {
            tokio::task::yield_now().await;
            Err(Status::new(given, "no token today"))
        });
        let call = stub.unary(Echo::default());
        let status = call
            .credentials(source.allow_unencrypted())
            .await
            .unwrap_err();
        assert_eq!(status.code(), seen);
        assert_eq!(status.phase(), Some(Phase::Call));
        assert!(
            status.message().starts_with("call credentials: "),
            "{status}"
        );
        assert!(status.message().ends_with("no token today"), "{status}");
        let source: &Status = status.source().unwrap().downcast_ref().unwrap();
        assert_eq!(source.code(), given);
    }
}

#[tokio::test]
async fn a_source_that_panics_ends_its_call_alone() {
    let stub = in_process();
    let source = CallCredentials::from_source(|_| async { panic!("this panic is part of a test") });
    let call = stub.unary(Echo::default());
    let status = call
        .credentials(source.allow_unencrypted())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    stub.unary(Echo::default()).await.unwrap();
}

struct Dropped(UnboundedSender<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

/// A source that never ends; the other half tells when it begins and is dropped.
fn stuck() -> (CallCredentials, tokio::sync::mpsc::UnboundedReceiver<()>) {
    let (events, receiver) = unbounded_channel();
    let source = CallCredentials::from_source(move |_| {
        let dropped = Dropped(events.clone());
        let _ = events.send(());
        async move {
            let _dropped = dropped;
            pending().await
        }
    });
    (source.allow_unencrypted(), receiver)
}

#[tokio::test]
async fn a_source_that_hangs_is_dropped_at_the_deadline() {
    let (source, mut events) = stuck();
    let call = in_process().unary(Echo::default()).credentials(source);
    let status = timeout(BOUND, call.timeout(Duration::from_millis(50)).into_future());
    let status = status.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    for _ in ["begun", "dropped"] {
        timeout(BOUND, events.recv()).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_source_that_hangs_is_dropped_when_the_call_is_cancelled() {
    let (source, mut events) = stuck();
    let (requests, mut replies) = in_process().chat().credentials(source).start();
    timeout(BOUND, events.recv()).await.unwrap().unwrap();
    drop(requests);
    timeout(BOUND, events.recv()).await.unwrap().unwrap();
    let status = timeout(BOUND, replies.next()).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Cancelled);
}

#[tokio::test]
async fn a_source_that_hangs_is_dropped_when_the_channel_is_closed() {
    let (source, mut events) = stuck();
    let stub = in_process();
    let call = stub.unary(Echo::default()).credentials(source);
    let call = tokio::spawn(call.into_future());
    timeout(BOUND, events.recv()).await.unwrap().unwrap();
    stub.0.close();
    let status = timeout(BOUND, call).await.unwrap().unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Cancelled);
    timeout(BOUND, events.recv()).await.unwrap().unwrap();
}

#[test]
fn tokens_are_judged_at_once_and_never_printed() {
    for token in ["two\nlines", "ümlaut", "\0"] {
        assert!(CallCredentials::bearer(token).is_err());
    }
    let secret = bearer("secret").and(bearer("secret"));
    assert!(!format!("{secret:?}").contains("secret"));
    let channel = ChannelCredentials::insecure().with_call_credentials(secret);
    assert!(!format!("{channel:?}").contains("secret"));
}
