//! Our end of the interop tests. `serve FLAGS` runs a `HelloService` that does
//! what the request's metadata asks for, and prints its address; `call FLAGS ADDR`
//! makes every case's calls of such a service, and prints `pass NAME` or `FAIL
//! NAME: REASON` for each. The flags are those of `interop_server` and
//! `interop_client` that concern TLS. `tests/interop` holds the same two in other
//! languages: cases and keys have the same names there.

mod cases;
mod client;
mod server;

use grpc_runtime::Server;
use grpc_tests::flags::Flags;
use grpc_tests::security::{ClientSecurity, server_credentials};

grpc_runtime::include_proto!("example");

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [role, flags @ ..] if role == "serve" => {
            let mut flags = Flags::parse(flags.iter().cloned())?;
            let credentials = server_credentials(&mut flags)?;
            flags.finish()?;
            let server = Server::builder()
                .add_service(HelloServiceServer::new(server::Peer::default()))
                .listen_with("127.0.0.1:0", credentials)
                .start()
                .await?;
            println!("listening on {}", server.addresses()[0]);
            server.wait().await;
            Ok(())
        }
        [role, flags @ .., address] if role == "call" => {
            let mut flags = Flags::parse(flags.iter().cloned())?;
            let security = ClientSecurity::take(&mut flags)?;
            flags.finish()?;
            cases::run(&client::Client::new(address.clone(), security)?).await
        }
        _ => Err("usage: hello_peer serve FLAGS | call FLAGS ADDR".into()),
    }
}
