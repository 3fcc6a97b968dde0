//! TLS over byte streams of the user's own.

use std::sync::Arc;

use super::certificates::Authority;
use super::{BOUND, Who};
use crate::byte_streams::{Pipes, TARGET, Wrap, held_back, plain};
use crate::calls::{Echoes, all_kinds};
use crate::support::{Echo, EchoServicer, EchoStub, service};
use grpc_runtime::{Channel, Server};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

async fn over<S: EchoServicer>(wrap: Wrap, servicer: S) -> EchoStub {
    let authority = Authority::new();
    let server = Server::builder().add_service(service(servicer));
    let pipes = Pipes {
        server: Arc::new(server.start().await.unwrap()),
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
async fn a_handshake_on_a_given_stream_is_cut_by_the_servers_end() {
    let server = Server::builder().start().await.unwrap();
    let (mut near, far) = tokio::io::duplex(4_000);
    let credentials = Authority::new().server().build().unwrap();
    server.serve_stream_with(far, credentials);
    let report = timeout(BOUND, server.shutdown(BOUND)).await.unwrap();
    assert_eq!(report.connections_cut, 0);
    let end = timeout(BOUND, near.read_to_end(&mut Vec::new())).await;
    assert_eq!(end.unwrap().unwrap(), 0);
}
