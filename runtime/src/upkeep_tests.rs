//! Keepalive, idle and age limits of channels and servers, with `h2` at the other end of a
//! pipe in memory. Time is tokio's, paused: it advances when all tasks wait, so that hours
//! pass at once and to the millisecond.

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use h2::client::SendRequest;
use h2::server::SendResponse;
use http::{Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep, timeout};

use crate::channel::Connects;
use crate::clock;
use crate::server::{Peer, serve_connection};
use crate::transport::io::Io;
use crate::{
    Channel, ChannelBuilder, Code, ConnectivityState, Context, Method, PeerAddress, Server,
    ServerBuilder, Service, Shape, Status, UnaryCall,
};

const METHOD: Method = Method::new("/test.Kept/Unary", Shape::UNARY);
/// A message of one field, prost's type for `google.protobuf.StringValue`.
type Text = String;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn assert_took(begun: Instant, expected: Duration) {
    let took = begun.elapsed();
    let slack = Duration::from_millis(50);
    assert!(
        (expected..=expected + slack).contains(&took),
        "{took:?} instead of {expected:?}"
    );
}

// --- channels ------------------------------------------------------------------

/// A channel, and the servers' ends of its connections.
fn channel(
    options: impl FnOnce(ChannelBuilder) -> ChannelBuilder,
) -> (Channel, UnboundedReceiver<DuplexStream>) {
    let (sender, far) = unbounded_channel();
    let connect = move || {
        let (near, far) = tokio::io::duplex(64 << 10);
        let _ = sender.send(far);
        Io::Memory(near)
    };
    let connects = Connects::Function(Arc::new(connect));
    let channel = options(ChannelBuilder::over(connects, "localhost")).build_plain();
    (channel, far)
}

fn call(channel: &Channel, text: &str) -> UnaryCall<Text> {
    UnaryCall::new(channel, METHOD, &text.to_owned())
}

type ServedCall = (h2::RecvStream, SendResponse<Bytes>);
type ServerEnd = h2::server::Connection<DuplexStream, Bytes>;

/// The channel's next connection, and the first call on it.
async fn accept(far: &mut UnboundedReceiver<DuplexStream>) -> (ServerEnd, ServedCall) {
    let accepted = async {
        let stream = far.recv().await.unwrap();
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let (request, response) = connection.accept().await.unwrap().unwrap();
        (connection, (request.into_body(), response))
    };
    // With nothing else to wait for, paused time advances to this at once.
    timeout(secs(86_400), accepted).await.unwrap()
}

fn answer(call: ServedCall) {
    let (_, mut response) = call;
    let head = Response::builder().header("content-type", "application/grpc");
    let mut body = response
        .send_response(head.body(()).unwrap(), false)
        .unwrap();
    body.send_data(Bytes::from_static(&[0; 5]), false).unwrap();
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    body.send_trailers(trailers).unwrap();
}

