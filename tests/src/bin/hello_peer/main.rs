//! Our end of the interop tests. `serve` runs a `HelloService` that does what
//! the request's metadata asks for, and prints its address; `call ADDR` makes
//! every case's calls of such a service, and prints `pass NAME` or `FAIL NAME:
//! REASON` for each. `tests/interop` holds the same two in other languages:
//! cases and keys have the same names there.

mod cases;
mod client;
mod server;

use grpc_runtime::{Channel, Server};

grpc_runtime::include_proto!("example");

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve"] => {
            let server = Server::builder()
                .add_service(HelloServiceServer::new(server::Peer::default()))
                .listen("127.0.0.1:0")
                .start()
                .await?;
            println!("listening on {}", server.addresses()[0]);
            server.wait().await;
            Ok(())
        }
        ["call", address] => cases::run(&client::Client::new(Channel::insecure(address)?)).await,
        _ => Err("usage: hello_peer serve | call ADDR".into()),
    }
}
