//! Flow control and coalescing, with a client that reads slowly or sends much.

use std::future::poll_fn;

use bytes::{Buf, Bytes, BytesMut};
use grpc_runtime::{Http2Options, Server};
use h2::client::Builder;

use super::{Peer, answer, request};
use crate::peer::{framed, messages, text, within};
use crate::support::{CHAT, COLLECT, EXPAND, Echo, UNARY};

const TINY: i64 = 50_000;

fn smallest_windows() -> Http2Options {
    let mut options = Http2Options::default();
    options.stream_window = 65_535;
    options.connection_window = 65_535;
    options
}

#[tokio::test]
async fn a_slow_reader_with_small_windows_gets_everything() {
    let mut client = Builder::new();
    client
        .initial_window_size(65_535)
        .initial_connection_window_size(65_535);
    let mut peer = Peer::start_with(Server::builder(), &client).await;
    let message = Echo {
        number: 40,
        ..Echo::data(50_000)
    };
    let (response, mut body) = peer.open(request(EXPAND)).await;
    body.send_data(framed(&message), true).unwrap();
    let mut response = within(response).await.unwrap();
    let body = response.body_mut();
    let mut bytes = BytesMut::new();
    while let Some(data) = within(body.data()).await {
        let data = data.unwrap();
        // Credit comes back late and in crumbs.
        for part in data.chunks(5_000) {
            tokio::task::yield_now().await;
            body.flow_control().release_capacity(part.len()).unwrap();
        }
        bytes.extend_from_slice(&data);
    }
    let trailers = within(body.trailers()).await.unwrap().unwrap();
    assert_eq!(text(&trailers, "grpc-status"), "0");
    assert_eq!(messages(bytes.freeze()).len(), 40);
}

#[tokio::test]
async fn a_window_of_nothing_holds_back_the_body_and_not_the_trailers() {
    let mut client = Builder::new();
    client.initial_window_size(0);
    let mut peer = Peer::start_with(Server::builder(), &client).await;
    let answer = peer
        .call(request(UNARY), [framed(&Echo::text("fail"))])
        .await;
    answer.assert_refused("5", "no body, no window needed");
    let (response, mut body) = peer.open(request(UNARY)).await;
    body.send_data(framed(&Echo::text("wait for it")), true)
        .unwrap();
    let response = within(response).await.unwrap();
    assert_eq!(text(response.headers(), "grpc-status"), "");
}

#[tokio::test]
async fn large_messages_pass_the_smallest_windows_of_ours() {
    let server = Server::builder().http2(smallest_windows());
    let mut peer = Peer::start_with(server, &Builder::new()).await;
    for method in [UNARY, CHAT] {
        let answer = peer
            .call(request(method), [framed(&Echo::data(3 << 20))])
            .await;
        assert_eq!(answer.messages[0].data.len(), 3 << 20, "{}", method.path());
    }
}

#[tokio::test]
async fn padding_is_credited_and_never_part_of_a_message() {
    // h2 cannot pad: the frames are written by hand.
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let peer = Peer::start_with(Server::builder().http2(smallest_windows()), &Builder::new()).await;
    let mut socket = tokio::net::TcpStream::connect(&peer.server.addresses()[0])
        .await
        .unwrap();
    let mut bytes = BytesMut::from(&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..]);
    bytes.extend_from_slice(&frame(4, 0, 0, &[]));
    bytes.extend_from_slice(&frame(
        1,
        4,
        1,
        &literals(&[
            (":method", "POST"),
            (":scheme", "http"),
            (":path", COLLECT.path()),
            ("content-type", "application/grpc"),
        ]),
    ));
    socket.write_all(&bytes).await.unwrap();
    // 1,000 frames of 200 bytes: more than the window, were padding not credited.
    let (mut reader, mut writer) = socket.into_split();
    let writing = tokio::spawn(async move {
        let message = framed(&Echo::number(1));
        let mut padded = vec![191];
        padded.extend_from_slice(&message);
        padded.extend_from_slice(&[0; 191]);
        for number in 1..=1_000 {
            let flags = if number == 1_000 { 0x9 } else { 0x8 };
            writer
                .write_all(&frame(0, flags, 1, &padded))
                .await
                .unwrap();
            tokio::task::yield_now().await;
        }
        writer
    });
    let mut received = BytesMut::new();
    let data = within(async {
        loop {
            if let Some((kind, payload)) = next_frame(&mut received) {
                match kind {
                    0 => break payload,
                    3 | 7 => panic!("reset or GOAWAY: {payload:?}"),
                    _ => {}
                }
            } else {
                assert_ne!(reader.read_buf(&mut received).await.unwrap(), 0);
            }
        }
    })
    .await;
    assert_eq!(messages(data), [Echo::number(1_000)]);
    within(writing).await.unwrap();
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A header block of literals without a table (RFC 7541 section 6.2.2).
fn literals(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

fn next_frame(bytes: &mut BytesMut) -> Option<(u8, Bytes)> {
    let length = u32::from_be_bytes([0, *bytes.first()?, *bytes.get(1)?, *bytes.get(2)?]) as usize;
    if bytes.len() < 9 + length {
        return None;
    }
    let kind = bytes[3];
    bytes.advance(9);
    Some((kind, bytes.split_to(length).freeze()))
}

/// h2 closes a connection of too many tiny frames that wait to be read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_tiny_messages_is_not_a_stream_of_tiny_frames() {
    let mut peer = Peer::start().await;
    let (response, mut body) = peer.open(request(EXPAND)).await;
    body.send_data(framed(&Echo::number(TINY)), true).unwrap();
    let answer = answer(response).await.unwrap();
    assert_eq!((answer.code(), answer.messages.len()), ("0", 50_000));
}

#[tokio::test]
async fn messages_for_a_reader_who_is_away_are_coalesced() {
    let mut peer = Peer::start().await;
    let (response, mut body) = peer.open(request(EXPAND)).await;
    body.send_data(framed(&Echo::number(TINY)), true).unwrap();
    let mut response = within(response).await.unwrap();
    // The window fills up meanwhile; h2 counts the frames that it holds.
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    let body = response.body_mut();
    let (mut bytes, mut frames) = (BytesMut::new(), 0);
    while let Some(data) = within(body.data()).await {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        bytes.extend_from_slice(&data);
        frames += 1;
    }
    assert_eq!(messages(bytes.freeze()).len(), 50_000);
    assert!(frames < 1_000, "{frames} frames");
}

/// Each message comes in a frame of its own, which is the sender's right.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tiny_frames_of_a_client_are_taken() {
    let mut peer = Peer::start().await;
    for method in [COLLECT, CHAT] {
        let (response, mut body) = peer.open(request(method)).await;
        let sending = tokio::spawn(async move {
            for number in 0..TINY {
                let message = framed(&Echo::number(number));
                body.reserve_capacity(message.len());
                while body.capacity() < message.len() {
                    poll_fn(|cx| body.poll_capacity(cx)).await.unwrap().unwrap();
                }
                body.send_data(message, false).unwrap();
            }
            body.send_data(Bytes::new(), true).unwrap();
        });
        let answer = answer(response).await.unwrap();
        within(sending).await.unwrap();
        assert_eq!(answer.code(), "0", "{}", method.path());
        let sum: i64 = answer.messages.iter().map(|message| message.number).sum();
        assert_eq!(sum, TINY * (TINY - 1) / 2, "{}", method.path());
    }
}
