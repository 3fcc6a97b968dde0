//! Ahead of a channel's calls, and behind them.

use std::future::pending;
use std::time::{Duration, Instant};

use super::{BOUND, Log, OnDrop, call_all, echoes, stub, stub_of, told};
use crate::support::{Echo, EchoServicer, EchoStub, service};
use grpc_runtime::{
    CallCredentials, Channel, ChannelCredentials, ClientInterceptor, Code, Context, EndedCall,
    MetadataValue, OutgoingCall, PeerAddress, Server, Status,
};

/// Tells which `x-seen` came with a call.
struct Mirror;

impl EchoServicer for Mirror {
    async fn unary(&self, _request: Echo, context: &mut Context) -> Result<Echo, Status> {
        let seen = context.metadata().get_all("x-seen");
        let seen: Vec<_> = seen.filter_map(MetadataValue::as_str).collect();
        let deadline = match context.deadline() {
            Some(_) => " with a deadline",
            None => "",
        };
        Ok(Echo::text(&format!("{}{deadline}", seen.join(", "))))
    }
}

fn mirror() -> Channel {
    let server = Server::builder().add_service(service(Mirror));
    Channel::in_process(server).unwrap()
}

fn mark(value: &'static str) -> impl ClientInterceptor {
    move |call: &mut OutgoingCall| {
        call.metadata_mut().append("x-seen", value)?;
        Ok(())
    }
}

