//! The workloads of `tests/instructions`, which counts the instructions of whole calls: a
//! server and a client, each with a scripted peer, and both in one process. Each workload
//! is an ordinary test that runs once; the script runs it many times under valgrind.

use std::future::{Future, IntoFuture, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll, Waker};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::runtime::{Builder, Runtime};

use crate::call::request_head::RequestTemplate;
use crate::call::response_head::{self, Coding};
use crate::channel::{Channel, ChannelBuilder, Connects};
use crate::framing::Compression;
use crate::metadata::Metadata;
use crate::method::{Method, Shape};
use crate::server::{Context, Peer, Server, ServerBuilder, Service, serve_connection};
use crate::stub::{BidiStreamingCall, ServerStreamingCall, UnaryCall};
use crate::transport::PeerAddress;
use crate::transport::driver::Closed;
use crate::transport::http2::connection::{Connection, Role};
use crate::transport::http2::event::{Event, StreamId};
use crate::transport::http2::fields::Fields;
use crate::transport::http2::instructions_tests::rounds;
use crate::transport::http2::options::Http2Options;
use crate::transport::io::Io;
use crate::{
    Address, ByteStream, ChannelCredentials, Code, Connector, MethodConfig, Observer, Receiver,
    RetryPolicy, RetryThrottling, RoundRobin, Sender, ServiceConfig, Status, clock, framing,
};

#[derive(Clone, PartialEq, prost::Message)]
struct Hello {
    #[prost(string, tag = "1")]
    text: String,
    #[prost(bytes = "vec", tag = "2")]
    data: Vec<u8>,
    #[prost(uint64, tag = "3")]
    number: u64,
}

fn hello() -> Hello {
    Hello {
        text: "Hello, World!".to_owned(),
        ..Hello::default()
    }
}

const UNARY: Method = Method::new("/helloworld.Greeter/SayHello", Shape::UNARY);
const REPLIES: Method = Method::new("/helloworld.Greeter/Replies", Shape::SERVER_STREAMING);
const CHAT: Method = Method::new("/helloworld.Greeter/Chat", Shape::BIDI_STREAMING);

/// Calls that arrive together in the batched workloads.
const BATCH: usize = 10;
const MEBIBYTE: usize = 1 << 20;

/// Echoes in all shapes.
struct Greeter;

impl Greeter {
    #[expect(clippy::unused_async, reason = "as servicers write it")]
    async fn say_hello(&self, request: Hello, _context: &mut Context) -> Result<Hello, Status> {
        Ok(request)
    }

    async fn replies(
        &self,
        request: Hello,
        replies: &mut Sender<Hello>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        for _ in 0..request.number {
            replies.send(hello()).await?;
        }
        Ok(())
    }

    async fn chat(
        &self,
        requests: &mut Receiver<Hello>,
        replies: &mut Sender<Hello>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        while let Ok(Some(request)) = requests.next().await {
            replies.send(request).await?;
        }
        Ok(())
    }
}

/// Serves it as generated code does.
fn server() -> ServerBuilder {
    let service = Service::builder("helloworld.Greeter", Arc::new(Greeter))
        .unary(UNARY, Greeter::say_hello)
        .server_streaming(REPLIES, Greeter::replies)
        .bidi_streaming(CHAT, Greeter::chat)
        .build();
    Server::builder().add_service(service)
}

/// With paused time, so that no timer fires because valgrind is slow.
fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

// --- a scripted peer -----------------------------------------------------------

/// A real connection of the other role, which plays the first calls of a connection. What
/// it wrote for the last of them is what it would write for any later one, except for the
/// stream's number.
struct Actor {
    connection: Connection,
    inbox: BytesMut,
}

/// The first call has literals; the second may still correct a guess.
const PLAYED: usize = 3;

impl Actor {
    fn new(role: Role) -> Self {
        Self {
            connection: Connection::new(role, Http2Options::default(), clock::now()),
            inbox: BytesMut::new(),
        }
    }

    /// What it has to write.
    fn output(&mut self) -> Vec<u8> {
        self.connection.pump();
        let mut slices = [std::io::IoSlice::new(&[]); 16];
        let count = self.connection.output().slices(&mut slices);
        let bytes: Vec<u8> = slices[..count]
            .iter()
            .flat_map(|slice| slice.to_vec())
            .collect();
        self.connection.written(bytes.len());
        bytes
    }

    fn receive(&mut self, bytes: &[u8]) -> Vec<Event> {
        self.inbox.extend_from_slice(bytes);
        while self
            .connection
            .receive(&mut self.inbox, clock::now())
            .unwrap()
        {}
        std::iter::from_fn(|| self.connection.next_event()).collect()
    }

