//! What a channel or a server was told is seen by who is at the other end: the
//! options that no other test has for its subject.

use std::future::IntoFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use grpc_runtime::{
    Channel, ChannelCredentials, Code, Context, Http2Options, Receiver, Sender, Server,
    ServerCredentials, Status,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::calls::Echoes;
use crate::support::{COLLECT, EXPAND, Echo, EchoServicer, EchoStub, service};

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const NO_SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

/// A frame's kind, flags and stream, and its payload.
type Frame = (u8, u8, u32, Vec<u8>);

async fn read_frame(socket: &mut TcpStream) -> std::io::Result<Frame> {
    let mut head = [0; 9];
    socket.read_exact(&mut head).await?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; length as usize];
    socket.read_exact(&mut payload).await?;
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    Ok((head[3], head[4], stream, payload))
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes.try_into().unwrap())
}

/// The settings by their numbers, and the credit of the connection.
async fn first_words(socket: &mut TcpStream) -> (Vec<(u8, u32)>, u32) {
    let (mut settings, mut credit) = (Vec::new(), None);
    while settings.is_empty() || credit.is_none() {
        match timeout(BOUND, read_frame(socket)).await.unwrap().unwrap() {
            (4, 0, 0, payload) => {
                let setting = |setting: &[u8]| (setting[1], number(&setting[2..]));
                settings = payload.chunks(6).map(setting).collect();
            }
            (8, _, 0, payload) => credit = Some(number(&payload)),
            _ => {}
        }
    }
    (settings, credit.unwrap_or_default())
}

/// HEADERS of a call, in literals (RFC 7541 section 6.2.2): `:method` POST,
/// `:scheme` http, and `:path` and `content-type` by their names.
fn head(stream: u8, path: &str) -> Vec<u8> {
    let literal = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let block = [
        vec![0x83, 0x86, 0x04],
        literal(path),
        vec![0x0f, 0x10],
        literal("application/grpc"),
    ]
    .concat();
    let length = u8::try_from(block.len()).unwrap();
    [&[0, 0, length, 1, 4, 0, 0, 0, stream], &block[..]].concat()
}

async fn serve_with(options: Http2Options, servicer: impl EchoServicer) -> (Server, String) {
    let server = Server::builder()
        .http2(options)
        .permit_keepalive_time(Duration::ZERO)
        .permit_keepalive_without_calls(true)
        .add_service(service(servicer))
        .listen("127.0.0.1:0");
    let server = server.start().await.unwrap();
    let address = server.addresses()[0].clone();
    (server, address)
}

async fn connect(address: &str, settings: &[u8]) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(PREFACE).await.unwrap();
    socket.write_all(settings).await.unwrap();
    socket
}

#[tokio::test]
async fn windows_and_limits_are_told_to_the_peer() {
    let mut options = Http2Options::default();
    options.stream_window = 100_001;
    options.connection_window = 200_002;
    options.max_frame_size = 20_003;
    options.max_concurrent_streams = 44;
    options.max_header_list_size = 5_005;
    let expected = [(4, 100_001), (5, 20_003), (6, 5_005)];

    let (_server, address) = serve_with(options.clone(), Echoes).await;
    let mut socket = connect(&address, NO_SETTINGS).await;
    let (settings, credit) = first_words(&mut socket).await;
    assert_eq!(credit, 200_002 - 65_535);
    for setting in expected.iter().chain(&[(3, 44)]) {
        assert!(settings.contains(setting), "{setting:?} in {settings:?}");
    }

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let channel = Channel::builder(address).unwrap().http2(options);
    let channel = channel.build(ChannelCredentials::insecure()).unwrap();
    channel.connect().unwrap();
    let mut socket = timeout(BOUND, listener.accept()).await.unwrap().unwrap().0;
    socket.read_exact(&mut [0; 24]).await.unwrap();
    let (settings, credit) = first_words(&mut socket).await;
    assert_eq!(credit, 200_002 - 65_535);
    for setting in &expected {
        assert!(settings.contains(setting), "{setting:?} in {settings:?}");
    }
}

