//! Servers whose memory for large messages is used up, with `h2` clients over pipes in
//! memory. Time is tokio's, paused.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};
use http::Request;
use tokio::time::Instant;

use crate::clock;
use crate::server::{Peer, ServerShared, serve_connection};
use crate::transport::Http2Options;
use crate::transport::io::Io;
use crate::{Context, Method, PeerAddress, Server, ServerBuilder, Service, Shape, Status};

const METHOD: Method = Method::new("/test.Sink/Unary", Shape::UNARY);

/// A body just below the default limit on messages.
const SIZE: usize = 4_000_000;
const MIB: usize = 1 << 20;

async fn count((): &(), request: Vec<u8>, _: &mut Context) -> Result<String, Status> {
    Ok(request.len().to_string())
}

fn shared(
    options: impl FnOnce(ServerBuilder) -> ServerBuilder,
) -> (Arc<ServerShared>, Http2Options) {
    let service = Service::builder("test.Sink", Arc::new(())).unary(METHOD, count);
    let builder = options(Server::builder()).add_service(service.build());
    builder.into_shared().unwrap()
}

/// Room for one message.
fn narrow() -> Http2Options {
    Http2Options {
        message_buffer: 5 << 20,
        ..Http2Options::default()
    }
}

/// A connection to the server.
async fn client((shared, http2): &(Arc<ServerShared>, Http2Options)) -> SendRequest<Bytes> {
    let (near, far) = tokio::io::duplex(64 << 10);
    let (io, peer) = (Io::Memory(far), Peer::at(PeerAddress::InProcess));
    let (shared, http2) = (Arc::clone(shared), http2.clone());
    tokio::spawn(serve_connection(io, peer, shared, http2, clock::now()).run());
    let (requests, connection) = h2::client::handshake(near).await.unwrap();
    tokio::spawn(async move {
        let _ = connection.await;
    });
    requests.ready().await.unwrap()
}

fn open(requests: &mut SendRequest<Bytes>) -> (ResponseFuture, SendStream<Bytes>) {
    let request = Request::post(format!("http://localhost{}", METHOD.path()))
        .header("te", "trailers")
        .header("content-type", "application/grpc");
    requests
        .send_request(request.body(()).unwrap(), false)
        .unwrap()
}

/// A message of [`SIZE`] bytes, with its prefix.
fn message() -> Bytes {
    // The bytes field takes a tag and a length of four bytes.
    let body = prost::Message::encode_to_vec(&vec![7_u8; SIZE - 5]);
    assert_eq!(body.len(), SIZE);
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(SIZE).unwrap());
    bytes.put_slice(&body);
    bytes.freeze()
}

/// Sends all of a message.
fn upload(requests: &mut SendRequest<Bytes>) -> ResponseFuture {
    let (response, mut body) = open(requests);
    body.send_data(message(), true).unwrap();
    response
}

/// Sends the beginning of a message, whose rest never comes.
fn begin(requests: &mut SendRequest<Bytes>) -> (ResponseFuture, SendStream<Bytes>) {
    let (response, mut body) = open(requests);
    body.send_data(message().slice(..100_000), false).unwrap();
    (response, body)
}

/// The `grpc-status` of a call.
async fn ending(response: ResponseFuture) -> String {
    let (head, mut body) = response.await.unwrap().into_parts();
    while let Some(data) = body.data().await {
        data.unwrap();
    }
    let fields = body.trailers().await.unwrap().unwrap_or(head.headers);
    fields["grpc-status"].to_str().unwrap().to_owned()
}

async fn a_little_later() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}

fn assert_between_looks(begun: Instant) {
    let took = begun.elapsed();
    let range = Duration::from_secs(20)..Duration::from_secs(61);
    assert!(range.contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_does_not_get_on_makes_room_for_those_that_wait() {
    let server = shared(|server| server.http2(narrow()));
    let mut requests = client(&server).await;
    let begun = Instant::now();
    let (slow, _body) = begin(&mut requests);
    a_little_later().await;
    let waits = upload(&mut requests);
    assert_eq!(ending(slow).await, "8");
    assert_between_looks(begun);
    assert_eq!(ending(waits).await, "0");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_nobody_waits_for_takes_its_time() {
    let server = shared(|server| server.http2(narrow()));
    let mut requests = client(&server).await;
    let (slow, mut body) = begin(&mut requests);
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    body.send_data(message().slice(100_000..), true).unwrap();
    assert_eq!(ending(slow).await, "0");
}

#[tokio::test(start_paused = true)]
async fn a_slow_message_that_gets_on_is_waited_for() {
    let server = shared(|server| server.http2(narrow()));
    let mut requests = client(&server).await;
    let (slow, mut body) = begin(&mut requests);
    a_little_later().await;
    let waits = upload(&mut requests);
    let message = message();
    // 10 KiB per second.
    for from in (100_000..SIZE + 5).step_by(100 << 10) {
        tokio::time::sleep(Duration::from_secs(10)).await;
        let to = (from + (100 << 10)).min(message.len());
        let piece = message.slice(from..to);
        body.send_data(piece, to == message.len()).unwrap();
    }
    assert_eq!(ending(slow).await, "0");
    assert_eq!(ending(waits).await, "0");
}

#[tokio::test(start_paused = true)]
async fn connections_wait_for_each_others_memory() {
    let server = shared(|server| server.memory_limit(10 * MIB));
    let (mut one, mut other) = (client(&server).await, client(&server).await);
    let begun = Instant::now();
    let (slow, _body) = begin(&mut one);
    a_little_later().await;
    let waits = upload(&mut other);
    assert_eq!(ending(slow).await, "8");
    assert_between_looks(begun);
    assert_eq!(ending(waits).await, "0");
}

#[tokio::test(start_paused = true)]
async fn memory_comes_back_with_a_connection_that_is_lost() {
    let server = shared(|server| server.memory_limit(10 * MIB));
    let (mut one, mut other) = (client(&server).await, client(&server).await);
    let (slow, body) = begin(&mut one);
    a_little_later().await;
    let begun = Instant::now();
    let waits = upload(&mut other);
    a_little_later().await;
    drop((slow, body, one));
    assert_eq!(ending(waits).await, "0");
    assert!(begun.elapsed() < Duration::from_secs(10));
}

/// More messages than fit at once, over a few connections: each gets memory in turn.
#[tokio::test(start_paused = true)]
async fn honest_uploads_all_pass() {
    let server = shared(|server| server.memory_limit(20 * MIB));
    let mut answers = Vec::new();
    for _ in 0..4 {
        let mut requests = client(&server).await;
        for _ in 0..8 {
            answers.push(upload(&mut requests));
        }
    }
    for answer in answers {
        assert_eq!(ending(answer).await, "0");
    }
}