    fn request(&mut self) -> Vec<u8> {
        let mut head = Fields::default();
        let template =
            RequestTemplate::new("http", "localhost:50051", "", "grpc-rust-runtime/0.1.0");
        let (plain, metadata) = (Compression::Identity, Metadata::default());
        template.write(UNARY.path(), None, plain, &metadata, &mut head);
        let stream = self
            .connection
            .open(&head, std::time::Instant::now())
            .unwrap();
        self.connection.send_data(stream, message(), true);
        self.output()
    }

    fn respond(&mut self, stream: StreamId) -> Vec<u8> {
        let (mut head, mut trailers) = (Fields::default(), Fields::default());
        response_head::write_head(&mut head, Coding::default(), &Metadata::default());
        response_head::write_trailers(&mut trailers, &Ok(()), &Metadata::default());
        self.connection.send_head(stream, &head);
        self.connection.send_data(stream, message(), false);
        self.connection.send_trailers(stream, &trailers);
        self.output()
    }
}

fn message() -> Bytes {
    let mut message = BytesMut::new();
    framing::encode_message(&hello(), usize::MAX, &mut message).unwrap();
    message.freeze()
}

/// Writes the number of a stream into every frame of `frames`.
fn renumber(frames: &mut [u8], stream: u32) {
    let mut rest = frames;
    while let [_, l1, l2, _, _, id @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*l1, *l2]));
        id[..4].copy_from_slice(&stream.to_be_bytes());
        rest = &mut id[4 + length..];
    }
}

/// `BATCH` times the frames of a call.
struct Script {
    frames: Vec<u8>,
    call: usize,
    next: StreamId,
}

impl Script {
    fn new(call: &[u8], calls: usize) -> Self {
        Self {
            frames: call.repeat(calls),
            call: call.len(),
            next: 2 * PLAYED as u32 + 1,
        }
    }

    fn next(&mut self) -> &[u8] {
        for call in self.frames.chunks_mut(self.call) {
            renumber(call, self.next);
            self.next += 2;
        }
        &self.frames
    }
}

// --- a server before a scripted client -------------------------------------------

struct Served {
    connection: Pin<Box<dyn Future<Output = Closed>>>,
    far: DuplexStream,
    answer: Vec<u8>,
}

impl Served {
    fn new(server: ServerBuilder) -> Self {
        let (shared, options) = server.into_shared().unwrap();
        let (near, far) = tokio::io::duplex(64 << 10);
        let (io, peer) = (Io::Memory(near), Peer::at(PeerAddress::InProcess));
        let connection = serve_connection(io, peer, shared, options, clock::now());
        Self {
            connection: Box::pin(connection),
            far,
            answer: vec![0; 16 << 10],
        }
    }

    /// One turn of the server; returns the number of bytes answered.
    fn exchange(&mut self, request: &[u8]) -> usize {
        let mut cx = TaskContext::from_waker(Waker::noop());
        let far = Pin::new(&mut self.far);
        assert!(matches!(
            far.poll_write(&mut cx, request),
            Poll::Ready(Ok(length)) if length == request.len()
        ));
        assert!(self.connection.as_mut().poll(&mut cx).is_pending());
        let mut answer = ReadBuf::new(&mut self.answer);
        let _ = Pin::new(&mut self.far).poll_read(&mut cx, &mut answer);
        answer.filled().len()
    }
}

fn serve(calls: usize, server: ServerBuilder) {
    let runtime = runtime();
    let _guard = runtime.enter();
    let (mut served, mut client) = (Served::new(server), Actor::new(Role::Client));
    let mut request = client.output();
    let mut last = 0;
    for _ in 0..PLAYED {
        let played = client.request();
        request.extend_from_slice(&played);
        last = played.len();
    }
    let call = request[request.len() - last..].to_vec();
    let length = served.exchange(&request);
    client.receive(&served.answer[..length]);
    assert_eq!(served.exchange(&client.output()), 0);

    let mut script = Script::new(&call, calls);
    let expected = served.exchange(script.next());
    assert!(expected > calls * message().len());
    for _ in 0..rounds().div_ceil(calls) {
        assert_eq!(served.exchange(script.next()), expected);
    }
}

#[test]
fn server_unary() {
    serve(1, server());
}

/// An observer of everything that does nothing.
struct Idle;

impl Observer for Idle {}

#[test]
fn server_unary_observed() {
    serve(1, server().observe(Idle));
}

/// One of ten calls that arrive together.
#[test]
fn server_unary_of_ten() {
    serve(BATCH, server());
}

