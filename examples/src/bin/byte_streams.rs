//! Calls over byte streams of one's own: here pipes in memory, where a program could have
//! a vsock, a tunnel or a WebSocket.

use std::io;
use std::time::Duration;

use grpc_runtime::{
    Address, ByteStream, Channel, ChannelCredentials, Connector, Context, Server, Status,
};
use tokio::sync::mpsc;

grpc_runtime::include_proto!("example");

struct Greeter;

impl HelloServiceServicer for Greeter {
    async fn say_hello(
        &self,
        request: HelloRequest,
        context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        Ok(HelloResponse {
            reply: format!("Hello, {} behind {}!", request.greeting, context.peer()),
        })
    }
}

/// Makes pipes, and hands their other ends to the server.
struct Pipes(mpsc::Sender<ByteStream>);

impl Connector for Pipes {
    async fn connect(&self, address: &Address) -> io::Result<ByteStream> {
        let (near, far) = tokio::io::duplex(64 << 10);
        let sent = self.0.send(ByteStream::new(far, "a pipe")).await;
        sent.map_err(|_| io::Error::other("the server has gone"))?;
        Ok(ByteStream::new(near, address.to_string()))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder()
        .listen_nowhere()
        .add_service(HelloServiceServer::new(Greeter))
        .on_accept(|incoming| {
            println!("at the door: {}", incoming.peer());
            true
        })
        .start()
        .await?;
    let (pipes, mut streams) = mpsc::channel(1);
    let serving = tokio::spawn(async move {
        while let Some(stream) = streams.recv().await {
            server.serve_stream(stream);
        }
        server.shutdown(Duration::from_secs(5)).await
    });

    // The name is not resolved: the connector gets it unchanged.
    let channel = Channel::builder("passthrough:///greeter")?
        .connector(Pipes(pipes))
        .build(ChannelCredentials::insecure())?;
    let stub = HelloServiceStub::new(channel);
    let greeting = "World".to_owned();
    let response = stub.say_hello(HelloRequest { greeting }).await?;
    println!("Received: {}", response.reply);

    // The connector goes with its channel, and then the server knows that no more come.
    drop(stub);
    let report = serving.await?;
    println!("stopped; {} calls were cut", report.calls_cut);
    Ok(())
}