/// Serves a connection until it ends: answers PINGs and no calls.
fn serve(mut connection: ServerEnd) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let mut calls = Vec::new();
        while let Some(Ok(call)) = connection.accept().await {
            calls.push(call);
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_server_that_answers_no_ping_is_given_up_and_another_connection_made() {
    // The time is raised to 10 s.
    let (channel, mut far) = channel(|builder| {
        builder
            .keepalive_time(Duration::from_millis(1))
            .keepalive_timeout(secs(5))
    });
    let first = call(&channel, "lost").response();
    let _deaf = accept(&mut far).await;
    let begun = Instant::now();
    let status = first.await.unwrap_err();
    assert_took(begun, secs(15));
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("keepalive"), "{status}");
    assert!(status.message().contains("localhost"), "{status}");

    let second = call(&channel, "again").response();
    let (connection, served) = accept(&mut far).await;
    answer(served);
    let serving = serve(connection);
    second.await.unwrap();
    drop(channel);
    serving.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_answers_pings_may_take_its_time_over_a_call() {
    let (channel, mut far) = channel(|builder| builder.keepalive_time(secs(10)));
    let long = call(&channel, "long").response();
    let (connection, served) = accept(&mut far).await;
    let serving = serve(connection);
    sleep(secs(3_600)).await;
    answer(served);
    long.await.unwrap();
    assert!(!serving.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_died_between_calls_is_found_out_by_the_next_one() {
    let (channel, mut far) = channel(|builder| builder.keepalive_time(secs(10)));
    let first = call(&channel, "first").response();
    let (mut connection, served) = accept(&mut far).await;
    answer(served);
    // Polled until it has nothing more to do for the first call, and not again.
    assert!(timeout(secs(1), connection.accept()).await.is_err());
    first.await.unwrap();
    sleep(secs(3_600)).await;
    assert_eq!(channel.state(), ConnectivityState::Ready);
    let begun = Instant::now();
    let status = call(&channel, "second").response().await.unwrap_err();
    assert_took(begun, secs(20));
    assert!(status.message().contains("keepalive"), "{status}");
}

#[tokio::test(start_paused = true)]
async fn with_leave_a_dead_connection_is_found_out_without_a_call() {
    let (channel, mut far) = channel(|builder| {
        builder
            .keepalive_time(secs(10))
            .keepalive_without_calls(true)
    });
    channel.connect().unwrap();
    let stream = far.recv().await.unwrap();
    let _deaf: ServerEnd = h2::server::handshake(stream).await.unwrap();
    let mut states = channel.watch_state();
    assert!(states.wait_for(ConnectivityState::Ready).await);
    let begun = Instant::now();
    assert!(states.wait_for(ConnectivityState::Idle).await);
    assert_took(begun, secs(30));
}

/// GOAWAY with debug data, which h2 cannot send.
fn go_away(code: u8, debug: &[u8]) -> BytesMut {
    // SETTINGS, empty, and GOAWAY with the last stream 1.
    let mut bytes = BytesMut::from(&[0, 0, 0, 4, 0, 0, 0, 0, 0][..]);
    bytes.put_uint(8 + debug.len() as u64, 3);
    bytes.put_slice(&[7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, code]);
    bytes.put_slice(debug);
    bytes
}

#[tokio::test(start_paused = true)]
async fn too_many_pings_doubles_the_keepalive_time_and_says_so() {
    let (channel, mut far) = channel(|builder| builder.keepalive_time(secs(10)));
    let first = call(&channel, "first").response();
    let mut stream = far.recv().await.unwrap();
    let mut request = [0; 512];
    assert_ne!(stream.read(&mut request).await.unwrap(), 0);
    let farewell = go_away(11, b"too_many_pings");
    stream.write_all(&farewell).await.unwrap();
    drop(stream);
    let status = first.await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    for part in ["ENHANCE_YOUR_CALM", "too_many_pings", "double", "10s"] {
        assert!(status.message().contains(part), "{part}: {status}");
    }

    let second = call(&channel, "second").wait_for_ready().response();
    let _deaf = accept(&mut far).await;
    let begun = Instant::now();
    second.await.unwrap_err();
    // Twice 10 s, and the timeout.
    assert_took(begun, secs(40));
}

#[tokio::test(start_paused = true)]
async fn an_unused_channel_goes_idle_and_the_next_call_connects_again() {
    let (channel, mut far) = channel(|builder| builder.idle_timeout(secs(1_800)));
    let first = call(&channel, "first").response();
    let (connection, served) = accept(&mut far).await;
    let serving = serve(connection);
    sleep(secs(3_600)).await;
    answer(served);
    first.await.unwrap();
    let begun = Instant::now();
    assert_eq!(channel.state(), ConnectivityState::Ready);
    let mut states = channel.watch_state();
    assert!(states.wait_for(ConnectivityState::Idle).await);
    assert_took(begun, secs(1_800));
    serving.await.unwrap();

    let second = call(&channel, "second").response();
    let (connection, served) = accept(&mut far).await;
    answer(served);
    let _serving = serve(connection);
    second.await.unwrap();
}

// --- servers -------------------------------------------------------------------

/// Tells when it is dropped.
struct Running(UnboundedSender<&'static str>);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

type Events = UnboundedSender<&'static str>;

/// Answers at once, after so many seconds, or never.
async fn kept(events: &Events, request: Text, _: &mut Context) -> Result<Text, Status> {
    let _running = Running(events.clone());
    let _ = events.send("entered");
    match request.parse() {
        Ok(seconds) => sleep(secs(seconds)).await,
        Err(_) if request == "for ever" => pending().await,
        Err(_) => {}
    }
    Ok(request)
}

fn service(events: Events) -> Service {
    Service::builder("test.Kept", Arc::new(events))
        .unary(METHOD, kept)
        .build()
}

/// An `h2` client of this crate's server.
struct Client {
    requests: SendRequest<Bytes>,
    connection: h2::client::Connection<DuplexStream, Bytes>,
    events: UnboundedReceiver<&'static str>,
}

async fn client(options: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Client {
    let (sender, events) = unbounded_channel();
    let builder = options(Server::builder()).add_service(service(sender));
    let (shared, http2) = builder.into_shared().unwrap();
    let (near, far) = tokio::io::duplex(64 << 10);
    let (io, peer) = (Io::Memory(far), Peer::at(PeerAddress::InProcess));
    tokio::spawn(serve_connection(io, peer, shared, http2, clock::now()).run());
    let (requests, connection) = h2::client::handshake(near).await.unwrap();
    Client {
        requests,
        connection,
        events,
    }
}

fn send(requests: &mut SendRequest<Bytes>, text: &str) -> h2::client::ResponseFuture {
    let request = Request::post(format!("http://localhost{}", METHOD.path()))
        .header("te", "trailers")
        .header("content-type", "application/grpc");
    let (response, mut body) = requests
        .send_request(request.body(()).unwrap(), false)
        .unwrap();
    let message = prost::Message::encode_to_vec(&text.to_owned());
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(message.len().try_into().unwrap());
    bytes.put_slice(&message);
    body.send_data(bytes.freeze(), true).unwrap();
    response
}

/// The `grpc-status` and the `grpc-message` of a call.
async fn ending(response: h2::client::ResponseFuture) -> Result<(String, String), h2::Error> {
    let (head, mut body) = response.await?.into_parts();
    while let Some(data) = body.data().await {
        data?;
    }
    let fields = body.trailers().await?.unwrap_or(head.headers);
    let text = |name| fields.get(name).map_or("", |value| value.to_str().unwrap());
    Ok((text("grpc-status").into(), text("grpc-message").into()))
}

#[tokio::test(start_paused = true)]
async fn a_client_that_vanished_without_a_word_loses_its_handlers() {
    let Client {
        mut requests,
        mut connection,
        mut events,
    } = client(|server| server.keepalive_time(secs(60)).keepalive_timeout(secs(30))).await;
    let response = send(&mut requests, "for ever");
    // Polled until the request was sent, and not again.
    assert!(timeout(secs(1), &mut connection).await.is_err());
    assert_eq!(events.recv().await, Some("entered"));
    let begun = Instant::now();
    assert_eq!(events.recv().await, Some("dropped"));
    assert_took(begun, secs(89));
    drop(response);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_pings_too_much_is_told_to_calm_down() {
    let Client {
        requests: _requests,
        mut connection,
        ..
    } = client(|server| server).await;
    let mut pings = connection.ping_pong().unwrap();
    let connection = tokio::spawn(connection);
    for _ in 0..3 {
        pings.ping(h2::Ping::opaque()).await.unwrap();
    }
    pings.ping(h2::Ping::opaque()).await.unwrap_err();
    let error = connection.await.unwrap().unwrap_err();
    assert_eq!(error.reason(), Some(h2::Reason::ENHANCE_YOUR_CALM));
    assert!(error.is_remote());
    assert!(error.to_string().contains("too_many_pings"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_client_may_ping_as_often_as_the_server_permits() {
    let Client {
        requests: _requests,
        mut connection,
        ..
    } = client(|server| {
        server
            .permit_keepalive_time(secs(30))
            .permit_keepalive_without_calls(true)
    })
    .await;
    let mut pings = connection.ping_pong().unwrap();
    let _connection = tokio::spawn(connection);
    for _ in 0..100 {
        sleep(secs(30)).await;
        pings.ping(h2::Ping::opaque()).await.unwrap();
    }
}

/// Clients measure bandwidth and round trips in this way.
#[tokio::test(start_paused = true)]
async fn a_client_may_ping_after_each_answer() {
    let Client {
        mut requests,
        mut connection,
        ..
    } = client(|server| server).await;
    let mut pings = connection.ping_pong().unwrap();
    let _connection = tokio::spawn(connection);
    for _ in 0..100 {
        let response = send(&mut requests, "0");
        assert_eq!(ending(response).await.unwrap().0, "0");
        pings.ping(h2::Ping::opaque()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_in_order() {
    let Client {
        mut requests,
        connection,
        ..
    } = client(|server| server.max_connection_idle(secs(60))).await;
    let connection = tokio::spawn(connection);
    let response = send(&mut requests, "100");
    assert_eq!(ending(response).await.unwrap().0, "0");
    let begun = Instant::now();
    connection.await.unwrap().unwrap();
    assert_took(begun, secs(60));
}

#[tokio::test(start_paused = true)]
async fn at_the_maximum_age_calls_end_within_the_grace_or_are_cut() {
    let Client {
        mut requests,
        connection,
        mut events,
    } = client(|server| {
        server
            .max_connection_age(secs(100))
            .max_connection_age_grace(secs(30))
    })
    .await;
    let connection = tokio::spawn(connection);
    let begun = Instant::now();
    let within = send(&mut requests, "115");
    let beyond = send(&mut requests, "for ever");
    // 100 s, give or take a tenth.
    let left = poll_fn(|cx| match requests.poll_ready(cx) {
        std::task::Poll::Ready(Ok(())) => std::task::Poll::Pending,
        other => other,
    });
    let polled = timeout(secs(89), left).await;
    assert!(polled.is_err(), "left too early");
    sleep(secs(22)).await;
    poll_fn(|cx| requests.poll_ready(cx)).await.unwrap_err();
    assert_eq!(ending(within).await.unwrap().0, "0");
    assert_took(begun, secs(115));
    let (code, message) = ending(beyond).await.unwrap();
    let took = begun.elapsed();
    assert!((secs(120)..secs(141)).contains(&took), "{took:?}");
    assert_eq!(code, "14");
    assert!(message.contains("maximum age"), "{message}");
    for event in ["entered", "entered", "dropped", "dropped"] {
        assert_eq!(events.recv().await, Some(event));
    }
    connection.await.unwrap().unwrap();
}

// --- both ----------------------------------------------------------------------

/// One connection follows another without an effect on calls.
#[tokio::test(start_paused = true)]
async fn no_call_is_lost_to_the_age_of_connections() {
    let (sender, _events) = unbounded_channel();
    let server = Server::builder()
        .add_service(service(sender))
        .max_connection_age(secs(10))
        .max_connection_age_grace(secs(5));
    let channel = Channel::in_process(server).unwrap();
    let mut calls = Vec::new();
    for _ in 0..1_000 {
        calls.push(call(&channel, "4").response());
        sleep(Duration::from_millis(200)).await;
    }
    for call in calls {
        call.await.unwrap();
    }
}

/// This crate's channel and server with default limits: the channel learns how often it may
/// send PINGs.
#[tokio::test(start_paused = true)]
async fn a_channel_that_asks_too_often_learns_not_to() {
    let (sender, _events) = unbounded_channel();
    let builder = Server::builder().add_service(service(sender));
    let (shared, http2) = builder.into_shared().unwrap();
    let (channel, mut far) = channel(|builder| builder.keepalive_time(secs(10)));
    tokio::spawn(async move {
        while let Some(far) = far.recv().await {
            let (io, peer) = (Io::Memory(far), Peer::at(PeerAddress::InProcess));
            let (shared, http2) = (Arc::clone(&shared), http2.clone());
            tokio::spawn(serve_connection(io, peer, shared, http2, clock::now()).run());
        }
    });
    let mut failed = 0;
    while let Err(status) = call(&channel, "7200").response().await {
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().contains("too_many_pings"), "{status}");
        failed += 1;
    }
    // 10, 20, 40, 80 and 160 s are too often, 320 s are not.
    assert_eq!(failed, 5);
}