// --- a client before a scripted server -------------------------------------------

/// Reads from the first server that has data; returns its index.
async fn read_from(fars: &mut [DuplexStream], buffer: &mut BytesMut) -> usize {
    buffer.clear();
    poll_fn(|cx| {
        for (place, far) in fars.iter_mut().enumerate() {
            let mut read = pin!(far.read_buf(buffer));
            if let Poll::Ready(read) = read.as_mut().poll(cx) {
                read.unwrap();
                return Poll::Ready(place);
            }
        }
        Poll::Pending
    })
    .await
}

/// Calls in turn, with one server behind each of `fars`.
async fn call(channel: Channel, mut fars: Vec<DuplexStream>, calls: usize) {
    let start = || UnaryCall::<Hello>::new(&channel, UNARY, &hello()).into_future();
    let mut servers: Vec<_> = fars.iter().map(|_| Actor::new(Role::Server)).collect();
    let mut buffer = BytesMut::with_capacity(4096);
    let (mut scripts, mut turns) = (vec![Vec::new(); fars.len()], Vec::new());
    // Turns are steady once all are connected.
    channel.connect().unwrap();
    for (far, server) in fars.iter_mut().zip(&mut servers) {
        far.read_buf(&mut buffer).await.unwrap();
        server.receive(&buffer);
        buffer.clear();
        far.write_all(&server.output()).await.unwrap();
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    for _ in 0..PLAYED * fars.len() {
        let reply = start();
        let ended = loop {
            let place = read_from(&mut fars, &mut buffer).await;
            let server = &mut servers[place];
            let events = server.receive(&buffer);
            let ended = events.iter().find_map(|event| match event {
                Event::Data {
                    stream,
                    end_stream: true,
                    ..
                } => Some(*stream),
                _ => None,
            });
            fars[place].write_all(&server.output()).await.unwrap();
            if let Some(stream) = ended {
                break (place, stream);
            }
        };
        let (place, stream) = ended;
        let script = servers[place].respond(stream);
        fars[place].write_all(&script).await.unwrap();
        scripts[place] = script;
        turns.push(place);
        assert_eq!(reply.await.unwrap(), hello());
    }
    // From here on one after the other, each in its turn.
    let turns = turns.split_off(turns.len() - fars.len());
    let mut scripts: Vec<_> = scripts.iter().map(|it| Script::new(it, calls)).collect();
    let (mut replies, length) = (Vec::with_capacity(calls), message().len());
    for round in 0..rounds().div_ceil(calls) {
        let place = turns[round % turns.len()];
        replies.extend((0..calls).map(|_| start()));
        buffer.clear();
        assert!(fars[place].read_buf(&mut buffer).await.unwrap() > calls * length);
        fars[place].write_all(scripts[place].next()).await.unwrap();
        for reply in replies.drain(..) {
            assert_eq!(reply.await.unwrap().text, "Hello, World!");
        }
    }
}

/// One connection, the default of channels, with what `configure` adds.
async fn call_by(calls: usize, configure: impl FnOnce(ChannelBuilder) -> ChannelBuilder) {
    let (near, far) = tokio::io::duplex(64 << 10);
    let near = Mutex::new(Some(Io::Memory(near)));
    let connect = move || near.lock().unwrap().take().unwrap();
    let connects = Connects::Function(Arc::new(connect));
    let builder = ChannelBuilder::over(connects, "localhost:50051");
    call(configure(builder).build_plain(), vec![far], calls).await;
}

async fn call_one(calls: usize) {
    call_by(calls, |builder| builder).await;
}

/// The streams left to connect with.
struct Streams(Mutex<Vec<DuplexStream>>);

impl Connector for Streams {
    async fn connect(&self, _address: &Address) -> std::io::Result<ByteStream> {
        Ok(self.0.lock().unwrap().pop().unwrap().into())
    }
}

#[test]
fn client_unary() {
    runtime().block_on(call_one(1));
}

/// An observer that is not interested in any call, such as spans without a subscriber.
struct Rests;

impl Observer for Rests {
    fn wants_calls(&self) -> bool {
        false
    }
}

#[test]
fn client_unary_unwanted() {
    runtime().block_on(call_by(1, |builder| builder.observe(Rests)));
}

#[test]
fn server_unary_unwanted() {
    serve(1, server().observe(Rests));
}

#[test]
fn client_unary_observed() {
    runtime().block_on(call_by(1, |builder| builder.observe(Idle)));
}

/// Spans with a subscriber that filters them out.
#[cfg(feature = "tracing")]
fn filtered(work: impl FnOnce(crate::Spans), level: tracing::level_filters::LevelFilter) {
    use tracing_subscriber::layer::SubscriberExt;

    let subscriber = tracing_subscriber::registry().with(level);
    tracing::subscriber::with_default(subscriber, || work(crate::Spans::new()));
}

#[cfg(feature = "tracing")]
#[test]
fn client_unary_spans_off() {
    let client = |spans| runtime().block_on(call_by(1, |builder| builder.observe(spans)));
    filtered(client, tracing::level_filters::LevelFilter::OFF);
}

#[cfg(feature = "tracing")]
#[test]
fn client_unary_spans_at_warn() {
    let client = |spans| runtime().block_on(call_by(1, |builder| builder.observe(spans)));
    filtered(client, tracing::level_filters::LevelFilter::WARN);
}

#[cfg(feature = "tracing")]
#[test]
fn server_unary_spans_off() {
    let server = |spans| serve(1, server().observe(spans));
    filtered(server, tracing::level_filters::LevelFilter::OFF);
}

#[cfg(feature = "tracing")]
#[test]
fn server_unary_spans_at_warn() {
    let server = |spans| serve(1, server().observe(spans));
    filtered(server, tracing::level_filters::LevelFilter::WARN);
}

/// One of ten calls that run together.
#[test]
fn client_unary_of_ten() {
    runtime().block_on(call_one(BATCH));
}

/// With a retry policy and throttling that no call needs.
#[test]
fn client_unary_retry() {
    let policy = RetryPolicy::new([Code::Unavailable]);
    let config = ServiceConfig::builder()
        .method(
            "helloworld.Greeter",
            "SayHello",
            MethodConfig::new().retry(policy),
        )
        .retry_throttling(RetryThrottling::new(10.0, 0.1))
        .build()
        .unwrap();
    runtime().block_on(call_by(1, |builder| builder.service_config(config)));
}

/// Three connections in turn.
#[test]
fn client_unary_round_robin() {
    runtime().block_on(async {
        let pairs = (0..3).map(|_| tokio::io::duplex(64 << 10));
        let (near, far): (Vec<_>, Vec<_>) = pairs.unzip();
        let channel = Channel::builder("ipv4:10.0.0.1:1,10.0.0.2:1,10.0.0.3:1").unwrap();
        let channel = channel
            .connector(Streams(Mutex::new(near)))
            .balance(RoundRobin::new())
            .build(ChannelCredentials::insecure())
            .unwrap();
        call(channel, far, 1).await;
    });
}

// --- both, in one process ---------------------------------------------------------

#[test]
fn pair_unary() {
    runtime().block_on(async {
        let channel = Channel::in_process(server()).unwrap();
        for _ in 0..=rounds() {
            let reply = UnaryCall::<Hello>::new(&channel, UNARY, &hello()).await;
            assert_eq!(reply.unwrap().text, "Hello, World!");
        }
    });
}

#[test]
fn pair_unary_mebibyte() {
    runtime().block_on(async {
        let channel = Channel::in_process(server()).unwrap();
        let request = Hello {
            data: vec![7; MEBIBYTE],
            ..Hello::default()
        };
        for _ in 0..=rounds() {
            let reply = UnaryCall::<Hello>::new(&channel, UNARY, &request).await;
            assert_eq!(reply.unwrap().data.len(), MEBIBYTE);
        }
    });
}

/// A message there and back, one at a time.
#[test]
fn pair_stream_echo() {
    runtime().block_on(async {
        let channel = Channel::in_process(server()).unwrap();
        let call = BidiStreamingCall::<Hello, Hello>::new(&channel, CHAT);
        let (mut requests, mut replies) = call.start();
        for _ in 0..=rounds() {
            requests.send(hello()).await.unwrap();
            let reply = replies.next().await.unwrap().unwrap();
            assert_eq!(reply.text, "Hello, World!");
        }
        requests.finish();
        assert_eq!(replies.next().await.unwrap(), None);
    });
}

/// One of many messages that a server sends as fast as the client reads them.
#[test]
fn pair_stream_flood() {
    runtime().block_on(async {
        let channel = Channel::in_process(server()).unwrap();
        let request = Hello {
            number: rounds() as u64,
            ..Hello::default()
        };
        let mut replies = ServerStreamingCall::<Hello>::new(&channel, REPLIES, &request).start();
        let mut received = 0;
        while let Some(reply) = replies.next().await.unwrap() {
            assert_eq!(reply.text, "Hello, World!");
            received += 1;
        }
        assert_eq!(received, rounds());
    });
}