/// Marks the call after a while.
struct SlowMark(&'static str);

impl ClientInterceptor for SlowMark {
    async fn start(&self, call: &mut OutgoingCall) -> Result<(), Status> {
        tokio::time::sleep(Duration::from_millis(5)).await;
        call.metadata_mut().append("x-seen", self.0)?;
        Ok(())
    }
}

/// Writes down how calls end.
struct Witness(Log, &'static str);

impl ClientInterceptor for Witness {
    async fn start(&self, call: &mut OutgoingCall) -> Result<(), Status> {
        let Self(log, name) = self;
        let (log, name) = (log.clone(), *name);
        call.on_end(move |ended: &EndedCall<'_>| {
            let (method, code) = (ended.method().name(), ended.code());
            let (sent, received) = (told(ended.sent()), told(ended.received()));
            let peer = ended.peer().map(ToString::to_string);
            let peer = peer.as_deref().unwrap_or("nowhere");
            log.add(format!(
                "{name}{method} {code:?} to {peer}, gave {sent}, got {received}"
            ));
        });
        Ok(())
    }
}

fn watched(channel: &Channel) -> (EchoStub, Log) {
    let log = Log::default();
    let stub = EchoStub(channel.with_interceptor(Witness(log.clone(), "")));
    (stub, log)
}

#[tokio::test]
async fn they_run_in_the_order_of_their_adding_whether_they_wait_or_not() {
    let insecure = || ChannelCredentials::insecure();
    let server = Server::builder()
        .add_service(service(Mirror))
        .listen("127.0.0.1:0")
        .start()
        .await
        .unwrap();
    let channel = Channel::builder(&server.addresses()[0])
        .unwrap()
        .interceptor(mark("a"))
        .interceptor(SlowMark("b"))
        .interceptor(mark("c"))
        .build(insecure())
        .unwrap();
    let seen = |stub: EchoStub| async move {
        let call = stub.unary(Echo::default()).metadata("x-seen", "own");
        call.await.unwrap().text
    };
    let stub = EchoStub(channel.with_interceptor(mark("d")));
    assert_eq!(seen(stub).await, "own, a, b, c, d");
    // Another clone has nothing of it.
    assert_eq!(seen(EchoStub(channel)).await, "own, a, b, c");
}

#[tokio::test]
async fn credentials_come_after_them() {
    let metadata = grpc_runtime::Metadata::from_pairs([("x-seen", "credentials")]).unwrap();
    let fixed = CallCredentials::fixed(metadata.clone()).allow_unencrypted();
    let made = CallCredentials::from_source(move |_| {
        let metadata = metadata.clone();
        async move {
            tokio::task::yield_now().await;
            Ok(metadata)
        }
    });
    for credentials in [fixed, made.allow_unencrypted()] {
        let stub = EchoStub(mirror().with_interceptor(mark("interceptor")));
        let call = stub.unary(Echo::default()).credentials(credentials);
        assert_eq!(call.await.unwrap().text, "interceptor, credentials");
    }
}

#[tokio::test]
async fn the_end_of_every_kind_of_call_is_heard_with_what_passed() {
    let (stub, log) = watched(&stub().0);
    assert_eq!(call_all(&stub).await, [Code::Ok; 4]);
    assert_eq!(
        stub.unary(Echo::text("fail")).await.unwrap_err().code(),
        Code::NotFound
    );
    assert_eq!(
        log.lines(),
        [
            "Unary Ok to in-process, gave 1 of 4, got 1 of 4",
            "Expand Ok to in-process, gave 1 of 2, got 2 of 2",
            "Collect Ok to in-process, gave 2 of 8, got 1 of 0",
            "Chat Ok to in-process, gave 2 of 8, got 2 of 8",
            "Unary NotFound to in-process, gave 1 of 6, got 0 of 0",
        ]
    );
}

#[tokio::test]
async fn the_end_is_told_with_metadata_peer_and_time() {
    let server = Server::builder()
        .add_service(echoes())
        .listen("127.0.0.1:0")
        .start()
        .await
        .unwrap();
    let address = server.addresses()[0].clone();
    let log = Log::default();
    let ends = log.clone();
    let channel = Channel::insecure(&address).unwrap();
    let stub = EchoStub(channel.with_interceptor(move |call: &mut OutgoingCall| {
        let (ends, address) = (ends.clone(), address.clone());
        assert_eq!(call.authority(), address);
        call.on_end(move |ended: &EndedCall<'_>| {
            assert_eq!(
                ended.peer(),
                Some(&PeerAddress::Tcp(address.parse().unwrap()))
            );
            assert!(ended.elapsed() <= BOUND);
            let initial = ended.initial_metadata().get("x-initial");
            let trailing = ended.trailing_metadata().get("x-trailing");
            ends.add(format!(
                "{initial:?} {trailing:?} {:?}",
                ended.result().is_ok()
            ));
        });
        Ok(())
    }));
    let call = |text| stub.unary(Echo::text(text)).metadata("x-id", "7");
    call("hi").await.unwrap();
    call("fail").await.unwrap_err();
    let lines = log.lines();
    assert_eq!(lines[0], r#"Some("7") Some("7") true"#);
    assert!(lines[1].ends_with(r#"Some("7") false"#), "{lines:?}");
}

#[tokio::test]
async fn the_one_that_was_added_last_hears_first() {
    let log = Log::default();
    let channel = stub().0.with_interceptor(Witness(log.clone(), "a: "));
    let stub = EchoStub(channel.with_interceptor(Witness(log.clone(), "b: ")));
    stub.unary(Echo::default()).await.unwrap();
    let lines = log.lines();
    assert!(
        lines[0].starts_with("b: ") && lines[1].starts_with("a: "),
        "{lines:?}"
    );
}

#[tokio::test]
async fn a_refused_call_goes_nowhere() {
    let (stub, log) = watched(&stub().0);
    let refuse = |_: &mut OutgoingCall| Err(Status::permission_denied("not from here"));
    let stub = EchoStub(stub.0.with_interceptor(refuse));
    assert_eq!(call_all(&stub).await, [Code::PermissionDenied; 4]);
    let lines = log.lines();
    assert_eq!(lines.len(), 4);
    assert_eq!(
        lines[0],
        "Unary PermissionDenied to nowhere, gave 0 of 0, got 0 of 0"
    );
}

#[tokio::test]
async fn what_they_say_of_deadline_and_readiness_holds() {
    let stub = EchoStub(mirror().with_interceptor(|call: &mut OutgoingCall| {
        assert!(call.deadline().is_none() && !call.waits_for_ready());
        call.set_timeout(BOUND);
        call.set_wait_for_ready(true);
        assert!(call.deadline().is_some() && call.waits_for_ready());
        Ok(())
    }));
    let reply = stub.unary(Echo::default()).await.unwrap();
    assert_eq!(reply.text, " with a deadline");

    // Nobody is there: without waiting the call would fail at once.
    let nowhere = Channel::insecure("unix:/no/such/socket").unwrap();
    let (nowhere, log) = watched(&nowhere.with_interceptor(|call: &mut OutgoingCall| {
        call.set_deadline(Instant::now() + Duration::from_millis(50));
        call.set_wait_for_ready(true);
        Ok(())
    }));
    let status = nowhere.unary(Echo::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(
        log.lines(),
        ["Unary DeadlineExceeded to nowhere, gave 0 of 0, got 0 of 0"]
    );
}

/// Waits for ever.
struct Stuck(Log);

impl ClientInterceptor for Stuck {
    async fn start(&self, _call: &mut OutgoingCall) -> Result<(), Status> {
        let _guard = OnDrop(self.0.clone(), "dropped");
        self.0.add("began");
        pending().await
    }
}

#[tokio::test]
async fn one_that_waits_ends_with_its_call() {
    for how in ["deadline", "cancel", "close"] {
        let (stub, ends) = watched(&stub().0);
        let log = Log::default();
        let stub = EchoStub(stub.0.with_interceptor(Stuck(log.clone())));
        let call = stub.unary(Echo::default());
        let code = match how {
            "deadline" => call
                .timeout(Duration::from_millis(50))
                .await
                .unwrap_err()
                .code(),
            "cancel" => {
                drop(call.response());
                Code::Cancelled
            }
            _ => {
                let call = call.response();
                stub.0.close();
                tokio::time::timeout(BOUND, call)
                    .await
                    .unwrap()
                    .unwrap_err()
                    .code()
            }
        };
        assert_eq!(log.wait_for(2).await, ["began", "dropped"], "{how}");
        let expected = if how == "deadline" {
            Code::DeadlineExceeded
        } else {
            Code::Cancelled
        };
        assert_eq!(code, expected, "{how}");
        let end = format!("Unary {expected:?} to nowhere, gave 0 of 0, got 0 of 0");
        assert_eq!(ends.lines(), [end], "{how}");
    }
}

#[tokio::test]
async fn a_dropped_call_is_heard_of_as_cancelled_whatever_its_kind() {
    let (stub, log) = watched(&stub().0);
    drop(stub.unary(Echo::text("hi")).response());
    drop(stub.expand(Echo::number(2)).start());
    drop(stub.collect().start());
    drop(stub.chat().start());
    let lines = log.lines();
    for (line, method) in lines.iter().zip(["Unary", "Expand", "Collect", "Chat"]) {
        assert!(
            line.starts_with(&format!("{method} Cancelled")),
            "{lines:?}"
        );
    }
    assert_eq!(lines.len(), 4);
}

#[tokio::test]
async fn a_dropped_call_that_had_ended_is_told_as_it_ended() {
    let (stub, log) = watched(&stub().0);
    let mut replies = stub.expand(Echo::number(0)).start();
    // Its end has come with its head, or soon will have, and is not looked at.
    replies.initial_metadata().await.unwrap();
    let call = stub.unary(Echo::text("hi"));
    call.await.unwrap();
    drop(replies);
    let lines = log.lines();
    assert!(lines[1].starts_with("Expand Ok"), "{lines:?}");
}

#[tokio::test]
async fn a_panic_ends_its_call_alone() {
    struct Fragile;
    impl ClientInterceptor for Fragile {
        async fn start(&self, call: &mut OutgoingCall) -> Result<(), Status> {
            let when = call.metadata().get("x-break").map(str::to_owned);
            assert!(
                when.as_deref() != Some("now"),
                "this panic is part of a test"
            );
            tokio::task::yield_now().await;
            assert!(
                when.as_deref() != Some("later"),
                "this panic is part of a test"
            );
            call.on_end(|ended| assert!(ended.result().is_err(), "part of a test"));
            Ok(())
        }
    }
    let stub = EchoStub(stub().0.with_interceptor(Fragile));
    for when in ["now", "later"] {
        let call = stub.unary(Echo::default()).metadata("x-break", when);
        assert_eq!(call.await.unwrap_err().code(), Code::Internal);
    }
    // One that listens may panic as well, and nobody else hears of it.
    assert!(stub.unary(Echo::default()).await.is_ok());
}

#[test]
fn they_wait_for_blocking_calls_too() {
    let stub = EchoStub(mirror().with_interceptor(SlowMark("late")));
    let reply = stub.unary(Echo::default()).wait().unwrap();
    assert_eq!(reply.text, "late");
}

#[tokio::test]
async fn a_message_that_cannot_be_decoded_is_the_end_that_is_heard_of() {
    #[derive(Clone, PartialEq, prost::Message)]
    struct NoEcho {
        #[prost(int64, tag = "1")]
        text: i64,
    }
    let (stub, log) = watched(&stub_of(Server::builder().add_service(echoes())).0);
    let method = crate::support::UNARY;
    let call = grpc_runtime::UnaryCall::<NoEcho>::new(&stub.0, method, &Echo::text("hi"));
    assert_eq!(call.await.unwrap_err().code(), Code::Internal);
    let expand = crate::support::EXPAND;
    let request = Echo {
        text: "hi".to_owned(),
        number: 2,
        ..Echo::default()
    };
    let mut replies =
        grpc_runtime::ServerStreamingCall::<NoEcho>::new(&stub.0, expand, &request).start();
    assert_eq!(replies.next().await.unwrap_err().code(), Code::Internal);
    let lines = log.lines();
    assert!(lines[0].starts_with("Unary Internal"), "{lines:?}");
    assert!(lines[1].starts_with("Expand Internal"), "{lines:?}");
}
