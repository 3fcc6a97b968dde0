//! How calls end that do not end in order: a channel's view.

use std::time::{Duration, Instant};

use grpc_runtime::Code;
use h2::Reason;

use super::{Peer, ok, reset_of};
use crate::peer::{fields, framed, text, within};
use crate::support::Echo;

/// PROTOCOL-HTTP2, "Errors".
const RESETS: [(u32, Code); 16] = [
    (0x0, Code::Internal),
    (0x1, Code::Internal),
    (0x2, Code::Internal),
    (0x3, Code::Internal),
    (0x4, Code::Internal),
    (0x5, Code::Internal),
    (0x6, Code::Internal),
    // 0x7, REFUSED_STREAM, is asked again.
    (0x8, Code::Cancelled),
    (0x9, Code::Internal),
    (0xa, Code::Internal),
    (0xb, Code::ResourceExhausted),
    (0xc, Code::PermissionDenied),
    (0xd, Code::Internal),
    (0xe, Code::Internal),
    (0x1234_5678, Code::Internal),
    (0xffff_ffff, Code::Internal),
];

#[tokio::test]
async fn a_reset_before_the_head_is_a_status_by_its_code() {
    let peer = Peer::start().await;
    let mut call = peer.stub.unary(Echo::default()).response();
    let mut connection = peer.accept().await;
    for (reason, code) in RESETS {
        connection
            .call()
            .await
            .response
            .send_reset(Reason::from(reason));
        let status = within(call).await.unwrap_err();
        assert_eq!(status.code(), code, "{reason:#x}: {status}");
        call = peer.stub.unary(Echo::default()).response();
    }
}

#[tokio::test]
async fn a_reset_after_messages_is_a_status_by_its_code() {
    let peer = Peer::start().await;
    let mut replies = peer.stub.expand(Echo::default()).start();
    let mut connection = peer.accept().await;
    for (reason, code) in RESETS.into_iter().chain([(0x7, Code::Unavailable)]) {
        let mut call = connection.call().await;
        let mut body = call.respond();
        body.send_data(framed(&Echo::number(1)), false).unwrap();
        assert!(within(replies.next()).await.unwrap().is_some());
        body.send_reset(Reason::from(reason));
        let status = within(replies.next()).await.unwrap_err();
        assert_eq!(status.code(), code, "{reason:#x}: {status}");
        replies = peer.stub.expand(Echo::default()).start();
    }
}

#[tokio::test]
async fn a_reset_after_the_trailers_changes_nothing() {
    let peer = Peer::start().await;
    let mut stream = peer.stub.collect().start();
    let mut call = peer.accept().await.call().await;
    within(stream.send(Echo::number(1))).await.unwrap();
    within(call.body.data()).await.unwrap().unwrap();
    call.answer(&Echo::number(7));
    // h2 resets what it has not read to its end, once all is sent.
    drop(call);
    assert_eq!(within(stream.finish()).await.unwrap().number, 7);
}

#[tokio::test]
async fn a_dropped_call_is_reset_with_cancel() {
    let peer = Peer::start().await;
    let unary = peer.stub.unary(Echo::default()).response();
    let mut connection = peer.accept().await;
    let mut call = connection.call().await;
    drop(unary);
    assert_eq!(call.reset().await, Reason::CANCEL);

    let replies = peer.stub.expand(Echo::default()).start();
    let mut call = connection.call().await;
    let mut body = call.respond();
    drop(replies);
    assert_eq!(reset_of(&mut body).await, Reason::CANCEL);

    let mut stream = peer.stub.collect().start();
    within(stream.send(Echo::default())).await.unwrap();
    let mut call = connection.call().await;
    drop(stream);
    assert_eq!(call.reset().await, Reason::CANCEL);

    let (requests, replies) = peer.stub.chat().start();
    let mut call = connection.call().await;
    drop(requests);
    assert_eq!(call.reset().await, Reason::CANCEL);
    drop(replies);

    let (requests, mut replies) = peer.stub.chat().start();
    let mut call = connection.call().await;
    replies.cancel();
    assert_eq!(call.reset().await, Reason::CANCEL);
    assert_eq!(
        within(replies.next()).await.unwrap_err().code(),
        Code::Cancelled
    );
    drop(requests);
}

#[tokio::test]
async fn a_deadline_passes_without_the_servers_help() {
    let peer = Peer::start().await;
    let begun = Instant::now();
    let timeout = Duration::from_millis(100);
    let unary = peer.stub.unary(Echo::default()).timeout(timeout).response();
    let mut replies = peer.stub.expand(Echo::default()).timeout(timeout).start();
    let mut connection = peer.accept().await;
    let mut first = connection.call().await;
    let mut second = connection.call().await;
    let mut body = second.respond();
    body.send_data(framed(&Echo::number(1)), false).unwrap();
    assert!(within(replies.next()).await.unwrap().is_some());
    let status = within(unary).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    let status = within(replies.next()).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    assert!(begun.elapsed() >= timeout);
    assert_eq!(first.reset().await, Reason::CANCEL);
    assert_eq!(reset_of(&mut body).await, Reason::CANCEL);
}

