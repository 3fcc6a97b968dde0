//! How calls end that do not end in order: a server's view.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use grpc_runtime::{Http2Options, Server};
use h2::Reason;
use h2::client::Builder;

use super::{Peer, answer, request};
use crate::peer::{framed, within};
use crate::support::{CHAT, COLLECT, EXPAND, Echo, UNARY};

#[tokio::test]
async fn a_clients_reset_drops_the_handler() {
    let mut peer = Peer::start().await;
    for (method, message, whole) in [
        (UNARY, Echo::text("wait"), true),
        (EXPAND, Echo::text("wait"), true),
        (COLLECT, Echo::number(1), false),
        (CHAT, Echo::number(1), false),
    ] {
        for reason in [Reason::CANCEL, Reason::NO_ERROR, Reason::INTERNAL_ERROR] {
            let (_response, mut body) = peer.open(request(method)).await;
            body.send_data(framed(&message), whole).unwrap();
            peer.expect("entered").await;
            body.send_reset(reason);
            peer.expect("dropped").await;
        }
    }
    let answer = peer.call(request(UNARY), [framed(&Echo::text("hi"))]).await;
    assert_eq!(answer.code(), "0");
}

#[tokio::test]
async fn a_lost_connection_drops_all_its_handlers() {
    let mut peer = Peer::start().await;
    let mut open = Vec::new();
    for _ in 0..5 {
        let (response, mut body) = peer.open(request(UNARY)).await;
        body.send_data(framed(&Echo::text("wait")), true).unwrap();
        peer.expect("entered").await;
        open.push((response, body));
    }
    peer.connection.abort();
    for _ in 0..5 {
        peer.expect("dropped").await;
    }
}

#[tokio::test]
async fn streams_above_the_limit_wait_at_the_client_and_all_succeed() {
    let mut options = Http2Options::default();
    options.max_concurrent_streams = 1;
    let mut peer = Peer::start_with(Server::builder().http2(options), &Builder::new()).await;
    // The first call brings the server's SETTINGS, which h2 then keeps to.
    assert_eq!(
        peer.call(request(UNARY), [framed(&Echo::number(0))])
            .await
            .code(),
        "0"
    );
    let mut calls = Vec::new();
    for number in 0..10 {
        let requests = peer.requests.clone();
        calls.push(tokio::spawn(async move {
            let mut requests = requests.ready().await.unwrap();
            let (response, mut body) = requests.send_request(request(UNARY), false).unwrap();
            body.send_data(framed(&Echo::number(number)), true).unwrap();
            answer(response).await.unwrap()
        }));
    }
    for (number, call) in (0..).zip(calls) {
        assert_eq!(within(call).await.unwrap().messages, [Echo::number(number)]);
    }
}

#[tokio::test]
async fn a_stream_above_the_limit_is_refused() {
    let mut options = Http2Options::default();
    options.max_concurrent_streams = 1;
    let server = Server::builder().http2(options);
    let mut peer = Peer::start_with(server, Builder::new().initial_max_send_streams(2)).await;
    // Both leave before the server's SETTINGS are known.
    let (waiting, mut body) = peer.requests.send_request(request(UNARY), false).unwrap();
    body.send_data(framed(&Echo::text("wait")), true).unwrap();
    let (refused, _body) = peer.requests.send_request(request(UNARY), false).unwrap();
    let error = answer(refused).await.unwrap_err();
    assert_eq!(error.reason(), Some(Reason::REFUSED_STREAM), "{error:?}");
    peer.expect("entered").await;
    drop((waiting, body));
    peer.expect("dropped").await;
    assert_eq!(peer.runs(), 1);
}

#[tokio::test]
async fn shutdown_finishes_what_runs_and_takes_no_more() {
    let Peer {
        requests,
        mut events,
        server,
        connection,
        ..
    } = Peer::start().await;
    let mut ready = within(requests.ready()).await.unwrap();
    let (response, mut body) = ready.send_request(request(COLLECT), false).unwrap();
    body.send_data(framed(&Echo::number(1)), false).unwrap();
    assert_eq!(within(events.recv()).await, Some("entered"));
    let shutdown = tokio::spawn(async move { server.shutdown(Duration::from_secs(15)).await });
    // GOAWAY makes h2 refuse to open streams.
    within(poll_fn(|cx| match ready.poll_ready(cx) {
        std::task::Poll::Ready(Ok(())) => {
            cx.waker().wake_by_ref();
            std::task::Poll::Pending
        }
        other => other,
    }))
    .await
    .unwrap_err();
    body.send_data(framed(&Echo::number(2)), true).unwrap();
    let answer = answer(response).await.unwrap();
    assert_eq!((answer.code(), answer.messages[0].number), ("0", 3));
    let report = within(shutdown).await.unwrap();
    assert_eq!((report.calls_cut, report.connections_cut), (0, 0));
    within(connection).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_call_that_outstays_the_grace_is_unavailable() {
    let Peer {
        requests,
        mut events,
        server,
        ..
    } = Peer::start().await;
    let mut ready = within(requests.ready()).await.unwrap();
    let (response, mut body) = ready.send_request(request(UNARY), false).unwrap();
    body.send_data(framed(&Echo::text("wait")), true).unwrap();
    assert_eq!(within(events.recv()).await, Some("entered"));
    let report = within(server.shutdown(Duration::from_millis(10))).await;
    assert_eq!(report.calls_cut, 1);
    answer(response)
        .await
        .unwrap()
        .assert_refused("14", "a call that was cut");
    assert_eq!(within(events.recv()).await, Some("dropped"));
}

#[tokio::test]
async fn credit_of_reset_streams_comes_back() {
    let mut options = Http2Options::default();
    options.connection_window = 65_535;
    options.reset_burst = 10_000;
    let mut peer = Peer::start_with(Server::builder().http2(options), &Builder::new()).await;
    for _ in 0..100 {
        let (response, mut body) = peer.open(request(UNARY)).await;
        // More than the handler will ever see: half a message.
        body.reserve_capacity(30_000);
        let granted = within(poll_fn(|cx| body.poll_capacity(cx)))
            .await
            .unwrap()
            .unwrap();
        let half = framed(&Echo::data(100_000)).slice(..granted);
        body.send_data(half, false).unwrap();
        body.send_reset(Reason::CANCEL);
        drop(response);
    }
    let answer = peer
        .call(request(UNARY), [framed(&Echo::data(200_000))])
        .await;
    assert_eq!(answer.messages[0].data.len(), 200_000);
}

#[tokio::test]
async fn a_ping_is_answered_during_calls() {
    let server = Server::builder()
        .permit_keepalive_time(Duration::ZERO)
        .permit_keepalive_without_calls(true)
        .add_service(crate::support::service(Nothing));
    let server = server.listen("127.0.0.1:0").start().await.unwrap();
    let socket = tokio::net::TcpStream::connect(&server.addresses()[0])
        .await
        .unwrap();
    let (requests, mut connection) = Builder::new().handshake::<_, Bytes>(socket).await.unwrap();
    let mut pings = connection.ping_pong().unwrap();
    let connection = tokio::spawn(connection);
    for _ in 0..10 {
        within(pings.ping(h2::Ping::opaque())).await.unwrap();
    }
    drop((requests, pings));
    within(connection).await.unwrap().unwrap();
}

/// Implements no method.
struct Nothing;

impl crate::support::EchoServicer for Nothing {}
