//! Connections that go: what runs on them, and what comes after.

use bytes::BytesMut;
use grpc_runtime::{Code, Phase};
use h2::Reason;
use h2::server::Builder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Connection, Order, Peer};
use crate::peer::{framed, messages, within};
use crate::support::Echo;

#[tokio::test]
async fn after_goaway_what_runs_finishes_and_what_is_new_goes_elsewhere() {
    let peer = Peer::start().await;
    let (mut requests, mut replies) = peer.stub.chat().start();
    let mut old = peer.accept().await;
    let mut call = old.call().await;
    let mut body = call.respond();
    old.order(Order::Leave);
    // A second connection comes up for a new call while the first one runs.
    let second = loop {
        let next = peer.stub.unary(Echo::text("new")).response();
        tokio::select! {
            connection = peer.accept() => break (connection, next),
            // Sent before GOAWAY was seen: still served there.
            call = old.call() => {
                let mut call = call;
                call.answer(&Echo::text("old"));
                assert_eq!(within(next).await.unwrap().message.text, "old");
            }
        }
    };
    let (mut new, next) = second;
    new.call().await.answer(&Echo::text("new"));
    assert_eq!(within(next).await.unwrap().message.text, "new");

    within(requests.send(Echo::number(1))).await.unwrap();
    let data = within(call.body.data()).await.unwrap().unwrap();
    assert_eq!(messages(data.clone()), [Echo::number(1)]);
    body.send_data(data, false).unwrap();
    assert_eq!(within(replies.next()).await.unwrap().unwrap().number, 1);
    body.send_trailers(super::ok()).unwrap();
    assert_eq!(within(replies.next()).await.unwrap(), None);
    // The old connection has nothing left and closes.
    within(old.task).await.unwrap();
}

#[tokio::test]
async fn goaway_with_an_error_tells_its_reason() {
    let peer = Peer::start().await;
    let call = peer.stub.unary(Echo::default()).response();
    let mut connection = peer.accept().await;
    let _arrived = connection.call().await;
    connection.order(Order::Break(Reason::ENHANCE_YOUR_CALM));
    let status = within(call).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(status.message().contains("ENHANCE_YOUR_CALM"), "{status}");
    let next = peer.stub.unary(Echo::default()).wait_for_ready().response();
    peer.accept()
        .await
        .call()
        .await
        .answer(&Echo::text("again"));
    assert_eq!(within(next).await.unwrap().message.text, "again");
}

