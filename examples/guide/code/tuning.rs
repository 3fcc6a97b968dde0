//! What `tuning.md` shows, and what it measures in paused time.

use std::fmt::Write;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use grpc_runtime::{
    Address, ByteStream, Channel, ChannelCredentials, Code, Compression, Connector, Context,
    HedgingPolicy, Http2Options, MethodConfig, RoundRobin, Sender, Server, ServiceConfig, Status,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::example::{
    HelloRequest, HelloResponse, HelloServiceServer, HelloServiceServicer, HelloServiceStub,
};
use crate::harness::output;

const MESSAGE: usize = 64 << 10;
/// How much is sent.
const MIB: u32 = 32;
const ROUND_TRIP: Duration = Duration::from_millis(100);

struct Archive;

impl HelloServiceServicer for Archive {
    async fn lots_of_replies(
        &self,
        _request: HelloRequest,
        replies: &mut Sender<HelloResponse>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        for _ in 0..MIB * 16 {
            let reply = "x".repeat(MESSAGE);
            replies.send(HelloResponse { reply }).await?;
        }
        Ok(())
    }

    async fn say_hello(
        &self,
        request: HelloRequest,
        _context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        // snippet: spawn-blocking
        // In a handler: work of more than a millisecond leaves the runtime's threads.
        let work = move || HelloResponse {
            reply: request.greeting.to_uppercase(),
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| Status::from_error(Code::Internal, error))
        // end
    }
}

/// Makes connections on which bytes take half a round trip each way, any number of them.
struct LongLink(Arc<Server>);

impl Connector for LongLink {
    async fn connect(&self, address: &Address) -> io::Result<ByteStream> {
        let (near, from_near) = tokio::io::duplex(64 << 20);
        let (far, from_far) = tokio::io::duplex(64 << 20);
        let (near_reads, near_writes) = tokio::io::split(from_near);
        let (far_reads, far_writes) = tokio::io::split(from_far);
        tokio::spawn(carry(near_reads, far_writes));
        tokio::spawn(carry(far_reads, near_writes));
        self.0.serve_stream(ByteStream::new(far, "a client"));
        Ok(ByteStream::new(near, address.to_string()))
    }
}

async fn carry(
    mut from: impl AsyncRead + Unpin + Send + 'static,
    mut to: impl AsyncWrite + Unpin + Send + 'static,
) {
    let (sends, mut sent) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut piece = vec![0; MESSAGE];
        while let Ok(length @ 1..) = from.read(&mut piece).await {
            let arrives = Instant::now() + ROUND_TRIP / 2;
            let _ = sends.send((arrives, piece[..length].to_vec()));
        }
    });
    while let Some((arrives, piece)) = sent.recv().await {
        tokio::time::sleep_until(arrives).await;
        if to.write_all(&piece).await.is_err() {
            return;
        }
    }
}

/// How many MiB a second come over such a link with this window.
async fn throughput(window: u32) -> Result<f64, Box<dyn std::error::Error>> {
    let server = Server::builder().add_service(HelloServiceServer::new(Archive));
    let server = server.listen_nowhere().start().await?;
    let (target, connector) = ("passthrough:///archive", LongLink(Arc::new(server)));
    // snippet: windows
    let mut http2 = Http2Options::default();
    http2.stream_window = window;
    http2.connection_window = http2.connection_window.max(window);
    let channel = Channel::builder(target)?
        .http2(http2)
        // end
        .connector(connector)
        // snippet: windows
        .build(ChannelCredentials::insecure())?;
    // end
    let stub = HelloServiceStub::new(channel);
    stub.say_hello(HelloRequest::default()).await?;
    let began = Instant::now();
    let mut replies = stub.lots_of_replies(HelloRequest::default()).start();
    while replies.next().await?.is_some() {}
    let seconds = began.elapsed().as_secs_f64();
    Ok(f64::from(MIB) / seconds)
}

#[tokio::test(start_paused = true)]
async fn a_window_bounds_what_a_long_link_carries() -> Result<(), Box<dyn std::error::Error>> {
    let mut table = "stream_window   MiB/s\n".to_owned();
    for (name, window) in [
        ("64 KiB", 65_535),
        ("256 KiB", 256 << 10),
        ("1 MiB", 1 << 20),
        ("4 MiB", 4 << 20),
        ("16 MiB", 16 << 20),
    ] {
        let _ = writeln!(table, "{name:<15} {:.1}", throughput(window).await?);
    }
    output("windows", &table);
    Ok(())
}

#[tokio::test]
async fn hedging_is_set_in_a_service_config() -> Result<(), Box<dyn std::error::Error>> {
    // snippet: hedging
    let policy = HedgingPolicy::new(Duration::from_millis(10));
    let config = ServiceConfig::builder()
        .balance(RoundRobin::new())
        .method(
            "example.HelloService",
            "SayHello",
            MethodConfig::new().hedging(policy),
        )
        .build()?;
    let channel = Channel::builder("dns:///shop.internal:50051")?
        .service_config(config)
        .build(ChannelCredentials::insecure())?;
    // end
    drop(channel);
    Ok(())
}

#[tokio::test]
async fn more_connections_are_made_where_one_is_full() -> Result<(), Box<dyn std::error::Error>> {
    // snippet: connections
    let config = ServiceConfig::builder()
        .max_connections_per_subchannel(4)
        .build()?;
    let channel = Channel::builder("shop.internal:50051")?
        .service_config(config)
        .build(ChannelCredentials::insecure())?;
    // end
    drop(channel);
    Ok(())
}

#[tokio::test]
async fn a_channel_compresses() -> Result<(), Box<dyn std::error::Error>> {
    // snippet: compression
    let channel = Channel::builder("shop.internal:50051")?
        .compression(Compression::Gzip)
        .build(ChannelCredentials::insecure())?;
    // end
    drop(channel);
    let server = Server::builder().add_service(HelloServiceServer::new(Archive));
    let stub = HelloServiceStub::new(Channel::in_process(server)?);
    let greeting = "you".to_owned();
    let reply = stub.say_hello(HelloRequest { greeting }).await?;
    assert_eq!(reply.reply, "YOU");
    Ok(())
}
