//! How calls and servers end: deadlines, cancellation, lost connections,
//! shutdown, and what a reader that does not read costs.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::addresses::nobody;
use crate::support::{Echo, EchoServicer, EchoStub, service};
use grpc_runtime::{
    Channel, ChannelCredentials, Code, Context, Http2Options, Receiver, Sender, Server, Status,
};
use std::future::IntoFuture;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);

/// Tells when it is dropped: when its handler's future is.
struct Guard(UnboundedSender<&'static str>);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

/// A servicer that never ends anything by itself and reports what happens.
struct Stuck {
    events: UnboundedSender<&'static str>,
    sent: Arc<AtomicUsize>,
}

impl Stuck {
    fn new() -> (Self, UnboundedReceiver<&'static str>, Arc<AtomicUsize>) {
        let (events, receiver) = unbounded_channel();
        let sent = Arc::new(AtomicUsize::new(0));
        (
            Self {
                events,
                sent: Arc::clone(&sent),
            },
            receiver,
            sent,
        )
    }

    fn enter(&self) -> Guard {
        let _ = self.events.send("entered");
        Guard(self.events.clone())
    }
}

impl EchoServicer for Stuck {
    async fn unary(&self, request: Echo, context: &mut Context) -> Result<Echo, Status> {
        let _guard = self.enter();
        if request.text.starts_with("spawn") {
            let (cancelled, events) = (context.cancelled(), self.events.clone());
            tokio::spawn(async move {
                let event = if cancelled.await {
                    "cancelled"
                } else {
                    "answered"
                };
                let _ = events.send(event);
            });
        }
        if request.text == "spawn and answer" {
            return Ok(request);
        }
        if request.text == "remaining" {
            let remaining = context.time_remaining().unwrap_or_default();
            return Ok(Echo::number(i64::try_from(remaining.as_millis()).unwrap()));
        }
        pending().await
    }

    async fn expand(
        &self,
        _request: Echo,
        replies: &mut Sender<Echo>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        let _guard = self.enter();
        loop {
            replies.send(Echo::data(64 << 10)).await?;
            self.sent.fetch_add(64 << 10, Ordering::Relaxed);
        }
    }

    async fn collect(
        &self,
        _requests: &mut Receiver<Echo>,
        _context: &mut Context,
    ) -> Result<Echo, Status> {
        let _guard = self.enter();
        pending().await
    }

    async fn chat(
        &self,
        requests: &mut Receiver<Echo>,
        replies: &mut Sender<Echo>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        let _guard = self.enter();
        loop {
            match requests.next().await {
                Ok(Some(request)) => replies.send(request).await?,
                Ok(None) => {
                    let _ = self.events.send("end");
                    return Ok(());
                }
                Err(status) => {
                    let _ = self.events.send("error");
                    return Err(status);
                }
            }
        }
    }
}

fn in_process() -> (EchoStub, UnboundedReceiver<&'static str>, Arc<AtomicUsize>) {
    let (stuck, events, sent) = Stuck::new();
    let channel = Channel::in_process(Server::builder().add_service(service(stuck))).unwrap();
    (EchoStub(channel), events, sent)
}

async fn expect(events: &mut UnboundedReceiver<&'static str>, event: &str) {
    let got = timeout(BOUND, events.recv())
        .await
        .unwrap_or_else(|_| panic!("no '{event}'"));
    assert_eq!(got, Some(event));
}

#[tokio::test]
async fn a_deadline_ends_the_call_on_both_sides() {
    let (stub, mut events, _) = in_process();
    let call = stub
        .unary(Echo::default())
        .timeout(Duration::from_millis(500));
    let status = timeout(BOUND, call.into_future())
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    expect(&mut events, "entered").await;
    expect(&mut events, "dropped").await;
}

#[tokio::test]
async fn a_deadline_ends_streams_that_are_under_way() {
    let (stub, mut events, _) = in_process();
    let (mut requests, mut replies) = stub.chat().timeout(Duration::from_secs(1)).start();
    requests.send(Echo::number(1)).await.unwrap();
    assert_eq!(replies.next().await.unwrap().unwrap().number, 1);
    let status = timeout(BOUND, replies.next()).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(
        requests.send(Echo::number(2)).await.unwrap_err().code(),
        Code::DeadlineExceeded
    );
    expect(&mut events, "entered").await;
    expect(&mut events, "dropped").await;
}

#[tokio::test]
async fn the_handler_sees_what_remains_of_the_deadline() {
    let (stub, ..) = in_process();
    let call = stub
        .unary(Echo::text("remaining"))
        .timeout(Duration::from_secs(100));
    let remaining = call.await.unwrap().number;
    assert!((80_000..=100_001).contains(&remaining), "{remaining}");
    assert_eq!(stub.unary(Echo::text("remaining")).await.unwrap().number, 0);
}

#[tokio::test]
async fn a_channels_default_timeout_is_for_calls_that_say_nothing() {
    let (stuck, _events, _) = Stuck::new();
    let server = Server::builder().add_service(service(stuck));
    let server = server.listen("127.0.0.1:0").start().await.unwrap();
    let channel = |timeout| {
        let builder = Channel::builder(&server.addresses()[0]).unwrap();
        let builder = builder.default_timeout(timeout);
        EchoStub(builder.build(ChannelCredentials::insecure()).unwrap())
    };
    let long = channel(Duration::from_secs(100));
    let remaining = || long.unary(Echo::text("remaining"));
    let number = remaining().await.unwrap().number;
    assert!((80_000..=100_001).contains(&number), "{number}");
    // One of its own counts, shorter, longer or endless.
    for (own, expected) in [(50, 30_000..=50_001), (200, 180_000..=200_001)] {
        let call = remaining().timeout(Duration::from_secs(own));
        let number = call.await.unwrap().number;
        assert!(expected.contains(&number), "{number}");
    }
    assert_eq!(remaining().timeout(Duration::MAX).await.unwrap().number, 0);

    let short = channel(Duration::from_millis(50));
    let call = timeout(BOUND, short.unary(Echo::default()).into_future());
    let status = call.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
}

#[tokio::test]
async fn a_task_of_the_handler_hears_how_the_call_ended() {
    let (stub, mut events, _) = in_process();
    stub.unary(Echo::text("spawn and answer")).await.unwrap();
    expect(&mut events, "entered").await;
    expect(&mut events, "dropped").await;
    expect(&mut events, "answered").await;

    let call = tokio::spawn(stub.unary(Echo::text("spawn")).into_future());
    expect(&mut events, "entered").await;
    call.abort();
    expect(&mut events, "dropped").await;
    expect(&mut events, "cancelled").await;
}

/// Asks another server on behalf of its caller.
struct Between(EchoStub);

impl EchoServicer for Between {
    async fn unary(&self, request: Echo, context: &mut Context) -> Result<Echo, Status> {
        let call = self.0.unary(Echo::text("remaining")).inherit(context);
        match request.text.as_str() {
            "less" => call.timeout(Duration::from_secs(50)).await,
            "more" => call.timeout(Duration::from_secs(5_000)).await,
            _ => call.await,
        }
    }
}

#[tokio::test]
async fn a_call_for_another_call_inherits_what_remains_of_its_time() {
    let (behind, ..) = in_process();
    let between = Server::builder().add_service(service(Between(behind)));
    let stub = EchoStub(Channel::in_process(between).unwrap());
    for (text, milliseconds) in [
        ("", 80_000..=100_000),
        ("more", 80_000..=100_000),
        ("less", 30_000..=50_000),
    ] {
        let call = stub
            .unary(Echo::text(text))
            .timeout(Duration::from_secs(100));
        let remaining = call.await.unwrap().number;
        assert!(milliseconds.contains(&remaining), "{text}: {remaining}");
    }
    // Without a deadline there is nothing to inherit.
    assert_eq!(stub.unary(Echo::text("")).await.unwrap().number, 0);
}

#[tokio::test]
async fn a_call_dropped_is_a_call_cancelled() {
    let (stub, mut events, _) = in_process();
    let call = tokio::spawn(stub.unary(Echo::default()).into_future());
    expect(&mut events, "entered").await;
    call.abort();
    expect(&mut events, "dropped").await;

    let replies = stub.expand(Echo::default()).start();
    expect(&mut events, "entered").await;
    drop(replies);
    expect(&mut events, "dropped").await;
}

#[tokio::test]
async fn a_broken_off_sender_is_never_a_clean_end() {
    let (stub, mut events, _) = in_process();
    let (mut requests, mut replies) = stub.chat().start();
    requests.send(Echo::number(1)).await.unwrap();
    assert!(replies.next().await.unwrap().is_some());
    expect(&mut events, "entered").await;
    drop(requests);
    let status = timeout(BOUND, replies.next()).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Cancelled);
    // The handler's future is dropped; it never sees an end of the stream.
    expect(&mut events, "dropped").await;
}

