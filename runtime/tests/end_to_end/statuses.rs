//! A status that was made on this side says in which phase, and keeps the error
//! that it came from.

use std::error::Error;
use std::future::IntoFuture;
use std::io;
use std::time::Duration;

use grpc_runtime::{Channel, Code, MetadataError, Phase, Server, Status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::addresses::nobody;
use crate::calls::Echoes;
use crate::support::{Echo, EchoStub, service};

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);

async fn failure(stub: &EchoStub) -> Status {
    let call = stub.unary(Echo::default()).into_future();
    timeout(BOUND, call).await.unwrap().unwrap_err()
}

/// The first error of this type among a status' sources.
fn cause<E: Error + 'static>(status: &Status) -> &E {
    let mut source = status.source();
    while let Some(error) = source {
        if let Some(found) = error.downcast_ref() {
            return found;
        }
        source = error.source();
    }
    panic!("{status:?} does not come from what it should");
}

fn stub_of(target: &str) -> EchoStub {
    EchoStub(Channel::insecure(target).unwrap())
}

fn echoes() -> EchoStub {
    let server = Server::builder()
        .add_service(service(Echoes))
        .max_receive_message_size(1_000);
    EchoStub(Channel::in_process(server).unwrap())
}

/// The kind of frame that a call begins with.
const HEADERS: u8 = 1;

/// A server of bare frames that resets its connection when a call has come.
async fn resetting() -> EchoStub {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stub = stub_of(&listener.local_addr().unwrap().to_string());
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
        socket.write_all(&settings).await.unwrap();
        let mut preface = [0; 24];
        socket.read_exact(&mut preface).await.unwrap();
        loop {
            let mut head = [0; 9];
            socket.read_exact(&mut head).await.unwrap();
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            socket.read_exact(&mut payload).await.unwrap();
            if head[3] == HEADERS {
                break;
            }
        }
        socket.set_zero_linger().unwrap();
    });
    stub
}

#[tokio::test]
async fn a_name_that_is_none_fails_while_resolving() {
    let status = failure(&stub_of("no-such-host.invalid:1")).await;
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert_eq!(status.phase(), Some(Phase::Resolve), "{status}");
    assert!(
        status.message().contains("no-such-host.invalid"),
        "{status}"
    );
    cause::<io::Error>(&status);
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_fails_while_connecting() {
    let address = nobody();
    let stub = stub_of(address);
    let status = failure(&stub).await;
    assert_eq!(status.phase(), Some(Phase::Connect), "{status}");
    assert!(status.message().contains(address), "{status}");
    let error = cause::<io::Error>(&status);
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    assert!(error.raw_os_error().is_some(), "the system's own error");

    // A call that waits for ready says at its deadline what it waited for.
    let call = stub.unary(Echo::default()).wait_for_ready();
    let call = call.timeout(Duration::from_millis(50)).into_future();
    let status = timeout(BOUND, call).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    assert_eq!(status.phase(), Some(Phase::Wait), "{status}");
    assert!(status.message().contains(address), "{status}");
    assert_eq!(
        cause::<io::Error>(&status).kind(),
        io::ErrorKind::ConnectionRefused
    );
}

#[tokio::test]
async fn a_connection_that_breaks_fails_while_receiving() {
    let status = failure(&resetting().await).await;
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert_eq!(status.phase(), Some(Phase::Receive), "{status}");
    assert!(status.message().contains("127.0.0.1:"), "{status}");
    let error = cause::<io::Error>(&status);
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert!(error.raw_os_error().is_some(), "the system's own error");
}

#[tokio::test]
async fn what_cannot_be_sent_fails_while_sending() {
    let stub = echoes();
    let call = stub.unary(Echo::default()).metadata("grpc-mine", "x");
    let status = call.await.unwrap_err();
    assert_eq!(status.phase(), Some(Phase::Send), "{status}");
    assert_eq!(cause::<MetadataError>(&status).key(), "grpc-mine");

    let call = stub.unary(Echo::data(100)).max_send_message_size(10);
    let status = call.await.unwrap_err();
    assert_eq!(status.phase(), Some(Phase::Send), "{status}");
    assert!(status.source().is_some());

    let large = "v".repeat(1 << 20);
    let status = stub.unary(Echo::default()).metadata("x-large", &large);
    let status = status.await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert_eq!(status.phase(), Some(Phase::Send), "{status}");
}

#[tokio::test]
async fn what_cannot_be_received_fails_while_receiving() {
    let stub = echoes();
    let call = stub.unary(Echo::data(100)).max_receive_message_size(10);
    let status = call.await.unwrap_err();
    assert_eq!(status.phase(), Some(Phase::Receive), "{status}");
    assert!(status.source().is_some());
    // What the server says arose there, and not here.
    let status = stub.unary(Echo::data(2_000)).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.phase(), None, "{status}");
}

#[tokio::test]
async fn what_ends_the_call_as_a_whole_says_so() {
    let (_requests, mut replies) = echoes().chat().start();
    replies.cancel();
    let status = replies.next().await.unwrap_err();
    assert_eq!(status.phase(), Some(Phase::Call), "{status}");

    let (_requests, mut replies) = echoes().chat().timeout(Duration::from_millis(50)).start();
    let status = timeout(BOUND, replies.next()).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(status.phase(), Some(Phase::Call), "{status}");
}

/// A server that answers whatever comes with `text`.
async fn saying(text: &'static str) -> EchoStub {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stub = stub_of(&listener.local_addr().unwrap().to_string());
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.write_all(text.as_bytes()).await.unwrap();
        // Until the client leaves.
        let _ = socket.read_to_end(&mut Vec::new()).await;
    });
    stub
}

#[tokio::test]
async fn a_port_that_speaks_something_else_is_told_by_its_first_line() {
    for (said, told) in [
        (
            "HTTP/1.1 400 Bad Request\r\nserver: x\r\n\r\n",
            "it speaks HTTP/1.1 on this port, not HTTP/2: 'HTTP/1.1 400 Bad Request'",
        ),
        (
            "SSH-2.0-OpenSSH_9.2p1\r\n",
            "it does not speak HTTP/2 on this port: 'SSH-2.0-OpenSSH_9.2p1'",
        ),
        (
            "220 mail.example ESMTP\r\n",
            "it does not speak HTTP/2 on this port: '220 mail.example ESMTP'",
        ),
    ] {
        let status = failure(&saying(said).await).await;
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        assert!(status.message().contains(told), "{status}");
    }
}

#[test]
fn an_url_is_no_target_and_no_address_and_says_what_to_write() {
    for (target, told) in [
        ("http://localhost:50051", "leave out 'http://'"),
        ("https://localhost:50051", "ChannelCredentials::tls"),
    ] {
        let error = Channel::insecure(target).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}

#[tokio::test]
async fn a_server_listens_on_no_url() {
    for address in ["http://localhost:0", "https://[::]:0"] {
        let listening = Server::builder().listen(address).start().await;
        let error = listening.unwrap_err().to_string();
        assert!(error.contains("host:port"), "{error}");
    }
}
