//! Servers whose memory for calls is used up, by heads and by responses that nobody reads,
//! against `h2` at the other end of pipes in memory. Time is tokio's, paused.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::Request;
use tokio::time::{Instant, sleep, timeout};

use crate::clock;
use crate::server::{Peer, ServerShared, serve_connection};
use crate::transport::Http2Options;
use crate::transport::io::Io;
use crate::{
    Code, Context, Method, Observer, PeerAddress, Receiver, RefusedCall, Sender, Server, Service,
    Shape, Status,
};

const ONE: Method = Method::new("/test.Source/One", Shape::UNARY);
const MANY: Method = Method::new("/test.Source/Many", Shape::SERVER_STREAMING);
const WAIT: Method = Method::new("/test.Source/Wait", Shape::CLIENT_STREAMING);

const MIB: usize = 1 << 20;

/// As many bytes as asked for.
async fn one((): &(), size: u64, _: &mut Context) -> Result<Vec<u8>, Status> {
    Ok(vec![7; usize::try_from(size).unwrap()])
}

async fn many(
    (): &(),
    size: u64,
    replies: &mut Sender<Vec<u8>>,
    _: &mut Context,
) -> Result<(), Status> {
    replies.send(vec![7; usize::try_from(size).unwrap()]).await
}

async fn wait((): &(), requests: &mut Receiver<u64>, _: &mut Context) -> Result<u64, Status> {
    while requests.next().await?.is_some() {}
    Ok(7)
}

/// How many calls were refused for want of memory.
#[derive(Clone, Default)]
struct Refused(Arc<AtomicUsize>);