#[tokio::test]
async fn a_burst_of_control_frames_has_its_limit() {
    let mut options = Http2Options::default();
    options.control_burst = 20;
    for (options, is_closed) in [(options, true), (Http2Options::default(), false)] {
        let (_server, address) = serve_with(options, Echoes).await;
        let mut socket = connect(&address, NO_SETTINGS).await;
        let ping = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
        socket.write_all(&ping.repeat(1_000)).await.unwrap();
        let mut answered = 0;
        let mut closed = false;
        while !closed && answered < 1_000 {
            match timeout(BOUND, read_frame(&mut socket)).await.unwrap() {
                Ok((6, 1, ..)) => answered += 1,
                Ok((7, .., payload)) => {
                    assert_eq!(number(&payload[4..8]), 11, "ENHANCE_YOUR_CALM");
                    closed = true;
                }
                Ok(_) => {}
                Err(_) => closed = true,
            }
        }
        assert_eq!(closed, is_closed);
    }
}

/// Counts what it could send.
struct Counts(Arc<AtomicUsize>);

impl EchoServicer for Counts {
    async fn expand(
        &self,
        _request: Echo,
        replies: &mut Sender<Echo>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        loop {
            replies.send(Echo::data(1_000)).await?;
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[tokio::test]
async fn a_stream_holds_as_much_as_its_send_buffer() {
    for (buffer, messages) in [(1, 1..=1), (10_000, 9..=11)] {
        let mut options = Http2Options::default();
        options.send_buffer = buffer;
        let sent = Arc::new(AtomicUsize::new(0));
        let (_server, address) = serve_with(options, Counts(Arc::clone(&sent))).await;
        // SETTINGS_INITIAL_WINDOW_SIZE 0: nothing leaves.
        let no_window = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0];
        let mut socket = connect(&address, &no_window).await;
        let head = head(1, EXPAND.path());
        let message = [0, 0, 5, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0];
        let call = [&head[..], &message].concat();
        socket.write_all(&call).await.unwrap();
        let filled = async {
            while sent.load(Ordering::SeqCst) < *messages.start() {
                tokio::task::yield_now().await;
            }
        };
        timeout(BOUND, filled).await.unwrap();
        for _ in 0..500 {
            tokio::task::yield_now().await;
        }
        let sent = sent.load(Ordering::SeqCst);
        assert!(messages.contains(&sent), "{sent} messages in {buffer}");
    }
}

/// Takes a call and reads nothing of it.
struct Deaf;

impl EchoServicer for Deaf {
    async fn collect(
        &self,
        _requests: &mut Receiver<Echo>,
        _context: &mut Context,
    ) -> Result<Echo, Status> {
        std::future::pending().await
    }
}

/// The credit of the connection that comes in return for all that was sent: a server
/// that answers a PING has seen what came before, and one that answers another has
/// written what that was to it.
async fn credit_so_far(socket: &mut TcpStream) -> usize {
    let mut credit = 0;
    for _ in 0..2 {
        let ping = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
        socket.write_all(&ping).await.unwrap();
        loop {
            match timeout(BOUND, read_frame(socket)).await.unwrap().unwrap() {
                (6, 1, ..) => break,
                (8, _, 0, payload) => credit += number(&payload) as usize,
                _ => {}
            }
        }
    }
    credit
}

#[tokio::test]
async fn a_connection_takes_at_most_twice_its_buffer_for_absent_readers() {
    const PIECE: usize = 5_000;
    let mut options = Http2Options::default();
    options.stream_window = 65_535;
    options.connection_window = 65_535;
    options.connection_buffer = 200_000;
    let (_server, address) = serve_with(options, Deaf).await;
    let mut socket = connect(&address, NO_SETTINGS).await;
    let mut credit = 65_535;
    let mut sent = 0;
    // Ten streams that could take 65,535 bytes each.
    for stream in (1..20).step_by(2) {
        socket
            .write_all(&head(stream, COLLECT.path()))
            .await
            .unwrap();
        for _ in 0..65_535 / PIECE {
            if credit < PIECE {
                credit += credit_so_far(&mut socket).await;
            }
            if credit < PIECE {
                assert!((330_000..=400_000).contains(&sent), "{sent} bytes");
                return;
            }
            let [.., high, low] = PIECE.to_be_bytes();
            socket
                .write_all(&[0, high, low, 0, 0, 0, 0, 0, stream])
                .await
                .unwrap();
            socket.write_all(&[0; PIECE]).await.unwrap();
            credit -= PIECE;
            sent += PIECE;
        }
    }
    panic!("all of it was taken");
}

#[tokio::test]
async fn a_channels_limits_hold_for_its_calls_unless_they_have_their_own() {
    let (_server, address) = serve_with(Http2Options::default(), Echoes).await;
    let channel = || Channel::builder(&address).unwrap();
    let insecure = ChannelCredentials::insecure();
    let receives = channel().max_receive_message_size(100);
    let sends = channel().max_send_message_size(100);
    for channel in [receives, sends] {
        let stub = EchoStub(channel.build(insecure.clone()).unwrap());
        assert!(stub.unary(Echo::data(10)).await.is_ok());
        let refused = stub.unary(Echo::data(1_000)).await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
        let call = stub.unary(Echo::data(1_000));
        let call = call.max_send_message_size(2_000);
        assert!(call.max_receive_message_size(2_000).await.is_ok());
        let (mut requests, mut replies) = stub.chat().start();
        let refused = match requests.send(Echo::data(1_000)).await {
            Ok(()) => replies.next().await.unwrap_err(),
            Err(refused) => refused,
        };
        assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    }
}

#[tokio::test]
async fn a_user_agent_that_cannot_be_sent_is_an_error_at_once() {
    for prefix in ["two\nlines", "caf\u{e9}", "nul\0"] {
        let channel = Channel::builder("localhost:1").unwrap().user_agent(prefix);
        let error = channel.build(ChannelCredentials::insecure()).unwrap_err();
        assert!(error.to_string().contains("user agent"), "{error}");
    }
}

#[tokio::test]
async fn a_server_listens_on_a_socket_that_it_is_given() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = Server::builder()
        .add_service(service(Echoes))
        .listen_on(listener, ServerCredentials::insecure());
    let server = server.start().await.unwrap();
    assert_eq!(server.addresses(), std::slice::from_ref(&address));
    let stub = EchoStub(Channel::insecure(address).unwrap());
    assert_eq!(stub.unary(Echo::text("hi")).await.unwrap().text, "hi");
}

#[cfg(unix)]
#[tokio::test]
async fn serving_goes_on_until_it_is_dropped() {
    for with in [false, true] {
        let directory = std::env::temp_dir().display().to_string();
        let id = std::process::id();
        let address = format!("unix:{directory}/grpc-serve-{id}-{with}.sock");
        let server = Server::builder().add_service(service(Echoes));
        let listens = address.clone();
        let serving = tokio::spawn(async move {
            if with {
                let insecure = ServerCredentials::insecure();
                server.serve_with(&listens, insecure).await
            } else {
                server.serve(&listens).await
            }
        });
        let stub = EchoStub(Channel::insecure(&address).unwrap());
        let call = stub.unary(Echo::text("hi")).wait_for_ready().timeout(BOUND);
        assert_eq!(call.await.unwrap().text, "hi");
        serving.abort();
        assert!(serving.await.unwrap_err().is_cancelled());
        let call = stub.unary(Echo::text("hi")).into_future();
        let gone = timeout(BOUND, call).await.unwrap().unwrap_err();
        assert_eq!(gone.code(), Code::Unavailable, "{gone}");
    }
}

/// Answers with the seconds that its call has left.
struct TimeLeft;

impl EchoServicer for TimeLeft {
    async fn unary(&self, _: Echo, context: &mut Context) -> Result<Echo, Status> {
        let left = context.time_remaining().unwrap_or_default();
        Ok(Echo::number(left.as_secs().try_into().unwrap()))
    }
}

#[tokio::test]
async fn of_a_timeout_and_a_deadline_the_last_counts() {
    let server = Server::builder().add_service(service(TimeLeft));
    let stub = EchoStub(Channel::in_process(server).unwrap());
    let (near, far) = (Duration::from_secs(50), Duration::from_secs(200));
    let at = |time| Instant::now() + time;
    let call = || stub.unary(Echo::default());
    for (call, expected) in [
        (call().timeout(far).deadline(at(near)), 20..=50),
        (call().deadline(at(far)).timeout(near), 20..=50),
        (call().deadline(at(near)).timeout(far), 170..=200),
        (call().timeout(near).timeout(far), 170..=200),
    ] {
        let seconds = call.await.unwrap().number;
        assert!(expected.contains(&seconds), "{seconds}");
    }
}