/// h2 counts what it has read as processed: the GOAWAY is written by hand.
#[tokio::test]
async fn a_call_above_goaways_last_stream_is_made_again() {
    let peer = Peer::start().await;
    let call = peer.stub.unary(Echo::text("hi")).response();
    let mut stream = peer.stub.collect().start();
    let mut socket = within(peer.listener.accept()).await.unwrap().0;
    // SETTINGS, empty.
    socket
        .write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0])
        .await
        .unwrap();
    // The unary request's DATA has come when its text has.
    let mut bytes = BytesMut::new();
    let request = framed(&Echo::text("hi"));
    while !bytes.windows(request.len()).any(|window| window == request) {
        assert_ne!(within(socket.read_buf(&mut bytes)).await.unwrap(), 0);
    }
    // GOAWAY: last stream 0, NO_ERROR.
    socket
        .write_all(&[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        .await
        .unwrap();
    let mut connection = peer.accept().await;
    for _ in 0..2 {
        let mut again = connection.call().await;
        if again.head.uri.path().ends_with("Unary") {
            assert_eq!(messages(again.request().await), [Echo::text("hi")]);
        } else {
            within(stream.send(Echo::number(1))).await.unwrap();
        }
        again.answer(&Echo::number(3));
    }
    assert_eq!(within(call).await.unwrap().message.number, 3);
    assert_eq!(within(stream.finish()).await.unwrap().number, 3);
}

#[tokio::test]
async fn a_refused_call_is_made_again() {
    let peer = Peer::start().await;
    let call = peer.stub.unary(Echo::text("hi")).response();
    let mut connection = peer.accept().await;
    let mut refused = connection.call().await;
    refused.response.send_reset(Reason::REFUSED_STREAM);
    let mut again = connection.call().await;
    assert_eq!(messages(again.request().await), [Echo::text("hi")]);
    assert!(
        !again
            .head
            .headers
            .contains_key("grpc-previous-rpc-attempts")
    );
    again.answer(&Echo::text("there"));
    assert_eq!(within(call).await.unwrap().message.text, "there");
}

#[tokio::test]
async fn a_call_that_is_always_refused_is_unavailable() {
    let peer = Peer::start().await;
    let call = peer.stub.unary(Echo::text("hi")).response();
    let mut connection = peer.accept().await;
    let refusing = tokio::spawn(async move {
        let mut count = 0;
        while let Some(mut call) = connection.calls.recv().await {
            call.response.send_reset(Reason::REFUSED_STREAM);
            count += 1;
        }
        count
    });
    let status = within(call).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    drop(peer);
    assert!((2..=10).contains(&within(refusing).await.unwrap()));
}

#[tokio::test]
async fn a_refused_stream_is_made_again_only_while_nothing_was_sent() {
    let peer = Peer::start().await;
    let mut stream = peer.stub.collect().start();
    let mut connection = peer.accept().await;
    connection
        .call()
        .await
        .response
        .send_reset(Reason::REFUSED_STREAM);
    let mut again = connection.call().await;
    within(stream.send(Echo::number(1))).await.unwrap();
    within(again.body.data()).await.unwrap().unwrap();
    again.response.send_reset(Reason::REFUSED_STREAM);
    assert_eq!(
        within(stream.finish()).await.unwrap_err().code(),
        Code::Unavailable
    );
}

#[tokio::test]
async fn a_lost_connection_is_unavailable_for_all_its_calls() {
    let peer = Peer::start().await;
    let unary = peer.stub.unary(Echo::default()).response();
    let mut expand = peer.stub.expand(Echo::default()).start();
    let (_requests, mut chat) = peer.stub.chat().start();
    let mut connection = peer.accept().await;
    let mut calls = Vec::new();
    for _ in 0..3 {
        calls.push(connection.call().await);
    }
    let mut body = calls[1].respond();
    body.send_data(framed(&Echo::number(1)), false).unwrap();
    assert!(within(expand.next()).await.unwrap().is_some());
    connection.vanish();
    let status = within(unary).await.unwrap_err();
    assert_eq!(
        (status.code(), status.phase()),
        (Code::Unavailable, Some(Phase::Receive))
    );
    assert_eq!(
        within(expand.next()).await.unwrap_err().code(),
        Code::Unavailable
    );
    assert_eq!(
        within(chat.next()).await.unwrap_err().code(),
        Code::Unavailable
    );

    let next = peer.stub.unary(Echo::default()).wait_for_ready().response();
    peer.accept()
        .await
        .call()
        .await
        .answer(&Echo::text("again"));
    assert_eq!(within(next).await.unwrap().message.text, "again");
}

#[tokio::test]
async fn a_peer_that_does_not_speak_http2_is_unavailable() {
    let peer = Peer::start().await;
    let call = peer.stub.unary(Echo::default()).response();
    let mut socket = within(peer.listener.accept()).await.unwrap().0;
    socket
        .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        .await
        .unwrap();
    let status = within(call).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
}

#[tokio::test]
async fn calls_above_the_servers_limit_wait_their_turn() {
    let peer = Peer::start().await;
    let calls: Vec<_> = (0..10)
        .map(|number| peer.stub.unary(Echo::number(number)).response())
        .collect();
    let mut builder = Builder::new();
    builder.max_concurrent_streams(1);
    let Connection {
        calls: mut arriving,
        task,
        ..
    } = peer.accept_with(&builder).await;
    let serving = tokio::spawn(async move {
        let mut served = 0;
        while let Some(mut call) = arriving.recv().await {
            let request = messages(call.request().await);
            call.answer(&request[0]);
            served += 1;
        }
        served
    });
    for (number, call) in (0..).zip(calls) {
        assert_eq!(within(call).await.unwrap().message.number, number);
    }
    drop(peer);
    assert_eq!(within(serving).await.unwrap(), 10);
    within(task).await.unwrap();
}

#[tokio::test]
async fn a_limit_of_no_streams_holds_calls_back_until_their_deadline() {
    let peer = Peer::start().await;
    let mut builder = Builder::new();
    builder.max_concurrent_streams(0);
    let timeout = std::time::Duration::from_millis(100);
    let call = peer.stub.unary(Echo::default()).timeout(timeout).response();
    let _connection = peer.accept_with(&builder).await;
    assert_eq!(
        within(call).await.unwrap_err().code(),
        Code::DeadlineExceeded
    );
}