#[tokio::test]
async fn a_deadline_passes_while_nothing_is_connected() {
    let peer = Peer::start().await;
    // The socket accepts, and nobody speaks.
    let timeout = Duration::from_millis(50);
    let status = within(peer.stub.unary(Echo::default()).timeout(timeout).response()).await;
    assert_eq!(status.unwrap_err().code(), Code::DeadlineExceeded);
}

/// The two sides' clocks race: whoever wins, it was the deadline.
#[tokio::test]
async fn what_the_server_says_at_the_deadline_is_the_deadline() {
    let peer = Peer::start().await;
    let mut connection = None;
    for round in 0..60 {
        let deadline = Instant::now() + Duration::from_millis(20);
        let call = peer
            .stub
            .unary(Echo::default())
            .deadline(deadline)
            .response();
        if connection.is_none() {
            connection = Some(peer.accept().await);
        }
        let mut arrived = connection.as_mut().unwrap().call().await;
        tokio::time::sleep_until(deadline.into()).await;
        match round % 3 {
            0 => arrived.response.send_reset(Reason::CANCEL),
            1 => {
                let status = fields(&[("content-type", "application/grpc"), ("grpc-status", "1")]);
                let mut response = http::Response::new(());
                *response.headers_mut() = status;
                // The client's reset may have come first.
                let _ = arrived.response.send_response(response, true);
            }
            _ => drop(arrived),
        }
        let status = within(call).await.unwrap_err();
        assert_eq!(
            status.code(),
            Code::DeadlineExceeded,
            "round {round}: {status}"
        );
    }
}

#[tokio::test]
async fn an_answer_before_the_deadline_counts() {
    let peer = Peer::start().await;
    let call = peer
        .stub
        .unary(Echo::default())
        .timeout(Duration::from_secs(15))
        .response();
    let mut connection = peer.accept().await;
    let mut arrived = connection.call().await;
    assert_ne!(text(&arrived.head.headers, "grpc-timeout"), "");
    arrived.response.send_reset(Reason::CANCEL);
    assert_eq!(within(call).await.unwrap_err().code(), Code::Cancelled);
}

#[tokio::test]
async fn an_early_answer_ends_the_request() {
    let peer = Peer::start().await;
    let mut stream = peer.stub.collect().start();
    let mut connection = peer.accept().await;
    let mut call = connection.call().await;
    within(stream.send(Echo::number(1))).await.unwrap();
    let mut body = call.respond();
    body.send_data(framed(&Echo::number(9)), false).unwrap();
    body.send_trailers(ok()).unwrap();
    // The server sees its stream closed: the rest will not come.
    let ended = within(async {
        loop {
            match call.body.data().await {
                Some(Ok(data)) => call
                    .body
                    .flow_control()
                    .release_capacity(data.len())
                    .unwrap(),
                other => break other,
            }
        }
    })
    .await;
    assert!(ended.is_none_or(|error| error.is_err_and(|error| error.is_reset())));
    let told = within(async {
        loop {
            if let Err(status) = stream.send(Echo::data(10_000)).await {
                return status;
            }
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(told.await.code(), Code::Cancelled);
    assert_eq!(within(stream.finish()).await.unwrap().number, 9);
}

#[tokio::test]
async fn an_early_failure_stops_the_sender_with_its_status() {
    let peer = Peer::start().await;
    let (mut requests, mut replies) = peer.stub.chat().start();
    let mut call = peer.accept().await.call().await;
    call.refuse(
        200,
        &[("content-type", "application/grpc"), ("grpc-status", "7")],
    );
    let status = within(async {
        loop {
            if let Err(status) = requests.send(Echo::data(10_000)).await {
                break status;
            }
        }
    })
    .await;
    assert_eq!(status.code(), Code::PermissionDenied);
    assert_eq!(
        within(replies.next()).await.unwrap_err().code(),
        Code::PermissionDenied
    );
}

#[tokio::test]
async fn messages_before_a_failure_are_all_received() {
    let peer = Peer::start().await;
    let mut replies = peer.stub.expand(Echo::default()).start();
    let mut call = peer.accept().await.call().await;
    let mut body = call.respond();
    for number in 0..100 {
        body.send_data(framed(&Echo::number(number)), false)
            .unwrap();
    }
    body.send_trailers(fields(&[("grpc-status", "10")]))
        .unwrap();
    // The end is there before anyone has read.
    assert!(!within(call.request()).await.is_empty());
    for number in 0..100 {
        assert_eq!(
            within(replies.next()).await.unwrap().unwrap().number,
            number
        );
    }
    assert_eq!(
        within(replies.next()).await.unwrap_err().code(),
        Code::Aborted
    );
}
