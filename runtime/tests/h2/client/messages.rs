//! Messages over DATA frames as a server reads them: every way to cut a stream
//! of bytes, and every way to break one.

use bytes::Bytes;
use grpc_runtime::Server;

use super::{Peer, answer, request, with};
use crate::peer::{framed, prefixed, within};
use crate::support::{CHAT, COLLECT, EXPAND, Echo, UNARY};

#[tokio::test]
async fn a_message_may_be_cut_at_any_byte() {
    let mut peer = Peer::start().await;
    let message = Echo {
        number: 5,
        ..Echo::text("cut me")
    };
    let bytes = framed(&message);
    for at in 0..=bytes.len() {
        for method in [UNARY, CHAT] {
            let pieces = [bytes.slice(..at), bytes.slice(at..)];
            let pieces = pieces.into_iter().filter(|piece| !piece.is_empty());
            let answer = peer.call(request(method), pieces).await;
            assert_eq!(
                answer.messages,
                std::slice::from_ref(&message),
                "{} at {at}",
                method.path()
            );
            assert_eq!(answer.code(), "0");
        }
    }
}

#[tokio::test]
async fn a_message_may_come_byte_by_byte() {
    let mut peer = Peer::start().await;
    let message = Echo::text("one byte a frame");
    for method in [UNARY, CHAT] {
        let bytes = framed(&message);
        let pieces = (0..bytes.len()).map(|at| bytes.slice(at..=at));
        let answer = peer.call(request(method), pieces).await;
        assert_eq!(answer.messages, std::slice::from_ref(&message));
    }
}

#[tokio::test]
async fn a_frame_may_hold_many_messages_and_a_half() {
    let mut peer = Peer::start().await;
    let mut bytes = Vec::new();
    for number in 1..=100 {
        bytes.extend_from_slice(&framed(&Echo::number(number)));
    }
    let bytes = Bytes::from(bytes);
    let half = bytes.len() - 3;
    let answer = peer
        .call(request(COLLECT), [bytes.slice(..half), bytes.slice(half..)])
        .await;
    assert_eq!(answer.messages, [Echo::number(5_050)]);
    let answer = peer
        .call(request(CHAT), [bytes.slice(..half), bytes.slice(half..)])
        .await;
    let numbers: Vec<i64> = answer
        .messages
        .iter()
        .map(|message| message.number)
        .collect();
    assert_eq!(numbers, (1..=100).collect::<Vec<i64>>());
}

#[tokio::test]
async fn a_message_of_no_bytes_is_a_message() {
    let mut peer = Peer::start().await;
    for (method, count) in [(UNARY, 1), (CHAT, 2)] {
        let pieces = (0..count).map(|_| prefixed(0, &[]));
        let answer = peer.call(request(method), pieces).await;
        assert_eq!(answer.messages, vec![Echo::default(); count]);
        assert_eq!(answer.code(), "0");
    }
}

#[tokio::test]
async fn empty_data_frames_are_no_messages() {
    let mut peer = Peer::start().await;
    let bytes = framed(&Echo::number(3));
    let pieces = [
        Bytes::new(),
        bytes.slice(..2),
        Bytes::new(),
        bytes.slice(2..),
        Bytes::new(),
    ];
    for method in [UNARY, COLLECT] {
        let answer = peer.call(request(method), pieces.clone()).await;
        assert_eq!(answer.messages, [Echo::number(3)], "{}", method.path());
    }
}

#[tokio::test]
async fn a_flag_that_means_nothing_is_internal() {
    let mut peer = Peer::start().await;
    let body = framed(&Echo::text("hi")).slice(5..);
    for flag in [1, 2, 3, 60, 128, 255] {
        for method in [UNARY, EXPAND, COLLECT, CHAT] {
            let answer = peer.call(request(method), [prefixed(flag, &body)]).await;
            answer.assert_refused("13", &format!("{} with {flag}", method.path()));
        }
    }
}

#[tokio::test]
async fn a_truncated_message_is_internal() {
    let mut peer = Peer::start().await;
    let bytes = framed(&Echo::text("cut off"));
    for length in 1..bytes.len() {
        for method in [UNARY, EXPAND, COLLECT, CHAT] {
            let answer = peer.call(request(method), [bytes.slice(..length)]).await;
            answer.assert_refused("13", &format!("{} after {length}", method.path()));
        }
    }
}

#[tokio::test]
async fn a_truncated_message_after_a_whole_one_is_internal() {
    let mut peer = Peer::start().await;
    let bytes = framed(&Echo::number(1));
    let answer = peer
        .call(request(CHAT), [bytes.clone(), bytes.slice(..4)])
        .await;
    assert_eq!((answer.code(), answer.messages.len()), ("13", 1));
    let answer = peer
        .call(request(UNARY), [bytes.clone(), bytes.slice(..4)])
        .await;
    assert_ne!(answer.code(), "0");
    assert_eq!(answer.messages, []);
}

