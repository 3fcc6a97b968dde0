//! What `hardening.md` shows: limits, and what who breaks them meets.

use std::time::Duration;

use grpc_runtime::{
    CallLimit, Channel, Code, Context, DeadlinePolicy, Http2Options, MethodLimits, Next, Outcome,
    PeerAddress, Sender, Server, ServerBuilder, ServerInterceptor, ServerLimits, Status,
};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::example::{
    HelloRequest, HelloResponse, HelloServiceServer, HelloServiceServicer, HelloServiceStub,
};

/// Greets, and waits for ever at the word "wait".
struct Greeter;

impl HelloServiceServicer for Greeter {
    async fn say_hello(
        &self,
        request: HelloRequest,
        _context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        if request.greeting == "wait" {
            std::future::pending::<()>().await;
        }
        Ok(HelloResponse {
            reply: request.greeting,
        })
    }

    async fn lots_of_replies(
        &self,
        _request: HelloRequest,
        replies: &mut Sender<HelloResponse>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        replies.send(HelloResponse::default()).await?;
        std::future::pending().await
    }
}

fn greeting(text: &str) -> HelloRequest {
    HelloRequest {
        greeting: text.to_owned(),
    }
}

fn hardened() -> ServerBuilder {
    // snippet: internet
    let calls = CallLimit::new(1_000).queue(200);
    let limits = ServerLimits::new()
        .connections(1_000)
        .connections_per_peer(100)
        .calls(calls)
        .deadlines(DeadlinePolicy::new().at_most(Duration::from_secs(60)));

    let mut http2 = Http2Options::default();
    http2.max_concurrent_streams = 100;
    http2.connection_window = 256 << 10;
    http2.connection_buffer = 4 << 20;
    http2.message_buffer = 16 << 20;

    Server::builder()
        .add_service(HelloServiceServer::new(Greeter))
        .limits(limits)
        .http2(http2)
        .memory_limit(512 << 20)
        .max_receive_message_size(1 << 20)
        .max_send_message_size(4 << 20)
        .keepalive_time(Duration::from_secs(120))
        .max_connection_idle(Duration::from_secs(300))
        .max_connection_age(Duration::from_secs(3600))
        .max_connection_age_grace(Duration::from_secs(60))
    // end
}

#[tokio::test(start_paused = true)]
async fn no_call_takes_longer_than_the_server_lets_it() {
    let stub = HelloServiceStub::new(Channel::in_process(hardened()).unwrap());
    let began = Instant::now();
    let status = stub.say_hello(greeting("wait")).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(began.elapsed().as_secs(), 60);
    let large = greeting(&"x".repeat(2 << 20));
    let status = stub.say_hello(large).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
}

/// Whether a connection is closed before anything is said on it.
async fn is_closed(address: &str) -> bool {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let mut byte = [0];
    let read = socket.read(&mut byte);
    // A server that serves says its SETTINGS at once.
    let read = tokio::time::timeout(Duration::from_secs(20), read).await;
    matches!(read.unwrap(), Ok(0) | Err(_))
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed() {
    let limits = ServerLimits::new().connections_per_peer(2);
    let server = Server::builder().limits(limits).listen("127.0.0.1:0");
    let server = server.start().await.unwrap();
    let address = &server.addresses()[0];
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.read_u8().await.unwrap();
        held.push(socket);
    }
    assert!(is_closed(address).await);
}

#[tokio::test(start_paused = true)]
async fn who_connects_and_says_nothing_is_closed_after_ten_seconds() {
    let server = Server::builder().listen_nowhere().start().await.unwrap();
    let (mut silent, ours) = tokio::io::duplex(64 << 10);
    let began = Instant::now();
    server.serve_stream(grpc_runtime::ByteStream::new(ours, "a stranger"));
    silent.read_to_end(&mut Vec::new()).await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn a_method_has_limits_of_its_own() -> Result<(), Box<dyn std::error::Error>> {
    // snippet: method
    let reports = MethodLimits::new()
        .calls(
            CallLimit::new(4)
                .queue(20)
                .retry_after(Duration::from_secs(1)),
        )
        .deadlines(DeadlinePolicy::new().at_most(Duration::from_secs(300)));
    let uploads = MethodLimits::new().max_receive_message_size(64 << 20);
    let limits = ServerLimits::new()
        .method("example.HelloService/LotsOfReplies", reports)
        .method("example.HelloService/SayHello", uploads);
    // end
    let server = Server::builder()
        .add_service(HelloServiceServer::new(Greeter))
        .limits(limits);
    let stub = HelloServiceStub::new(Channel::in_process(server)?);
    let large = greeting(&"x".repeat(5 << 20));
    let call = stub.say_hello(large).max_receive_message_size(8 << 20);
    assert_eq!(call.await?.reply.len(), 5 << 20);
    Ok(())
}

#[tokio::test]
async fn connections_are_let_in_by_a_function() -> Result<(), Box<dyn std::error::Error>> {
    // snippet: on-accept
    let server = Server::builder().on_accept(|incoming| match incoming.peer() {
        PeerAddress::Tcp(address) => address.ip().is_ipv6(),
        _ => true,
    });
    // end
    let server = server.listen("127.0.0.1:0").start().await?;
    assert!(is_closed(&server.addresses()[0]).await);
    Ok(())
}

// snippet: authenticate
struct Authenticate;

impl ServerInterceptor for Authenticate {
    async fn intercept(&self, context: &mut Context, next: Next<'_>) -> Outcome {
        let token = context.metadata().get("authorization");
        if token != Some("Bearer sesame") {
            return Status::unauthenticated("who are you?").into();
        }
        next.run(context).await
    }
}
// end

#[tokio::test]
async fn who_is_not_known_reaches_no_handler() {
    let server = Server::builder()
        .add_service(HelloServiceServer::new(Greeter))
        .interceptor(Authenticate);
    let stub = HelloServiceStub::new(Channel::in_process(server).unwrap());
    let status = stub.say_hello(greeting("you")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    let call = stub.say_hello(greeting("you"));
    let call = call.metadata("authorization", "Bearer sesame");
    assert_eq!(call.await.unwrap().reply, "you");
}
