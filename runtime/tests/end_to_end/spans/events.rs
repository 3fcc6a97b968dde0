//! Events of connections and of attempts: who is told how loudly.

use std::future::IntoFuture;
use std::time::Duration;

use grpc_runtime::tracing::Level;
use grpc_runtime::{
    AccessLog, Channel, ChannelCredentials, Code, MethodConfig, RetryPolicy, Server, ServiceConfig,
    Spans,
};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::recorder::Recorder;
use super::{BOUND, call, start, stub, told};
use crate::addresses::{Peer, nobody, peer};
use crate::calls::Echoes;
use crate::support::{Echo, EchoStub, MISSING, service};

const CONNECTION: &str = "grpc_runtime::connection";

#[tokio::test]
async fn connections_are_told_of_without_a_span() {
    let (recorder, _guard) = Recorder::set(Level::DEBUG);
    let server = start(Echoes, Spans::new()).await;
    let address = server.addresses()[0].clone();
    let stub = stub(Spans::new(), &address);
    call(&stub, "hi").await.unwrap();
    let opened = recorder.event("connection opened").await;
    assert_eq!((opened.target, opened.level), (CONNECTION, Level::DEBUG));
    assert_eq!(opened.fields["tls"], "false");
    server.shutdown(BOUND).await;
    for text in ["GOAWAY sent", "GOAWAY received", "connection closed"] {
        let event = recorder.event(text).await;
        assert_eq!(
            (event.target, event.level),
            (CONNECTION, Level::DEBUG),
            "{event:?}"
        );
        assert_eq!(event.span, None);
        assert!(event.fields.contains_key("peer"));
    }
    let received = recorder.event("GOAWAY received").await;
    assert_eq!(received.fields["side"], "client");
    assert_eq!(received.fields["code"], "0");
}

#[tokio::test]
async fn a_server_is_quiet_about_strangers_and_a_channel_is_not_about_its_server() {
    let (recorder, _guard) = Recorder::set(Level::DEBUG);
    let server = start(Echoes, Spans::new()).await;
    let mut stranger = TcpStream::connect(&server.addresses()[0]).await.unwrap();
    stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let failed = recorder.event("connection failed").await;
    assert_eq!((failed.target, failed.level), (CONNECTION, Level::DEBUG));
    assert_eq!(failed.fields["side"], "server");
    assert_eq!(failed.fields["step"], "HTTP/2");
    let own = stranger.local_addr().unwrap().to_string();
    assert_eq!(failed.fields["peer"], own);

    recorder.records().events.clear();
    call(&stub(Spans::new(), nobody()), "hi").await.unwrap_err();
    let failed = recorder.event("connection failed").await;
    assert_eq!((failed.target, failed.level), (CONNECTION, Level::WARN));
    assert_eq!(failed.fields["side"], "client");
    assert_eq!(failed.fields["step"], "connect");
}

#[tokio::test]
async fn a_client_that_breaks_http2_is_told() {
    let (recorder, _guard) = Recorder::set(Level::INFO);
    let server = start(Echoes, Spans::new()).await;
    let mut stranger = TcpStream::connect(&server.addresses()[0]).await.unwrap();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    // DATA on stream 0.
    bytes.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0]);
    stranger.write_all(&bytes).await.unwrap();
    let closed = recorder.event("connection closed").await;
    assert_eq!((closed.target, closed.level), (CONNECTION, Level::INFO));
    assert_eq!(closed.fields["side"], "server");
    assert!(
        closed.fields["reason"].contains("PROTOCOL_ERROR"),
        "{closed:?}"
    );
}

#[tokio::test]
async fn a_server_that_complains_or_breaks_http2_is_a_warning() {
    let (recorder, _guard) = Recorder::set(Level::INFO);
    // SETTINGS, GOAWAY with ENHANCE_YOUR_CALM, and DATA on stream 0.
    let address = peer(Peer::Answers(
        b"\0\0\0\x04\0\0\0\0\0\
          \0\0\x16\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0btoo_many_pings\
          \0\0\0\0\0\0\0\0\0",
    ))
    .await;
    call(&stub(Spans::new(), &address), "hi").await.unwrap_err();
    let received = recorder.event("GOAWAY received").await;
    assert_eq!((received.target, received.level), (CONNECTION, Level::WARN));
    assert_eq!(received.fields["code"], "11");
    assert_eq!(received.fields["debug_data"], "too_many_pings");
    let closed = recorder.event("connection closed").await;
    assert_eq!((closed.target, closed.level), (CONNECTION, Level::WARN));
    assert_eq!(closed.fields["side"], "client");
}

#[tokio::test]
async fn the_attempts_of_a_call_are_told_in_its_span() {
    let (recorder, _guard) = Recorder::set(Level::DEBUG);
    let server = start(Echoes, Spans::new()).await;
    let policy = RetryPolicy::new([Code::NotFound]).max_attempts(2);
    let policy = policy.backoff(Duration::from_millis(1), 1.0, Duration::from_millis(1));
    let config = MethodConfig::default().retry(policy);
    let config = ServiceConfig::builder().all(config).build().unwrap();
    let builder = Channel::builder(&server.addresses()[0]).unwrap();
    let builder = builder.service_config(config).observe(Spans::new());
    let stub = EchoStub(builder.build(ChannelCredentials::insecure()).unwrap());
    call(&stub, "fail").await.unwrap_err();
    let (place, _) = recorder.closed("client", 1).await.remove(0);
    let mut texts = recorder.texts(place);
    texts.retain(|text| text.contains("attempt"));
    let expected = [
        "an attempt failed",
        "a further attempt begins",
        "an attempt failed",
    ];
    assert_eq!(texts, expected);
    let further = recorder.event("a further attempt begins").await;
    assert_eq!((further.level, further.span), (Level::DEBUG, Some(place)));
    assert_eq!(told(&further.fields), "kind=retry number=1");
    let failed = recorder.event("an attempt failed").await;
    assert_eq!(failed.fields["code"], "NOT_FOUND");
    assert_eq!(failed.fields["peer"], server.addresses()[0]);
    // Each is a call of the server's.
    recorder.closed("server", 2).await;
}

#[tokio::test]
async fn an_access_log_may_be_events() {
    let (recorder, _guard) = Recorder::set(Level::INFO);
    let server = Server::builder().add_service(service(Echoes));
    let server = server.observe(AccessLog::traced()).listen("127.0.0.1:0");
    let server = server.start().await.unwrap();
    let builder = Channel::builder(&server.addresses()[0]).unwrap();
    let stub = EchoStub(builder.build(ChannelCredentials::insecure()).unwrap());
    call(&stub, "fail").await.unwrap_err();
    let missing = stub.call(MISSING, Echo::default()).into_future();
    timeout(BOUND, missing).await.unwrap().unwrap_err();
    let events = &recorder.records().events;
    let [failed, refused] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(
        (failed.target, failed.level),
        ("grpc_runtime::access", Level::INFO)
    );
    assert_eq!(failed.fields["code"], "NOT_FOUND");
    assert_eq!(failed.fields["received_bytes"], "6");
    assert_eq!(failed.fields["error"], "no ☺ here\t");
    assert!(!failed.fields.contains_key("refused"));
    assert_eq!(refused.fields["refused"], "true");
    assert!(!refused.fields.contains_key("elapsed_ms"));
}