#[tokio::test]
async fn cancelling_by_handle_ends_both_halves() {
    let (stub, mut events, _) = in_process();
    let (mut requests, mut replies) = stub.chat().start();
    requests.send(Echo::number(1)).await.unwrap();
    assert!(replies.next().await.unwrap().is_some());
    expect(&mut events, "entered").await;
    replies.cancel();
    assert_eq!(replies.next().await.unwrap_err().code(), Code::Cancelled);
    assert_eq!(
        requests.send(Echo::default()).await.unwrap_err().code(),
        Code::Cancelled
    );
    expect(&mut events, "dropped").await;
}

#[tokio::test]
async fn cancelling_a_client_stream_is_its_answer() {
    let (stub, mut events, _) = in_process();
    let mut call = stub.collect().start();
    call.send(Echo::number(1)).await.unwrap();
    expect(&mut events, "entered").await;
    call.cancel();
    let sent = call.send(Echo::number(2)).await;
    assert_eq!(sent.unwrap_err().code(), Code::Cancelled);
    let answer = timeout(BOUND, call.finish()).await.unwrap();
    assert_eq!(answer.unwrap_err().code(), Code::Cancelled);
    expect(&mut events, "dropped").await;
}

#[tokio::test]
async fn a_reader_that_does_not_read_stops_the_handler() {
    let (stub, mut events, sent) = in_process();
    let mut replies = stub.expand(Echo::default()).start();
    assert!(replies.next().await.unwrap().is_some());
    expect(&mut events, "entered").await;
    // The handler comes to rest at the windows: what it has sent no longer grows.
    let mut before = usize::MAX;
    timeout(BOUND, async {
        while sent.load(Ordering::Relaxed) != before {
            before = sent.load(Ordering::Relaxed);
            for _ in 0..200 {
                tokio::task::yield_now().await;
            }
        }
    })
    .await
    .unwrap();
    assert!(
        before <= 4 << 20,
        "{before} bytes went out to a reader that reads nothing"
    );
    // And it goes on as soon as somebody reads.
    for _ in 0..100 {
        assert!(
            timeout(BOUND, replies.next())
                .await
                .unwrap()
                .unwrap()
                .is_some()
        );
    }
}

