//! TLS over byte streams of the user's own.

use std::sync::Arc;

use super::certificates::Authority;
use super::{BOUND, Who};
use crate::byte_streams::{Once, Pipes, TARGET, Wrap, connected_by, held_back, plain};
use crate::calls::{Echoes, all_kinds};
use crate::support::{Echo, EchoServicer, EchoStub, service};
use grpc_runtime::{Channel, Http2Options, Server};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

async fn over<S: EchoServicer>(wrap: Wrap, servicer: S) -> EchoStub {
    let authority = Authority::new();
    let server = Server::builder().add_service(service(servicer));
    let pipes = Pipes {
        server: Arc::new(server.listen_nowhere().start().await.unwrap()),
        credentials: authority.server().build().unwrap(),
        wrap,
    };
    let channel = Channel::builder(TARGET).unwrap().connector(pipes);
    let channel = channel.authority("localhost");
    EchoStub(channel.build(authority.client().build().unwrap()).unwrap())
}

#[tokio::test]
async fn all_kinds_over_tls_on_a_pipe() {
    all_kinds(&over(plain, Echoes).await).await;
}

#[tokio::test]
async fn all_kinds_over_tls_on_streams_that_hold_back_until_they_are_flushed() {
    let stub = over(held_back, Echoes).await;
    timeout(BOUND, all_kinds(&stub)).await.unwrap();
}

#[tokio::test]
async fn the_peer_is_what_the_stream_was_called() {
    let stub = over(plain, Who).await;
    assert_eq!(stub.unary(Echo::default()).await.unwrap().text, "a pipe");
}

#[tokio::test]
async fn a_handshake_on_a_given_stream_is_cut_before_the_grace_begins() {
    let mut options = Http2Options::default();
    options.handshake_timeout = 3 * BOUND;
    let server = Server::builder()
        .add_service(service(Echoes))
        .http2(options);
    let server = server.listen_nowhere().start().await.unwrap();
    let (mut near, far) = tokio::io::duplex(4_000);
    let credentials = Authority::new().server().build().unwrap();
    server.serve_stream_with(far, credentials);
    // A call lets the grace last.
    let (other, far) = tokio::io::duplex(4_000);
    server.serve_stream(far);
    let (mut requests, mut replies) = connected_by(Once::new(other)).chat().start();
    requests.send(Echo::number(1)).await.unwrap();
    assert!(replies.next().await.unwrap().is_some());
    let stopping = tokio::spawn(server.shutdown(2 * BOUND));
    let mut said = Vec::new();
    let end = timeout(BOUND, near.read_to_end(&mut said)).await;
    assert_eq!(end.unwrap().unwrap(), 0);
    assert!(!stopping.is_finished());
    requests.finish();
    let report = timeout(BOUND, stopping).await.unwrap().unwrap();
    assert_eq!((report.calls_cut, report.connections_cut), (0, 0));
}
