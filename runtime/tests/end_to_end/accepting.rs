//! How connections come in: options of an address, and streams of connections that
//! something else accepts.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use crate::byte_streams::{Once, connected_by};
use crate::calls::{Echoes, all_kinds};
use crate::observers::Hears;
use crate::support::{Echo, EchoStub, service};
use futures_core::Stream;
use grpc_runtime::{ByteStream, Channel, ListenOptions, Server, ServerBuilder, ServerError};
use tokio::io::{DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);

fn echoes() -> ServerBuilder {
    Server::builder().add_service(service(Echoes))
}

async fn echoes_with(options: ListenOptions) -> Result<(Server, EchoStub), ServerError> {
    let server = echoes().listen_with_options("127.0.0.1:0", options);
    let server = server.start().await?;
    let stub = EchoStub(Channel::insecure(&server.addresses()[0]).unwrap());
    Ok((server, stub))
}

// --- options of sockets ------------------------------------------------------------------

/// What the sockets of a server are set to: whether they wait, and how long they keep
/// quiet before they are asked.
async fn settings(options: ListenOptions) -> (bool, Option<Duration>) {
    let found = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&found);
    let server = echoes().on_accept(move |incoming| {
        let socket = incoming.tcp().unwrap();
        let reference = socket2::SockRef::from(socket);
        let time = reference.keepalive().unwrap();
        let time = time.then(|| reference.tcp_keepalive_time().unwrap());
        *seen.lock().unwrap() = Some((socket.nodelay().unwrap(), time));
        true
    });
    let server = server.listen_with_options("127.0.0.1:0", options);
    let server = server.start().await.unwrap();
    let stub = EchoStub(Channel::insecure(&server.addresses()[0]).unwrap());
    stub.unary(Echo::default()).await.unwrap();
    let found = *found.lock().unwrap();
    found.unwrap()
}

#[tokio::test]
async fn sockets_are_set_as_the_options_say() {
    let plain = ListenOptions::new;
    assert_eq!(settings(plain()).await, (true, None));
    assert!(!settings(plain().tcp_nodelay(false)).await.0);
    for (time, expected) in [
        (Duration::ZERO, Some(1)),
        (Duration::from_millis(1), Some(1)),
        (Duration::from_secs(42), Some(42)),
        (Duration::MAX, None),
    ] {
        let (_, found) = settings(plain().tcp_keepalive(time)).await;
        assert_eq!(found, expected.map(Duration::from_secs), "{time:?}");
    }
}

#[tokio::test]
async fn a_backlog_of_any_size_is_one() {
    for backlog in [0, 1, 4096, u32::MAX] {
        let (_server, stub) = echoes_with(ListenOptions::new().backlog(backlog))
            .await
            .unwrap();
        stub.unary(Echo::default()).await.unwrap();
    }
}

/// Both serve, and the second one alone once the first is gone.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn servers_share_a_port_where_both_say_so() {
    let shared = || ListenOptions::new().reuse_port(true);
    let (first, _) = echoes_with(shared()).await.unwrap();
    let address = first.addresses()[0].clone();
    let alone = echoes().listen_with_options(&address, ListenOptions::new());
    let error = alone.start().await.unwrap_err();
    assert!(matches!(error, ServerError::Bind { .. }), "{error}");

    let count = Arc::new(Mutex::new(0));
    let counts = Arc::clone(&count);
    let second = echoes().on_accept(move |_| {
        *counts.lock().unwrap() += 1;
        true
    });
    let second = second.listen_with_options(&address, shared());
    let _second = second.start().await.unwrap();
    let call = || async {
        let stub = EchoStub(Channel::insecure(&address).unwrap());
        stub.unary(Echo::default()).timeout(BOUND).await.unwrap();
    };
    // 64 of them leave one of the two out once in 2^63 times.
    for _ in 0..64 {
        call().await;
    }
    let seconds = *count.lock().unwrap();
    assert!(seconds > 0 && seconds < 64, "{seconds}");
    first.shutdown(BOUND).await;
    for _ in 0..8 {
        call().await;
    }
    assert_eq!(*count.lock().unwrap(), seconds + 8);
}

// --- streams of connections --------------------------------------------------------------

