//! What `options.md` shows. `runtime/src/extremes_tests/guide.rs` holds its tables.

use std::time::Duration;

use grpc_runtime::{Channel, ChannelCredentials, Http2Options, Server};

use crate::example::{HelloRequest, HelloServiceServer, HelloServiceServicer, HelloServiceStub};

struct Greeter;

impl HelloServiceServicer for Greeter {}

#[tokio::test]
async fn options_are_set_on_builders() -> Result<(), Box<dyn std::error::Error>> {
    // snippet: set-options
    let mut http2 = Http2Options::default();
    http2.max_concurrent_streams = 1_000;
    let server = Server::builder()
        .add_service(HelloServiceServer::new(Greeter))
        .max_receive_message_size(16 << 20)
        .http2(http2);

    let channel = Channel::builder("localhost:50051")?
        .default_timeout(Duration::from_secs(10))
        .build(ChannelCredentials::insecure())?;
    let stub = HelloServiceStub::new(channel);
    let call = stub
        .say_hello(HelloRequest::default())
        .timeout(Duration::from_secs(1));
    // end
    let server = server.listen("127.0.0.1:0").start().await?;
    drop((server, call));
    Ok(())
}
