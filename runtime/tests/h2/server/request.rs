//! What a channel sends.

use std::time::Duration;

use bytes::{Buf, BytesMut};
use grpc_runtime::{Channel, ChannelCredentials};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Peer;
use crate::peer::{framed, messages, text, within};
use crate::support::{CHAT, COLLECT, EXPAND, Echo, EchoStub, UNARY};

#[tokio::test]
async fn a_requests_head_holds_what_grpc_asks_for_and_no_more() {
    let peer = Peer::start().await;
    let authority = peer.listener.local_addr().unwrap().to_string();
    let _unary = peer.stub.unary(Echo::text("hi")).response();
    let _expand = peer.stub.expand(Echo::text("hi")).start();
    let _collect = peer.stub.collect().start();
    let _chat = peer.stub.chat().start();
    let mut connection = peer.accept().await;
    let mut paths = Vec::new();
    for _ in 0..4 {
        let head = connection.call().await.head;
        assert_eq!(head.method, http::Method::POST);
        assert_eq!(head.uri.scheme_str(), Some("http"));
        assert_eq!(head.uri.authority().unwrap().as_str(), authority);
        assert_eq!(text(&head.headers, "te"), "trailers");
        assert_eq!(text(&head.headers, "content-type"), "application/grpc");
        let agent = text(&head.headers, "user-agent");
        assert!(agent.starts_with("grpc-rust"), "{agent}");
        assert!(agent.contains('/'), "{agent}");
        let mut names: Vec<&str> = head.headers.keys().map(http::HeaderName::as_str).collect();
        names.sort_unstable();
        // What it can decompress, where that is anything.
        names.retain(|name| {
            !cfg!(any(feature = "compression", feature = "zstd")) || *name != "grpc-accept-encoding"
        });
        assert_eq!(names, ["content-type", "te", "user-agent"]);
        paths.push(head.uri.path().to_owned());
    }
    let all = [UNARY, EXPAND, COLLECT, CHAT];
    assert_eq!(paths, all.map(|method| method.path().to_owned()));
}

#[tokio::test]
async fn authority_and_user_agent_are_what_the_channel_was_told() {
    let peer = Peer::start().await;
    let address = peer.listener.local_addr().unwrap().to_string();
    let channel = Channel::builder(&address)
        .unwrap()
        .authority("service.example:80")
        .user_agent("app/1.2")
        .build(ChannelCredentials::insecure())
        .unwrap();
    let _call = EchoStub(channel).unary(Echo::text("hi")).response();
    let head = peer.accept().await.call().await.head;
    assert_eq!(head.uri.authority().unwrap().as_str(), "service.example:80");
    let agent = text(&head.headers, "user-agent");
    assert!(agent.starts_with("app/1.2 grpc-rust"), "{agent}");
}

#[tokio::test]
async fn the_timeout_that_is_sent_is_what_remains() {
    let peer = Peer::start().await;
    let _call = peer
        .stub
        .unary(Echo::text("hi"))
        .timeout(Duration::from_secs(15))
        .response();
    let head = peer.accept().await.call().await.head;
    let value = text(&head.headers, "grpc-timeout");
    let (digits, unit) = value.split_at(value.len() - 1);
    assert!((1..=8).contains(&digits.len()), "{value}");
    let number: u64 = digits.parse().unwrap();
    let timeout = match unit {
        "u" => Duration::from_micros(number),
        "m" => Duration::from_millis(number),
        "S" => Duration::from_secs(number),
        _ => panic!("{value}"),
    };
    assert!(timeout <= Duration::from_secs(15), "{value}");
    assert!(timeout > Duration::from_secs(5), "{value}");
}

