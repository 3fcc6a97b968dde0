//! Compressed requests of another hand, and which answers come compressed.

use std::io::{Read, Write};

use bytes::{Buf, Bytes};
use flate2::read::{GzDecoder, ZlibDecoder};
use flate2::write::{GzEncoder, ZlibEncoder};
use grpc_runtime::{Compression, Server};
use h2::client::Builder;
use http::{HeaderMap, Request};
use prost::Message;

use super::{Peer, answer, request, with};
use crate::peer::{self, framed, prefixed, text, within};
use crate::support::{CHAT, COLLECT, EXPAND, Echo, UNARY};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zipped(message: &Echo) -> Bytes {
    prefixed(1, &gzip(&message.encode_to_vec()))
}

/// A whole call whose answer may be compressed: its head, and its one message
/// with the flag.
async fn raw(peer: &Peer, request: Request<()>, message: Bytes) -> (HeaderMap, u8, Bytes) {
    within(async {
        let mut requests = peer.requests.clone().ready().await.unwrap();
        let (response, mut body) = requests.send_request(request, false).unwrap();
        body.send_data(message, true).unwrap();
        let (head, mut body) = response.await.unwrap().into_parts();
        let mut bytes = peer::read(&mut body).await.unwrap();
        let flag = bytes.get_u8();
        assert_eq!(bytes.get_u32() as usize, bytes.len());
        let trailers = body.trailers().await.unwrap().unwrap();
        assert_eq!(text(&trailers, "grpc-status"), "0");
        (head.headers, flag, bytes)
    })
    .await
}

#[tokio::test]
async fn compressed_requests_are_read_however_they_are_cut() {
    let mut peer = Peer::start().await;
    let message = Echo::text(&"text ".repeat(100));
    let encoded = message.encode_to_vec();
    for (name, body) in [
        ("gzip", gzip(&encoded)),
        ("GZip", gzip(&encoded)),
        ("deflate", deflate(&encoded)),
    ] {
        let head = || with(UNARY, &[("grpc-encoding", name)]);
        let framed = prefixed(1, &body);
        let answer = peer.call(head(), [framed.clone()]).await;
        assert_eq!(answer.messages, std::slice::from_ref(&message), "{name}");
        // What was not disclosed before is disclosed now.
        let accepted = text(&answer.head, "grpc-accept-encoding");
        assert!(accepted.contains("deflate,gzip"), "{accepted}");
        assert!(!answer.head.contains_key("grpc-encoding"));
        let bytes = (0..framed.len()).map(|at| framed.slice(at..=at));
        let answer = peer.call(head(), bytes).await;
        assert_eq!(answer.messages, std::slice::from_ref(&message), "{name}");
    }
}

#[tokio::test]
async fn a_stream_may_mix_compressed_and_plain_messages() {
    let mut peer = Peer::start().await;
    let head = with(CHAT, &[("grpc-encoding", "gzip")]);
    let (one, two) = (Echo::text("one"), Echo::text("two"));
    let mut body = zipped(&one).to_vec();
    body.extend_from_slice(&framed(&two));
    body.extend_from_slice(&zipped(&two));
    let answer = peer.call(head, [body.into()]).await;
    assert_eq!(answer.code(), "0");
    assert_eq!(answer.messages, [one, two.clone(), two]);
}

