//! gRPC's interop server, under its official flags: `--port` (0 for any, which is
//! then printed as `listening on ADDRESS`) and `--use_tls`, with the PEM files
//! `--tls_cert_file` and `--tls_key_file`.

mod service;

use grpc_runtime::Server;
use grpc_tests::flags::Flags;
use grpc_tests::security::server_credentials;

grpc_runtime::include_proto!("grpc.testing");

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut flags = Flags::parse(std::env::args().skip(1))?;
    let port: u16 = flags.take("port", 8080)?;
    let credentials = server_credentials(&mut flags)?;
    flags.finish()?;
    let server = Server::builder()
        .add_service(TestServiceServer::new(service::Interop::new()))
        .listen_with(format!("[::]:{port}"), credentials)
        .start()
        .await?;
    println!("listening on {}", server.addresses()[0]);
    server.wait().await;
    Ok(())
}
