//! Byte streams of the user's own on both sides, and connectors that do not make any.

use std::error::Error;
use std::future::{IntoFuture, pending};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use crate::calls::{Echoes, all_kinds};
use crate::support::{Echo, EchoServicer, EchoStub, service};
use grpc_runtime::{
    Address, ByteStream, Channel, ChannelCredentials, Code, Connector, Context, PeerAddress, Phase,
    Receiver, Sender, Server, ServerCredentials, Status,
};
use tokio::io::{AsyncRead, AsyncWrite, BufStream, DuplexStream, ReadBuf, duplex};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);

pub(crate) const TARGET: &str = "passthrough:///the-other-end";

/// Makes a byte stream of one end of a pipe.
pub(crate) type Wrap = fn(DuplexStream) -> ByteStream;

pub(crate) fn plain(pipe: DuplexStream) -> ByteStream {
    ByteStream::new(pipe, "a pipe")
}

/// Holds back all that it is given until it is flushed: more than the tests write at once.
pub(crate) fn held_back(pipe: DuplexStream) -> ByteStream {
    ByteStream::new(BufStream::with_capacity(1 << 10, 4 << 20, pipe), "a pipe")
}

/// Makes pipes to a server, both of whose ends are the user's own streams.
pub(crate) struct Pipes {
    pub(crate) server: Arc<Server>,
    pub(crate) credentials: ServerCredentials,
    pub(crate) wrap: Wrap,
}

impl Connector for Pipes {
    async fn connect(&self, _address: &Address) -> io::Result<ByteStream> {
        let (near, far) = duplex(4_000);
        let credentials = self.credentials.clone();
        self.server.serve_stream_with((self.wrap)(far), credentials);
        Ok((self.wrap)(near))
    }
}

async fn over<S: EchoServicer>(wrap: Wrap, servicer: S) -> EchoStub {
    let server = Server::builder().add_service(service(servicer));
    let pipes = Pipes {
        server: Arc::new(server.listen_nowhere().start().await.unwrap()),
        credentials: ServerCredentials::insecure(),
        wrap,
    };
    connected_by(pipes)
}

pub(crate) fn connected_by(connector: impl Connector) -> EchoStub {
    let channel = Channel::builder(TARGET).unwrap().connector(connector);
    EchoStub(channel.build(ChannelCredentials::insecure()).unwrap())
}

/// Says who calls, then waits for ever, and tells what becomes of it.
struct Waits(UnboundedSender<String>);

struct Tells(UnboundedSender<String>);

impl Drop for Tells {
    fn drop(&mut self) {
        let _ = self.0.send("dropped".to_owned());
    }
}

impl EchoServicer for Waits {
    async fn unary(&self, _request: Echo, context: &mut Context) -> Result<Echo, Status> {
        let _tells = Tells(self.0.clone());
        let _ = self.0.send(format!("{:?}", context.peer()));
        pending().await
    }

    async fn chat(
        &self,
        requests: &mut Receiver<Echo>,
        replies: &mut Sender<Echo>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        let _tells = Tells(self.0.clone());
        while let Some(request) = requests.next().await? {
            replies.send(request).await?;
        }
        Ok(())
    }
}

async fn next(events: &mut UnboundedReceiver<String>) -> String {
    timeout(BOUND, events.recv()).await.unwrap().unwrap()
}

async fn ends_as_it_should(wrap: Wrap) {
    let (sender, mut events) = unbounded_channel();
    let stub = over(wrap, Waits(sender)).await;

    let late = stub.unary(Echo::default()).timeout(Duration::from_secs(1));
    let status = timeout(BOUND, late.into_future()).await.unwrap();
    assert_eq!(status.unwrap_err().code(), Code::DeadlineExceeded);
    let peer = PeerAddress::Other("a pipe".into());
    assert_eq!(next(&mut events).await, format!("{peer:?}"));
    assert_eq!(next(&mut events).await, "dropped");

    let dropped = tokio::spawn(stub.unary(Echo::default()).into_future());
    assert_eq!(next(&mut events).await, format!("{peer:?}"));
    dropped.abort();
    assert_eq!(next(&mut events).await, "dropped");

    let (mut requests, mut replies) = stub.chat().start();
    requests.send(Echo::number(1)).await.unwrap();
    let reply = timeout(BOUND, replies.next()).await.unwrap().unwrap();
    assert_eq!(reply.unwrap().number, 1);
    replies.cancel();
    assert_eq!(replies.next().await.unwrap_err().code(), Code::Cancelled);
    assert_eq!(next(&mut events).await, "dropped");
}

