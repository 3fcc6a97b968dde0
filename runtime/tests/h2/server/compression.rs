//! What a channel says of compression, and compressed responses of another hand.

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use grpc_runtime::{
    Channel, ChannelBuilder, ChannelCredentials, Code, Compression, Receiver, Response, Status,
};
use prost::Message;

use super::{Call, Peer, ok};
use crate::peer::{framed, prefixed, text, within};
use crate::support::{Echo, EchoStub};

const GRPC: (&str, &str) = ("content-type", "application/grpc");
const GZIP: (&str, &str) = ("grpc-encoding", "gzip");

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

async fn start(build: impl FnOnce(ChannelBuilder) -> ChannelBuilder) -> Peer {
    let mut peer = Peer::start().await;
    let address = peer.listener.local_addr().unwrap().to_string();
    let builder = build(Channel::builder(&address).unwrap());
    let channel = builder.build(ChannelCredentials::insecure()).unwrap();
    peer.stub = EchoStub(channel);
    peer
}

/// Answers a call with these fields and this body.
fn answer(call: &mut Call, fields: &[(&'static str, &str)], body: Bytes) {
    let mut sender = call.respond_with(200, fields);
    sender.send_data(body, false).unwrap();
    sender.send_trailers(ok()).unwrap();
}

/// What a unary call and a stream make of the same answer.
async fn both(
    peer: &Peer,
    fields: &[(&'static str, &str)],
    body: Bytes,
) -> (
    Result<Response<Echo>, Status>,
    (Receiver<Echo>, Result<Option<Echo>, Status>),
) {
    let unary = peer.stub.unary(Echo::default()).response();
    let mut replies = peer.stub.expand(Echo::default()).start();
    let mut connection = peer.accept().await;
    for _ in 0..2 {
        answer(&mut connection.call().await, fields, body.clone());
    }
    let unary = within(unary).await;
    let next = within(replies.next()).await;
    (unary, (replies, next))
}

async fn assert_code(fields: &[(&'static str, &str)], body: Bytes, code: Code, part: &str) {
    let peer = start(std::convert::identity).await;
    let (unary, (_, next)) = both(&peer, fields, body).await;
    for status in [unary.unwrap_err(), next.unwrap_err()] {
        assert_eq!(status.code(), code, "{status}");
        assert!(status.message().contains(part), "{part} in {status}");
    }
}

#[tokio::test]
async fn a_request_names_its_encoding_and_those_it_takes() {
    let peer = start(|channel| channel.compression(Compression::Gzip)).await;
    let message = Echo::text(&"text ".repeat(100));
    let _unary = peer.stub.unary(message.clone()).response();
    let _expand = peer.stub.expand(message.clone()).start();
    let mut collect = peer.stub.collect().start();
    collect.send(message.clone()).await.unwrap();
    let (mut chat, _replies) = peer.stub.chat().start();
    chat.send(message.clone()).await.unwrap();
    chat.finish();
    let _answer = tokio::spawn(collect.finish());
    let mut connection = peer.accept().await;
    for _ in 0..4 {
        let mut call = connection.call().await;
        assert_eq!(text(&call.head.headers, "grpc-encoding"), "gzip");
        let accepted = text(&call.head.headers, "grpc-accept-encoding");
        let zstd = if cfg!(feature = "zstd") { "zstd," } else { "" };
        assert_eq!(accepted, format!("identity,{zstd}deflate,gzip"));
        let body = call.request().await;
        assert_eq!(body[0], 1);
        let mut plain = Vec::new();
        GzDecoder::new(&body[5..]).read_to_end(&mut plain).unwrap();
        assert_eq!(Echo::decode(&*plain).unwrap(), message);
    }
}

#[tokio::test]
async fn a_channel_that_takes_no_encoding_names_none() {
    let peer = start(|channel| channel.accept_compression([])).await;
    let call = peer.stub.unary(Echo::default()).response();
    let mut connection = peer.accept().await;
    let mut arrived = connection.call().await;
    for name in ["grpc-encoding", "grpc-accept-encoding"] {
        assert!(!arrived.head.headers.contains_key(name), "{name}");
    }
    answer(&mut arrived, &[GRPC, GZIP], framed(&Echo::default()));
    let status = within(call).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(status.message().contains("'gzip'"), "{status}");
}

#[tokio::test]
async fn compressed_and_plain_answers_are_told_apart() {
    let message = Echo::text("hi");
    let zipped = prefixed(1, &gzip(&message.encode_to_vec()));
    for (name, body, compressed) in [
        ("gzip", zipped.clone(), true),
        ("GZIP", zipped, true),
        ("gzip", framed(&message), false),
        ("identity", framed(&message), false),
    ] {
        let peer = start(std::convert::identity).await;
        let fields = [GRPC, ("grpc-encoding", name)];
        let (unary, (replies, next)) = both(&peer, &fields, body).await;
        let response = unary.unwrap();
        assert_eq!(response.message, message);
        assert_eq!(response.was_compressed, compressed);
        assert_eq!(next.unwrap().unwrap(), message);
        assert_eq!(replies.was_compressed(), compressed);
    }
}

#[tokio::test]
async fn a_compressed_answer_without_an_encoding_is_internal() {
    let body = prefixed(1, &gzip(b""));
    let part = "name no grpc-encoding";
    assert_code(&[GRPC], body.clone(), Code::Internal, part).await;
    let fields = [GRPC, ("grpc-encoding", "identity")];
    assert_code(&fields, body, Code::Internal, part).await;
}

#[tokio::test]
async fn an_unknown_encoding_is_internal_and_the_known_ones_are_named() {
    let fields = [GRPC, ("grpc-encoding", "br")];
    assert_code(&fields, prefixed(1, b"?"), Code::Internal, "deflate,gzip").await;
}

#[tokio::test]
async fn a_bomb_is_resource_exhausted() {
    let body = prefixed(1, &gzip(&vec![0; 64 << 20]));
    let part = "max_receive_message_size is 4194304";
    assert_code(&[GRPC, GZIP], body, Code::ResourceExhausted, part).await;
}

#[tokio::test]
async fn what_is_not_gzip_is_internal() {
    let whole = gzip(b"");
    for body in [
        &b""[..],
        b"no gzip",
        &whole[..9],
        &[&whole[..], b"junk"].concat(),
    ] {
        let body = prefixed(1, body);
        assert_code(&[GRPC, GZIP], body, Code::Internal, "not gzip").await;
    }
}
