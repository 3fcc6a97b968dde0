//! Flow control and coalescing, with a server that reads slowly or sends much.

use std::future::poll_fn;

use bytes::BytesMut;
use grpc_runtime::Http2Options;
use h2::SendStream;
use h2::server::Builder;

use super::{Peer, ok};
use crate::peer::{framed, messages, within};
use crate::support::Echo;

const TINY: i64 = 50_000;

/// Sends within the window, as far as it is open.
async fn send(body: &mut SendStream<bytes::Bytes>, mut bytes: bytes::Bytes) {
    while !bytes.is_empty() {
        body.reserve_capacity(bytes.len());
        let room = within(poll_fn(|cx| body.poll_capacity(cx)))
            .await
            .unwrap()
            .unwrap();
        body.send_data(bytes.split_to(room.min(bytes.len())), false)
            .unwrap();
    }
}

#[tokio::test]
async fn a_slow_server_with_small_windows_gets_everything() {
    let peer = Peer::start().await;
    let call = peer.stub.unary(Echo::data(2 << 20)).response();
    let mut builder = Builder::new();
    builder
        .initial_window_size(65_535)
        .initial_connection_window_size(65_535);
    let mut connection = peer.accept_with(&builder).await;
    let mut arrived = connection.call().await;
    let mut bytes = BytesMut::new();
    while let Some(data) = within(arrived.body.data()).await {
        let data = data.unwrap();
        // Credit comes back late and in crumbs.
        for part in data.chunks(5_000) {
            tokio::task::yield_now().await;
            arrived
                .body
                .flow_control()
                .release_capacity(part.len())
                .unwrap();
        }
        bytes.extend_from_slice(&data);
    }
    assert_eq!(messages(bytes.freeze())[0].data.len(), 2 << 20);
    arrived.answer(&Echo::text("all of it"));
    assert_eq!(within(call).await.unwrap().message.text, "all of it");
}

#[tokio::test]
async fn a_window_of_nothing_holds_back_the_body_and_not_the_head() {
    let peer = Peer::start().await;
    let call = peer.stub.unary(Echo::text("hi")).response();
    let mut builder = Builder::new();
    builder.initial_window_size(0);
    let mut connection = peer.accept_with(&builder).await;
    let mut arrived = connection.call().await;
    arrived.refuse(
        200,
        &[("content-type", "application/grpc"), ("grpc-status", "7")],
    );
    let status = within(call).await.unwrap_err();
    assert_eq!(status.code(), grpc_runtime::Code::PermissionDenied);
}

#[tokio::test]
async fn large_responses_pass_the_smallest_windows_of_ours() {
    let mut options = Http2Options::default();
    options.stream_window = 65_535;
    options.connection_window = 65_535;
    let peer = Peer::start_with(options).await;
    let call = peer.stub.unary(Echo::default()).response();
    let mut replies = peer.stub.expand(Echo::default()).start();
    let mut connection = peer.accept().await;
    for _ in 0..2 {
        let mut arrived = connection.call().await;
        tokio::spawn(async move {
            let mut body = arrived.respond();
            send(&mut body, framed(&Echo::data(3 << 20))).await;
            body.send_trailers(ok()).unwrap();
        });
    }
    assert_eq!(within(call).await.unwrap().message.data.len(), 3 << 20);
    assert_eq!(
        within(replies.next()).await.unwrap().unwrap().data.len(),
        3 << 20
    );
    assert_eq!(within(replies.next()).await.unwrap(), None);
}

#[tokio::test]
async fn a_stream_that_nobody_reads_does_not_hold_up_the_others() {
    let peer = Peer::start().await;
    let mut idle = peer.stub.expand(Echo::default()).start();
    let mut connection = peer.accept().await;
    let mut arrived = connection.call().await;
    let sending = tokio::spawn(async move {
        let mut body = arrived.respond();
        for number in 0..40 {
            send(
                &mut body,
                framed(&Echo {
                    number,
                    ..Echo::data(100_000)
                }),
            )
            .await;
        }
        body.send_trailers(ok()).unwrap();
    });
    for _ in 0..20 {
        let call = peer.stub.unary(Echo::default()).response();
        let mut arrived = connection.call().await;
        let mut body = arrived.respond();
        send(&mut body, framed(&Echo::data(1 << 20))).await;
        body.send_trailers(ok()).unwrap();
        assert_eq!(within(call).await.unwrap().message.data.len(), 1 << 20);
    }
    assert!(!sending.is_finished());
    for number in 0..40 {
        assert_eq!(within(idle.next()).await.unwrap().unwrap().number, number);
    }
    within(sending).await.unwrap();
}

/// A caller on a thread of its own races its connection: without pacing the
/// connection now and then wins for a hundred tiny frames, and h2 closes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_tiny_messages_arrives_in_order() {
    let peer = Peer::start().await;
    let mut stream = peer.stub.collect().start();
    let mut connection = peer.accept().await;
    let mut call = connection.call().await;
    let sending = tokio::spawn(async move {
        for number in 0..TINY {
            stream.send(Echo::number(number)).await?;
        }
        stream.finish().await
    });
    let request = messages(call.request().await);
    let numbers: Vec<i64> = request.iter().map(|message| message.number).collect();
    assert_eq!(numbers, (0..TINY).collect::<Vec<i64>>());
    call.answer(&Echo::number(1));
    assert_eq!(within(sending).await.unwrap().unwrap().number, 1);
}

#[tokio::test]
async fn messages_for_a_server_that_is_away_are_coalesced() {
    let peer = Peer::start().await;
    let mut stream = peer.stub.collect().start();
    let mut connection = peer.accept().await;
    let mut call = connection.call().await;
    let sending = tokio::spawn(async move {
        for number in 0..TINY {
            stream.send(Echo::number(number)).await?;
        }
        stream.finish().await
    });
    // The window fills up meanwhile; h2 counts the frames that it holds.
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    let (mut bytes, mut frames) = (BytesMut::new(), 0);
    while let Some(data) = within(call.body.data()).await {
        let data = data.unwrap();
        call.body
            .flow_control()
            .release_capacity(data.len())
            .unwrap();
        bytes.extend_from_slice(&data);
        frames += 1;
    }
    assert_eq!(messages(bytes.freeze()).len(), 50_000);
    assert!(frames < 1_000, "{frames} frames");
    call.answer(&Echo::number(1));
    assert_eq!(within(sending).await.unwrap().unwrap().number, 1);
}

/// Each message comes in a frame of its own, which is the sender's right.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tiny_frames_of_a_server_are_taken() {
    let peer = Peer::start().await;
    let mut replies = peer.stub.expand(Echo::default()).start();
    let mut connection = peer.accept().await;
    let mut call = connection.call().await;
    tokio::spawn(async move {
        let mut body = call.respond();
        for number in 0..TINY {
            send(&mut body, framed(&Echo::number(number))).await;
        }
        body.send_trailers(ok()).unwrap();
    });
    for number in 0..TINY {
        assert_eq!(
            within(replies.next()).await.unwrap().unwrap().number,
            number
        );
    }
    assert_eq!(within(replies.next()).await.unwrap(), None);
}