#[tokio::test]
async fn a_compressed_message_without_an_encoding_is_internal() {
    let mut peer = Peer::start().await;
    for method in [UNARY, EXPAND, COLLECT, CHAT] {
        for head in [
            request(method),
            with(method, &[("grpc-encoding", "identity")]),
        ] {
            let answer = peer.call(head, [zipped(&Echo::text("hi"))]).await;
            answer.assert_refused("13", method.path());
            assert!(answer.message().contains("grpc-encoding"), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn a_refused_encoding_is_answered_with_those_that_are_taken() {
    let server = Server::builder().accept_compression([Compression::Gzip]);
    let mut peer = Peer::start_with(server, &Builder::new()).await;
    for name in ["br", "deflate", "gzip,gzip", ""] {
        for method in [UNARY, EXPAND, COLLECT, CHAT] {
            let head = with(method, &[("grpc-encoding", name)]);
            let answer = peer.call(head, [framed(&Echo::text("hi"))]).await;
            answer.assert_refused("12", name);
            let accepted = text(&answer.head, "grpc-accept-encoding");
            assert_eq!(accepted, "identity,gzip");
            assert!(answer.message().contains("identity,gzip"), "{answer:?}");
        }
    }
    assert_eq!(peer.runs(), 0);
}

#[tokio::test]
async fn a_bomb_is_refused_and_the_connection_lives() {
    let server = Server::builder().max_receive_message_size(1 << 20);
    let mut peer = Peer::start_with(server, &Builder::new()).await;
    let bomb = prefixed(1, &gzip(&vec![0; 64 << 20]));
    for method in [UNARY, EXPAND, COLLECT, CHAT] {
        let head = with(method, &[("grpc-encoding", "gzip")]);
        let answer = peer.call(head, [bomb.clone()]).await;
        answer.assert_refused("8", method.path());
        for part in ["the server", "1048576", "max_receive_message_size"] {
            assert!(answer.message().contains(part), "{answer:?}");
        }
    }
    let answer = peer.call(request(UNARY), [framed(&Echo::text("hi"))]).await;
    assert_eq!(answer.code(), "0");
}

#[tokio::test]
async fn what_is_not_gzip_is_internal() {
    let mut peer = Peer::start().await;
    let whole = gzip(&Echo::text("hi").encode_to_vec());
    let mut corrupt = whole.clone();
    corrupt[12] ^= 0xff;
    for (body, what) in [
        (&b""[..], "nothing"),
        (b"no gzip", "no gzip"),
        (&whole[..whole.len() - 1], "cut off"),
        (&[&whole[..], b"junk"].concat(), "junk behind it"),
        (&corrupt, "corrupt"),
        (&deflate(b""), "deflate"),
        (&gzip(b"\xff\xff"), "no message inside"),
    ] {
        for method in [UNARY, EXPAND, COLLECT, CHAT] {
            let head = with(method, &[("grpc-encoding", "gzip")]);
            let answer = peer.call(head, [prefixed(1, body)]).await;
            answer.assert_refused("13", what);
        }
    }
}

#[tokio::test]
async fn members_one_after_the_other_are_one_message() {
    let mut peer = Peer::start().await;
    let encoded = Echo::text("one and two").encode_to_vec();
    let (one, two) = encoded.split_at(5);
    let body = [gzip(one), gzip(b""), gzip(two)].concat();
    let head = with(UNARY, &[("grpc-encoding", "gzip")]);
    let answer = peer.call(head, [prefixed(1, &body)]).await;
    assert_eq!(answer.messages, [Echo::text("one and two")]);
}

#[tokio::test]
async fn an_answer_is_compressed_with_what_the_client_takes() {
    const ACCEPT: &str = "grpc-accept-encoding";
    let message = Echo::text(&"text ".repeat(100));
    for codec in [Compression::Gzip, Compression::Deflate] {
        let server = Server::builder().compression(codec);
        let peer = Peer::start_with(server, &Builder::new()).await;
        let name = codec.to_string();
        let upper = format!(" br , {}", name.to_uppercase());
        for (accepted, expected) in [
            (vec![], false),
            (vec![(ACCEPT, "")], false),
            (vec![(ACCEPT, "br")], false),
            (vec![(ACCEPT, "identity, deflate, gzip")], true),
            (vec![(ACCEPT, &*upper)], true),
            (vec![(ACCEPT, "br"), (ACCEPT, &*name)], true),
        ] {
            let (head, flag, bytes) = raw(&peer, with(UNARY, &accepted), framed(&message)).await;
            assert_eq!(flag, u8::from(expected), "{accepted:?}");
            assert_eq!(
                text(&head, "grpc-encoding"),
                if expected { &*name } else { "" },
                "{accepted:?}"
            );
            let mut plain = Vec::new();
            match (expected, codec) {
                (false, _) => plain = bytes.to_vec(),
                (true, Compression::Gzip) => {
                    GzDecoder::new(&*bytes).read_to_end(&mut plain).unwrap();
                }
                (true, _) => {
                    ZlibDecoder::new(&*bytes).read_to_end(&mut plain).unwrap();
                }
            }
            assert_eq!(Echo::decode(&*plain).unwrap(), message);
            assert!(bytes.len() < if expected { 100 } else { 1_000 });
        }
    }
}

#[tokio::test]
async fn a_failed_call_has_no_encoding() {
    let server = Server::builder().compression(Compression::Gzip);
    let mut peer = Peer::start_with(server, &Builder::new()).await;
    let head = with(UNARY, &[("grpc-accept-encoding", "gzip")]);
    let (response, mut body) = peer.open(head).await;
    body.send_data(framed(&Echo::text("fail")), true).unwrap();
    let answer = answer(response).await.unwrap();
    answer.assert_refused("5", "the handler's own");
    assert!(!answer.head.contains_key("grpc-encoding"));
}