/// What the test gives.
pub(crate) struct Given(pub(crate) UnboundedReceiver<io::Result<DuplexStream>>);

impl Given {
    fn new() -> (UnboundedSender<io::Result<DuplexStream>>, Self) {
        let (sender, receiver) = unbounded_channel();
        (sender, Self(receiver))
    }
}

impl Stream for Given {
    type Item = io::Result<DuplexStream>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}

#[tokio::test]
async fn what_a_stream_gives_is_served_until_it_ends_and_the_rest_goes_on() {
    let hears = Hears::default();
    let (sender, given) = Given::new();
    let server = echoes()
        .observe(hears.clone())
        .accept_from(given, ListenOptions::new())
        .start()
        .await
        .unwrap();
    assert!(server.addresses().is_empty());
    let connect = || {
        let (near, far) = duplex(64 << 10);
        sender.send(Ok(far)).unwrap();
        connected_by(Once::new(near))
    };
    let first = connect();
    all_kinds(&first).await;
    sender
        .send(Err(io::Error::other("no more of them")))
        .unwrap();
    let second = connect();
    second.unary(Echo::default()).timeout(BOUND).await.unwrap();
    let line = hears.lines_with("accept", 1).await.remove(0);
    assert!(line.contains("no more of them"), "{line}");
    drop(sender);
    for stub in [first, second] {
        stub.unary(Echo::default()).timeout(BOUND).await.unwrap();
    }
    let report = timeout(BOUND, server.shutdown(BOUND)).await.unwrap();
    assert_eq!(report.connections_cut, 0);
}

/// One connection, and then a panic.
struct Panics(Option<DuplexStream>);

impl Stream for Panics {
    type Item = io::Result<DuplexStream>;

    fn poll_next(mut self: Pin<&mut Self>, _cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let stream = self.0.take();
        Poll::Ready(Some(Ok(stream.expect("this panic is part of a test"))))
    }
}

#[tokio::test]
async fn a_stream_that_panics_is_told_and_takes_nobody_with_it() {
    let hears = Hears::default();
    let (near, far) = duplex(64 << 10);
    let server = echoes()
        .observe(hears.clone())
        .accept_from(Panics(Some(far)), ListenOptions::new())
        .start()
        .await
        .unwrap();
    let line = hears.lines_with("panicked", 1).await.remove(0);
    assert!(
        line.contains("the stream of connections panicked"),
        "{line}"
    );
    let stub = connected_by(Once::new(near));
    stub.unary(Echo::default()).timeout(BOUND).await.unwrap();
    drop(server);
}

/// A listener of the user's own.
struct Accepted(TcpListener);

impl Stream for Accepted {
    type Item = io::Result<TcpStream>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let accepted = self.0.poll_accept(cx);
        accepted.map(|accepted| Some(accepted.map(|(stream, _)| stream)))
    }
}

#[tokio::test]
async fn serve_incoming_serves_a_listener_of_ones_own_until_it_is_dropped() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = tokio::spawn(echoes().serve_incoming(Accepted(listener)));
    let stub = EchoStub(Channel::insecure(&address).unwrap());
    all_kinds(&stub).await;
    serving.abort();
    assert!(serving.await.unwrap_err().is_cancelled());
    let gone = async {
        while TcpStream::connect(&address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(BOUND, gone).await.unwrap();
}

/// Streams that have names.
struct Named(UnboundedReceiver<ByteStream>);

impl Stream for Named {
    type Item = io::Result<ByteStream>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|next| next.map(Ok))
    }
}

#[tokio::test]
async fn what_is_given_is_asked_about_and_says_what_it_was_called() {
    let (sender, receiver) = unbounded_channel::<ByteStream>();
    let server = echoes()
        .on_accept(|incoming| incoming.peer().to_string() == "vm 7")
        .accept_from(Named(receiver), ListenOptions::new())
        .start()
        .await
        .unwrap();
    for (name, is_let_in) in [("vm 8", false), ("vm 7", true)] {
        let (near, far) = duplex(64 << 10);
        sender.send(ByteStream::new(far, name)).unwrap();
        let call = connected_by(Once::new(near)).unary(Echo::default());
        assert_eq!(call.timeout(BOUND).await.is_ok(), is_let_in, "{name}");
    }
    drop(server);
}