#[tokio::test]
async fn an_endless_timeout_is_none_or_fits_in_eight_digits() {
    let peer = Peer::start().await;
    let _call = peer
        .stub
        .unary(Echo::text("hi"))
        .timeout(Duration::MAX)
        .response();
    let _other = peer
        .stub
        .unary(Echo::text("hi"))
        .timeout(Duration::from_secs(1 << 33))
        .response();
    let mut connection = peer.accept().await;
    assert!(
        !connection
            .call()
            .await
            .head
            .headers
            .contains_key("grpc-timeout")
    );
    let head = connection.call().await.head;
    let value = text(&head.headers, "grpc-timeout");
    assert!(value.len() <= 9 && value.ends_with('H'), "{value}");
}

#[tokio::test]
async fn the_request_is_its_messages_and_their_end() {
    let peer = Peer::start().await;
    let unary = peer.stub.unary(Echo::text("hi")).response();
    let mut connection = peer.accept().await;
    let mut call = connection.call().await;
    assert_eq!(messages(call.request().await), [Echo::text("hi")]);
    assert!(within(call.body.trailers()).await.unwrap().is_none());
    call.answer(&Echo::text("there"));
    assert_eq!(within(unary).await.unwrap().message, Echo::text("there"));

    let mut stream = peer.stub.collect().start();
    let mut call = connection.call().await;
    for number in 0..5 {
        within(stream.send(Echo::number(number))).await.unwrap();
    }
    let answer = tokio::spawn(stream.finish());
    assert_eq!(messages(call.request().await).len(), 5);
    call.answer(&Echo::number(10));
    assert_eq!(within(answer).await.unwrap().unwrap().number, 10);
}

#[tokio::test]
async fn a_message_of_a_stream_goes_out_before_the_next_one_comes() {
    let peer = Peer::start().await;
    let (mut requests, mut replies) = peer.stub.chat().start();
    let mut call = peer.accept().await.call().await;
    let mut body = call.respond();
    for number in 0..100 {
        within(requests.send(Echo::number(number))).await.unwrap();
        let data = within(call.body.data()).await.unwrap().unwrap();
        assert_eq!(data, framed(&Echo::number(number)));
        body.send_data(data, false).unwrap();
        assert_eq!(
            within(replies.next()).await.unwrap().unwrap().number,
            number
        );
    }
}

/// h2 does not tell which frame ended a request: the frames are read by hand.
#[tokio::test]
async fn no_head_ends_a_request_and_no_frame_is_empty_but_the_last() {
    let peer = Peer::start().await;
    let _one = peer.stub.unary(Echo::text("hi")).response();
    let empty = peer.stub.collect().start();
    let _empty = tokio::spawn(empty.finish());
    let mut socket = within(peer.listener.accept()).await.unwrap().0;
    // SETTINGS, empty.
    socket
        .write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0])
        .await
        .unwrap();
    let mut bytes = BytesMut::new();
    while bytes.len() < 24 {
        within(socket.read_buf(&mut bytes)).await.unwrap();
    }
    assert_eq!(&bytes.split_to(24)[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    let mut heads = 0;
    let mut ends = Vec::new();
    while ends.len() < 2 {
        if bytes.len() < 9 || bytes.len() < 9 + length(&bytes) {
            assert_ne!(within(socket.read_buf(&mut bytes)).await.unwrap(), 0);
            continue;
        }
        let (length, kind, flags) = (length(&bytes), bytes[3], bytes[4]);
        match kind {
            0 => {
                assert_eq!(flags & 0x8, 0, "padding");
                assert!(length > 0 || flags & 1 == 1, "an empty frame amid a stream");
                if flags & 1 == 1 {
                    ends.push(length > 0);
                }
            }
            1 => {
                assert_eq!(flags, 0x4, "END_HEADERS alone");
                heads += 1;
            }
            _ => {}
        }
        bytes.advance(9 + length);
    }
    // The unary message and its end are one frame; nothing at all is an empty one.
    ends.sort_unstable();
    assert_eq!((heads, ends), (2, vec![false, true]));
}

fn length(frame: &[u8]) -> usize {
    u32::from_be_bytes([0, frame[0], frame[1], frame[2]]) as usize
}