impl Observer for Refused {
    fn call_refused(&self, call: &RefusedCall<'_>) {
        assert_eq!(call.status.code(), Code::ResourceExhausted);
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

type Shared = (Arc<ServerShared>, Http2Options);

/// With no more memory than each server has: 4 MiB for calls.
fn shared(refused: &Refused) -> Shared {
    let service = Service::builder("test.Source", Arc::new(()))
        .unary(ONE, one)
        .server_streaming(MANY, many)
        .client_streaming(WAIT, wait);
    let builder = Server::builder().memory_limit(0).observe(refused.clone());
    builder.add_service(service.build()).into_shared().unwrap()
}

async fn client((shared, http2): &Shared) -> SendRequest<Bytes> {
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

fn open(
    requests: &mut SendRequest<Bytes>,
    method: Method,
    metadata: usize,
) -> (ResponseFuture, SendStream<Bytes>) {
    let request = Request::post(format!("http://localhost{}", method.path()))
        .header("te", "trailers")
        .header("content-type", "application/grpc")
        .header("x-much", "m".repeat(metadata));
    requests
        .send_request(request.body(()).unwrap(), false)
        .unwrap()
}

/// Asks for so many bytes.
fn ask(requests: &mut SendRequest<Bytes>, method: Method, size: usize) -> ResponseFuture {
    let (response, mut body) = open(requests, method, 0);
    let message = prost::Message::encode_to_vec(&(size as u64));
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(message.len()).unwrap());
    bytes.put_slice(&message);
    body.send_data(bytes.freeze(), true).unwrap();
    response
}

/// Reads to the end: how many bytes, and which `grpc-status`.
async fn read(head: http::HeaderMap, mut body: RecvStream) -> Result<(usize, String), h2::Error> {
    let mut size = 0;
    while let Some(data) = body.data().await {
        let data = data?;
        size += data.len();
        body.flow_control().release_capacity(data.len())?;
    }
    let fields = body.trailers().await?.unwrap_or(head);
    Ok((size, fields["grpc-status"].to_str().unwrap().to_owned()))
}

/// The same of a response that is only now looked at.
async fn answer(response: ResponseFuture) -> Result<(usize, String), h2::Error> {
    let (head, body) = response.await?.into_parts();
    read(head.headers, body).await
}

async fn code(response: ResponseFuture) -> String {
    answer(response).await.unwrap().1
}

/// A response of 3 MiB that is begun to be read and no more.
async fn unread(requests: &mut SendRequest<Bytes>) -> (http::HeaderMap, RecvStream) {
    let response = ask(requests, ONE, 3 * MIB).await.unwrap();
    let (head, body) = response.into_parts();
    (head.headers, body)
}

#[tokio::test(start_paused = true)]
async fn a_response_that_finds_no_memory_ends_its_call() {
    let server = shared(&Refused::default());
    let (mut one, mut other) = (client(&server).await, client(&server).await);
    let (head, body) = unread(&mut one).await;
    assert_eq!(code(ask(&mut other, ONE, 3 * MIB)).await, "8");
    assert_eq!(
        code(ask(&mut other, ONE, 100_000)).await,
        "0",
        "it has its own"
    );
    let (size, status) = read(head, body).await.unwrap();
    assert!(size > 3 * MIB && status == "0");
    assert_eq!(code(ask(&mut other, ONE, 3 * MIB)).await, "0");
}

#[tokio::test(start_paused = true)]
async fn a_sender_waits_for_memory_and_goes_on_once_there_is_some() {
    let server = shared(&Refused::default());
    let (mut one, mut other) = (client(&server).await, client(&server).await);
    let (head, body) = unread(&mut one).await;
    let mut waits = Box::pin(answer(ask(&mut other, MANY, 2 * MIB)));
    let early = timeout(Duration::from_secs(5), &mut waits).await;
    assert!(early.is_err(), "there is no memory");
    assert_eq!(
        code(ask(&mut other, MANY, 60_000)).await,
        "0",
        "it has its own"
    );
    assert_eq!(read(head, body).await.unwrap().1, "0");
    let begun = Instant::now();
    let (size, status) = waits.await.unwrap();
    assert!(size > 2 * MIB && status == "0");
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn memory_comes_back_with_a_call_that_is_reset_and_a_connection_that_is_lost() {
    let server = shared(&Refused::default());
    let (mut one, mut other) = (client(&server).await, client(&server).await);
    for is_lost in [false, true] {
        let unread = unread(&mut one).await;
        let mut waits = Box::pin(answer(ask(&mut other, MANY, 2 * MIB)));
        assert!(timeout(Duration::from_secs(1), &mut waits).await.is_err());
        drop(unread);
        if is_lost {
            // Its task ends with the last who sends.
            one = client(&server).await;
        }
        let begun = Instant::now();
        assert_eq!(waits.await.unwrap().1, "0");
        assert!(begun.elapsed() < Duration::from_secs(1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_that_nobody_reads_makes_room_for_those_that_wait() {
    let server = shared(&Refused::default());
    for method in [ONE, MANY] {
        let (mut one, mut other) = (client(&server).await, client(&server).await);
        let begun = Instant::now();
        let stuck = ask(&mut one, method, 3 * MIB).await.unwrap();
        let waits = ask(&mut other, MANY, 2 * MIB);
        assert_eq!(code(waits).await, "0");
        let range = Duration::from_secs(20)..Duration::from_secs(61);
        assert!(range.contains(&begun.elapsed()), "{:?}", begun.elapsed());
        let (head, body) = stuck.into_parts();
        let error = read(head.headers, body).await.unwrap_err();
        assert_eq!(error.reason(), Some(Reason::ENHANCE_YOUR_CALM), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_response_waits_for_none_that_nobody_reads() {
    let server = shared(&Refused::default());
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(client(&server).await);
    }
    // Each is less than half of what there is, and the first has been silent for long.
    let early = ask(&mut clients[0], ONE, 19 * MIB / 10).await.unwrap();
    sleep(Duration::from_secs(1_000)).await;
    let late = ask(&mut clients[1], ONE, 19 * MIB / 10).await.unwrap();
    let begun = Instant::now();
    assert_eq!(code(ask(&mut clients[2], MANY, 3 * MIB)).await, "0");
    let range = Duration::from_secs(20)..Duration::from_secs(61);
    assert!(range.contains(&begun.elapsed()), "{:?}", begun.elapsed());
    drop((early, late));
}

#[tokio::test(start_paused = true)]
async fn a_response_of_which_the_end_is_not_read_makes_room_as_well() {
    let server = shared(&Refused::default());
    for method in [ONE, MANY] {
        let (mut one, mut other) = (client(&server).await, client(&server).await);
        let response = ask(&mut one, method, 3 * MIB).await.unwrap();
        let (mut left, mut body) = (3 * MIB - (80 << 10), response.into_body());
        while left > 0 {
            let data = body.data().await.unwrap().unwrap();
            left = left.saturating_sub(data.len());
            body.flow_control().release_capacity(data.len()).unwrap();
        }
        sleep(Duration::from_secs(1)).await;
        assert_eq!(code(ask(&mut other, ONE, 2 * MIB)).await, "8");
        assert_eq!(code(ask(&mut other, MANY, 2 * MIB)).await, "0");
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_that_nobody_reads_and_nobody_minds_is_kept() {
    let server = shared(&Refused::default());
    let mut one = client(&server).await;
    let (head, body) = unread(&mut one).await;
    sleep(Duration::from_secs(3_600)).await;
    assert_eq!(read(head, body).await.unwrap().1, "0");
}

#[tokio::test(start_paused = true)]
async fn a_response_that_is_read_slowly_is_not_cut() {
    let server = shared(&Refused::default());
    let (mut one, mut other) = (client(&server).await, client(&server).await);
    let (_, mut slow) = unread(&mut one).await;
    let waits = tokio::spawn(answer(ask(&mut other, MANY, 2 * MIB)));
    // 10 KiB a second, while the other waits for all of it to be taken.
    let mut size = 0;
    while let Some(data) = slow.data().await {
        let data = data.unwrap();
        assert!(size > 2 * MIB || !waits.is_finished());
        sleep(Duration::from_millis(data.len() as u64 / 10)).await;
        slow.flow_control().release_capacity(data.len()).unwrap();
        size += data.len();
    }
    assert!(size > 3 * MIB);
    assert_eq!(waits.await.unwrap().unwrap().1, "0");
}

#[tokio::test(start_paused = true)]
async fn calls_whose_heads_find_no_memory_are_refused_and_told() {
    const HEAD: usize = 14 << 10;
    let refused = Refused::default();
    let server = shared(&refused);
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(client(&server).await);
    }
    let mut calls = Vec::new();
    for requests in &mut clients[..2] {
        for _ in 0..200 {
            calls.push(open(requests, WAIT, HEAD));
        }
        sleep(Duration::from_millis(10)).await;
    }
    let count = refused.0.load(Ordering::Relaxed);
    assert!((90..130).contains(&count), "{count} of 400");
    let (last, _body) = calls.pop().unwrap();
    assert_eq!(code(last).await, "8");
    let served = |(response, mut body): (ResponseFuture, SendStream<Bytes>)| async move {
        body.send_data(Bytes::new(), true).unwrap();
        code(response).await
    };
    // Each connection has some for itself.
    assert_eq!(served(open(&mut clients[2], WAIT, HEAD)).await, "0");
    drop(calls);
    sleep(Duration::from_millis(10)).await;
    assert_eq!(served(open(&mut clients[1], WAIT, HEAD)).await, "0");
    assert_eq!(refused.0.load(Ordering::Relaxed), count);
}
