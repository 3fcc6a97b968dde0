//! A server and a client in one process.

grpc_runtime::include_proto!("example");

use grpc_runtime::{Channel, Context, Server, Status};

struct Greeter;

impl HelloServiceServicer for Greeter {
    async fn say_hello(
        &self,
        request: HelloRequest,
        _context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        Ok(HelloResponse {
            reply: format!("Hello, {}!", request.greeting),
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder()
        .add_service(HelloServiceServer::new(Greeter))
        .listen("127.0.0.1:0")
        .start()
        .await?;

    let stub = HelloServiceStub::new(Channel::insecure(&server.addresses()[0])?);
    let response = stub
        .say_hello(HelloRequest {
            greeting: "World".to_owned(),
        })
        .await?;
    println!("Received: {}", response.reply);
    Ok(())
}