#[tokio::test]
async fn bytes_that_are_not_the_message_are_internal() {
    let mut peer = Peer::start().await;
    let nested = b"\xa3\x06".repeat(10_000);
    let bodies: [&[u8]; 7] = [
        &nested,             // groups that nobody knows, one in the other
        b"\xff",             // a key cut off
        b"\x0a\x05hi",       // a string longer than the message
        b"\x0a\x02\xff\xfe", // a string that is not UTF-8
        b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", // a varint of eleven bytes
        b"\x1d\x00\x00\x00\x00", // a field of another wire type
        b"\x00\x00",         // field number 0
    ];
    for body in bodies {
        for method in [UNARY, EXPAND, COLLECT, CHAT] {
            let answer = peer.call(request(method), [prefixed(0, body)]).await;
            answer.assert_refused(
                "13",
                &format!("{} with {:?}", method.path(), &body[..body.len().min(12)]),
            );
        }
    }
}

#[tokio::test]
async fn fields_that_nobody_knows_are_skipped() {
    let mut peer = Peer::start().await;
    let body = [b"\xa2\x06\x03abc", &framed(&Echo::number(9))[5..]].concat();
    let answer = peer.call(request(UNARY), [prefixed(0, &body)]).await;
    assert_eq!(answer.messages, [Echo::number(9)]);
}

#[tokio::test]
async fn a_unary_request_is_exactly_one_message() {
    let mut peer = Peer::start().await;
    let message = framed(&Echo::text("hi"));
    for method in [UNARY, EXPAND] {
        let none = peer.call(request(method), []).await;
        none.assert_refused("12", "no message");
        let two = peer
            .call(request(method), [message.clone(), message.clone()])
            .await;
        two.assert_refused("12", "two messages");
    }
    assert_eq!(peer.runs(), 0);
}

#[tokio::test]
async fn a_message_above_the_limit_is_refused_by_its_prefix() {
    let server = Server::builder().max_receive_message_size(1_000);
    let mut peer = Peer::start_with(server, &h2::client::Builder::new()).await;
    for size in [1_001_u32, 5 << 20, u32::MAX] {
        for method in [UNARY, EXPAND, COLLECT, CHAT] {
            let (response, mut body) = peer.open(request(method)).await;
            let prefix = [&[0][..], &size.to_be_bytes()].concat();
            body.send_data(prefix.into(), false).unwrap();
            let answer = answer(response).await.unwrap();
            answer.assert_refused("8", &format!("{size} for {}", method.path()));
        }
    }
}

#[tokio::test]
async fn a_message_at_the_limit_passes() {
    let message = Echo::data(1_000);
    let size = framed(&message).len() - 5;
    let server = Server::builder().max_receive_message_size(size);
    let mut peer = Peer::start_with(server, &h2::client::Builder::new()).await;
    let answer = peer.call(request(UNARY), [framed(&message)]).await;
    assert_eq!(answer.code(), "0");
    let answer = peer
        .call(request(UNARY), [framed(&Echo::data(1_001))])
        .await;
    answer.assert_refused("8", "one byte more");
}

#[tokio::test]
async fn a_reply_above_the_send_limit_is_resource_exhausted() {
    let server = Server::builder().max_send_message_size(100);
    let mut peer = Peer::start_with(server, &h2::client::Builder::new()).await;
    let answer = peer.call(request(UNARY), [framed(&Echo::data(101))]).await;
    answer.assert_refused("8", "a reply");
    let message = Echo {
        number: 2,
        ..Echo::data(101)
    };
    let answer = peer.call(request(EXPAND), [framed(&message)]).await;
    assert_eq!((answer.code(), answer.messages.len()), ("8", 0));
}

#[tokio::test]
async fn an_early_answer_does_not_wait_for_the_request() {
    let mut peer = Peer::start().await;
    let (response, mut body) = peer.open(request(COLLECT)).await;
    body.send_data(framed(&Echo::number(4)), false).unwrap();
    body.send_data(framed(&Echo::text("enough")), false)
        .unwrap();
    let answer = answer(response).await.unwrap();
    assert_eq!((answer.code(), answer.messages[0].number), ("0", 4));
    // RFC 9113 section 8.1: the rest of the request is not wanted.
    let reason = within(std::future::poll_fn(|cx| body.poll_reset(cx)))
        .await
        .unwrap();
    assert_eq!(reason, h2::Reason::NO_ERROR);
    let answer = peer
        .call(with(UNARY, &[]), [framed(&Echo::text("hi"))])
        .await;
    assert_eq!(answer.code(), "0");
}
