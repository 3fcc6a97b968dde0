//! gRPC's interop server, under its official flags: `--port` (0 for any, which is
//! then printed as `listening on ADDRESS`) and `--use_tls`, with the PEM files
//! `--tls_cert_file` and `--tls_key_file`.

mod service;

use grpc_runtime::{Server, ServerCredentials};
use grpc_tests::flags::Flags;

grpc_runtime::include_proto!("grpc.testing");

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut flags = Flags::parse(std::env::args().skip(1))?;
    let port: u16 = flags.take("port", 8080)?;
    let use_tls = flags.take("use_tls", false)?;
    let chain: String = flags.take("tls_cert_file", String::new())?;
    let key: String = flags.take("tls_key_file", String::new())?;
    flags.finish()?;
    let credentials = if use_tls {
        ServerCredentials::tls(read(&chain)?, read(&key)?).build()?
    } else {
        ServerCredentials::insecure()
    };
    let server = Server::builder()
        .add_service(TestServiceServer::new(service::Interop::new()))
        .listen_with(format!("[::]:{port}"), credentials)
        .start()
        .await?;
    println!("listening on {}", server.addresses()[0]);
    server.wait().await;
    Ok(())
}

fn read(path: &str) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("'{path}': {error}"))
}