#[tokio::test]
async fn all_kinds_over_a_pipe() {
    all_kinds(&over(plain, Echoes).await).await;
}

#[tokio::test]
async fn all_kinds_over_streams_that_hold_back_until_they_are_flushed() {
    let stub = over(held_back, Echoes).await;
    timeout(BOUND, all_kinds(&stub)).await.unwrap();
}

#[tokio::test]
async fn deadlines_and_cancellation_over_a_pipe() {
    ends_as_it_should(plain).await;
}

#[tokio::test]
async fn deadlines_and_cancellation_over_streams_that_hold_back() {
    ends_as_it_should(held_back).await;
}

/// Counts flushes, and takes 1,000 bytes in each write.
struct Counts {
    pipe: DuplexStream,
    flushes: Arc<AtomicUsize>,
}

impl AsyncRead for Counts {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counts {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let buf = &buf[..buf.len().min(1_000)];
        Pin::new(&mut self.pipe).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        self.flushes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

/// Makes one stream, which it was given; then it has no more.
pub(crate) struct Once(std::sync::Mutex<Option<ByteStream>>);

impl Once {
    pub(crate) fn new(stream: impl Into<ByteStream>) -> Self {
        Self(std::sync::Mutex::new(Some(stream.into())))
    }
}

impl Connector for Once {
    async fn connect(&self, _address: &Address) -> io::Result<ByteStream> {
        let stream = self.0.lock().unwrap().take();
        stream.ok_or_else(|| io::Error::other("there was one stream"))
    }
}

#[tokio::test]
async fn a_stream_is_flushed_once_for_all_that_there_is_to_write() {
    let server = Server::builder().add_service(service(Echoes));
    let server = server.listen_nowhere().start().await.unwrap();
    let (near, far) = duplex(4 << 20);
    server.serve_stream(plain(far));
    let flushes = Arc::new(AtomicUsize::new(0));
    let counts = Counts {
        pipe: near,
        flushes: Arc::clone(&flushes),
    };
    let stub = connected_by(Once::new(ByteStream::new(counts, "a pipe")));
    stub.unary(Echo::text("hi")).await.unwrap();
    let before = flushes.load(Ordering::Relaxed);
    // Within the windows, so that nothing waits for the other end.
    let reply = stub.unary(Echo::data(48 << 10)).await.unwrap();
    assert_eq!(reply.data.len(), 48 << 10);
    let flushed = flushes.load(Ordering::Relaxed) - before;
    // The request, and what is given back of windows: it took fifty writes.
    assert!((1..=4).contains(&flushed), "{flushed}");
}

/// Its stream panics once the first call is over.
struct Breaks(DuplexStream, Arc<AtomicUsize>);

impl AsyncRead for Breaks {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Breaks {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let breaks = self.1.load(Ordering::Relaxed) == 1;
        assert!(!breaks, "this panic is part of a test");
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

struct MakesBreaks(Arc<Server>, Arc<AtomicUsize>);

impl Connector for MakesBreaks {
    async fn connect(&self, _address: &Address) -> io::Result<ByteStream> {
        let (near, far) = duplex(4_000);
        self.0.serve_stream(plain(far));
        Ok(ByteStream::new(Breaks(near, Arc::clone(&self.1)), "breaks"))
    }
}

#[tokio::test]
async fn a_stream_that_panics_fails_its_calls_and_the_channel_connects_anew() {
    let server = Server::builder().add_service(service(Echoes));
    let server = Arc::new(server.listen_nowhere().start().await.unwrap());
    let breaks = Arc::new(AtomicUsize::new(0));
    let stub = connected_by(MakesBreaks(server, Arc::clone(&breaks)));
    stub.unary(Echo::text("hi")).await.unwrap();
    breaks.store(1, Ordering::Relaxed);
    let call = stub.unary(Echo::text("hi")).into_future();
    let status = timeout(BOUND, call).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    let text = "the byte stream panicked";
    assert!(status.message().contains(text), "{status}");
    breaks.store(2, Ordering::Relaxed);
    let call = stub.unary(Echo::text("hi")).wait_for_ready().into_future();
    assert_eq!(timeout(BOUND, call).await.unwrap().unwrap().text, "hi");
}

// --- connectors that make none ---------------------------------------------------------

/// Fails as its number says, and is as good as any other from then on.
enum Fails {
    Refuses,
    Hangs,
    /// Before there is a future.
    PanicsAtOnce,
    PanicsLater,
}

struct First {
    fails: Fails,
    asked: AtomicUsize,
    then: Pipes,
}

impl Connector for First {
    // No `async fn`: it panics before there is a future.
    fn connect(&self, address: &Address) -> impl Future<Output = io::Result<ByteStream>> + Send {
        assert_eq!(address, &Address::Other("the-other-end".into()));
        let is_first = self.asked.fetch_add(1, Ordering::Relaxed) == 0;
        let at_once = is_first && matches!(self.fails, Fails::PanicsAtOnce);
        assert!(!at_once, "this panic is part of a test");
        async move {
            if !is_first {
                return self.then.connect(address).await;
            }
            tokio::task::yield_now().await;
            match self.fails {
                Fails::Refuses => Err(io::Error::new(io::ErrorKind::NotFound, Nothing)),
                Fails::Hangs => pending().await,
                _ => panic!("this panic is part of a test"),
            }
        }
    }
}

#[derive(Debug)]
struct Nothing;

impl std::fmt::Display for Nothing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("nothing is there")
    }
}

impl Error for Nothing {}

/// The status of a channel's first call; the next one gets through.
async fn first_failure(fails: Fails) -> Status {
    let server = Server::builder().add_service(service(Echoes));
    let first = First {
        fails,
        asked: AtomicUsize::new(0),
        then: Pipes {
            server: Arc::new(server.listen_nowhere().start().await.unwrap()),
            credentials: ServerCredentials::insecure(),
            wrap: plain,
        },
    };
    let channel = Channel::builder(TARGET).unwrap().connector(first);
    let channel = channel.connect_timeout(Duration::from_millis(100));
    let stub = EchoStub(channel.build(ChannelCredentials::insecure()).unwrap());
    let call = stub.unary(Echo::text("hi")).into_future();
    let status = timeout(BOUND, call).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert_eq!(status.phase(), Some(Phase::Connect));
    let again = stub.unary(Echo::text("hi")).wait_for_ready().into_future();
    assert_eq!(timeout(BOUND, again).await.unwrap().unwrap().text, "hi");
    status
}

#[tokio::test]
async fn a_connectors_error_is_the_calls_with_its_address_and_its_source() {
    let status = first_failure(Fails::Refuses).await;
    assert_eq!(
        status.message(),
        "connect to the-other-end: nothing is there"
    );
    let source = status
        .source()
        .unwrap()
        .downcast_ref::<io::Error>()
        .unwrap();
    assert_eq!(source.kind(), io::ErrorKind::NotFound);
    assert!(source.get_ref().unwrap().is::<Nothing>());
}

#[tokio::test]
async fn a_connector_that_hangs_has_the_connect_timeout() {
    let status = first_failure(Fails::Hangs).await;
    assert_eq!(
        status.message(),
        "connect to the-other-end: no answer within 100ms"
    );
}

#[tokio::test]
async fn a_connector_that_panics_fails_the_attempt_alone() {
    for fails in [Fails::PanicsAtOnce, Fails::PanicsLater] {
        let status = first_failure(fails).await;
        assert_eq!(
            status.message(),
            "connect to the-other-end: the connector panicked"
        );
    }
}

#[tokio::test]
async fn what_nobody_connects_to_is_told() {
    let stub = EchoStub(Channel::insecure(TARGET).unwrap());
    let status = stub.unary(Echo::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    let text = "connect to the-other-end: only a connector";
    assert!(status.message().starts_with(text), "{status}");
}