#[tokio::test]
async fn a_handler_that_does_not_read_stops_the_sender() {
    let (stub, mut events, _) = in_process();
    let mut call = stub.collect().start();
    let mut sent = 0;
    // A sender that waits is what the test is for: the bound only has to be
    // longer than the work.
    while timeout(Duration::from_millis(500), call.send(Echo::data(64 << 10)))
        .await
        .is_ok()
    {
        sent += 64 << 10;
        assert!(
            sent <= 4 << 20,
            "{sent} bytes were taken for a handler that reads nothing"
        );
    }
    expect(&mut events, "entered").await;
    drop(call);
    expect(&mut events, "dropped").await;
}

#[tokio::test]
async fn an_unreachable_server_is_unavailable_and_says_why() {
    let address = nobody();
    let stub = EchoStub(Channel::insecure(address).unwrap());
    let status = timeout(BOUND, stub.unary(Echo::default()).into_future())
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains(address), "{status}");
    assert!(status.message().contains("refused"), "{status}");
    assert!(std::error::Error::source(&status).is_some());
    // During the backoff calls fail at once; one that waits has its deadline.
    let call = stub
        .unary(Echo::default())
        .wait_for_ready()
        .timeout(Duration::from_millis(100));
    assert_eq!(call.await.unwrap_err().code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_call_that_waits_for_ready_gets_through_when_the_server_comes() {
    // Bound, so that nobody else gets it, and not listening yet.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let stub = EchoStub(Channel::insecure(address.to_string()).unwrap());
    assert_eq!(
        stub.unary(Echo::default()).await.unwrap_err().code(),
        Code::Unavailable
    );
    let waiting = tokio::spawn(
        stub.unary(Echo::text("remaining"))
            .wait_for_ready()
            .timeout(BOUND)
            .into_future(),
    );
    let (stuck, ..) = Stuck::new();
    let listener = socket.listen(16).unwrap().into_std().unwrap();
    let _server = Server::builder()
        .add_service(service(stuck))
        .listen_on(listener, grpc_runtime::ServerCredentials::insecure())
        .start()
        .await
        .unwrap();
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_server_that_goes_fails_its_calls_and_the_channel_finds_the_next() {
    let (stuck, mut events, _) = Stuck::new();
    let server = Server::builder()
        .add_service(service(stuck))
        .listen("127.0.0.1:0")
        .start()
        .await
        .unwrap();
    let address = server.addresses()[0].clone();
    let stub = EchoStub(Channel::insecure(&address).unwrap());
    let call = tokio::spawn(stub.unary(Echo::default()).into_future());
    expect(&mut events, "entered").await;
    drop(server);
    let status = timeout(BOUND, call).await.unwrap().unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    expect(&mut events, "dropped").await;

    let (stuck, ..) = Stuck::new();
    let _server = Server::builder()
        .add_service(service(stuck))
        .listen(&address)
        .start()
        .await
        .unwrap();
    let call = stub
        .unary(Echo::text("remaining"))
        .wait_for_ready()
        .timeout(BOUND);
    call.await.unwrap();
}

#[tokio::test]
async fn shutdown_waits_for_calls_within_the_grace_and_cuts_the_rest() {
    let (stuck, mut events, _) = Stuck::new();
    let server = Server::builder()
        .add_service(service(stuck))
        .listen("127.0.0.1:0")
        .start()
        .await
        .unwrap();
    let stub = EchoStub(Channel::insecure(&server.addresses()[0]).unwrap());
    let (mut requests, mut replies) = stub.chat().start();
    requests.send(Echo::number(1)).await.unwrap();
    assert!(replies.next().await.unwrap().is_some());
    expect(&mut events, "entered").await;
    let stopping = tokio::spawn(server.shutdown(BOUND));
    // The call goes on while the server leaves, and its end lets the server go.
    for number in 0..10 {
        requests.send(Echo::number(number)).await.unwrap();
        assert_eq!(replies.next().await.unwrap().unwrap().number, number);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    requests.finish();
    assert_eq!(replies.next().await.unwrap(), None);
    let report = timeout(BOUND, stopping).await.unwrap().unwrap();
    assert_eq!((report.calls_cut, report.connections_cut), (0, 0));
}

#[tokio::test]
async fn shutdown_always_ends() {
    let (stuck, mut events, _) = Stuck::new();
    let server = Server::builder()
        .add_service(service(stuck))
        .listen("127.0.0.1:0")
        .start()
        .await
        .unwrap();
    let stub = EchoStub(Channel::insecure(&server.addresses()[0]).unwrap());
    let call = tokio::spawn(stub.unary(Echo::default()).into_future());
    expect(&mut events, "entered").await;
    let report = timeout(BOUND, server.shutdown(Duration::from_millis(50)))
        .await
        .unwrap();
    assert_eq!((report.calls_cut, report.connections_cut), (1, 1));
    let status = timeout(BOUND, call).await.unwrap().unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    expect(&mut events, "dropped").await;
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let mut options = Http2Options::default();
    options.handshake_timeout = Duration::from_secs(1);
    let limit = options.handshake_timeout;
    let began = std::time::Instant::now();
    let server = Server::builder()
        .listen("127.0.0.1:0")
        .http2(options)
        .start()
        .await
        .unwrap();
    let mut stream = tokio::net::TcpStream::connect(&server.addresses()[0])
        .await
        .unwrap();
    let mut bytes = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut bytes);
    timeout(BOUND, read).await.unwrap().unwrap();
    assert!(began.elapsed() >= limit, "it had no time");
    // SETTINGS, and the GOAWAY that says why.
    assert_eq!(bytes.get(3), Some(&4), "{bytes:?}");
}

#[test]
fn a_channel_outlives_the_runtime_of_its_first_call() {
    let (stuck, ..) = Stuck::new();
    let channel = Channel::in_process(Server::builder().add_service(service(stuck))).unwrap();
    let stub = EchoStub(channel);
    for _ in 0..3 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime
            .block_on(async { stub.unary(Echo::text("remaining")).await })
            .unwrap();
    }
}

#[test]
fn calls_end_when_their_runtime_does() {
    let (stuck, ..) = Stuck::new();
    let channel = Channel::in_process(Server::builder().add_service(service(stuck))).unwrap();
    let stub = EchoStub(channel);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut replies = runtime.block_on(async { stub.chat().start() });
    drop(runtime);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let status = runtime.block_on(timeout_next(&mut replies.1));
    assert_eq!(status.unwrap_err().code(), Code::Unavailable);
}

async fn timeout_next(replies: &mut Receiver<Echo>) -> Result<Option<Echo>, Status> {
    timeout(BOUND, replies.next()).await.unwrap()
}

#[tokio::test]
async fn two_services_of_one_name_and_bad_addresses_are_errors() {
    let twice = || {
        Server::builder()
            .add_service(service(Stuck::new().0))
            .add_service(service(Stuck::new().0))
    };
    assert!(twice().listen("127.0.0.1:0").start().await.is_err());
    assert!(Channel::in_process(twice()).is_err());
    for address in ["localhost", "localhost:x", "unix:", ":80", "::1:80"] {
        let error = Server::builder().listen(address).start().await.unwrap_err();
        assert!(error.to_string().contains(address), "{error}");
    }
    let error = Server::builder().start().await.unwrap_err();
    assert!(
        error.to_string().contains("ServerBuilder::listen"),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_has_several_listeners() {
    let server = Server::builder()
        .add_service(service(Stuck::new().0))
        .listen("127.0.0.1:0")
        .listen("localhost:0")
        .start()
        .await
        .unwrap();
    assert_eq!(server.addresses().len(), 2);
    for address in server.addresses() {
        let stub = EchoStub(Channel::insecure(address).unwrap());
        stub.unary(Echo::text("remaining")).await.unwrap();
    }
}
