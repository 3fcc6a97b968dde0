//! gRPC's interop server, under its official flags: `--port` (0 for any, which is
//! then printed as `listening on ADDRESS`) and `--use_tls`.

mod service;

use grpc_runtime::Server;
use grpc_tests::flags::Flags;

grpc_runtime::include_proto!("grpc.testing");

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut flags = Flags::parse(std::env::args().skip(1))?;
    let port: u16 = flags.take("port", 8080)?;
    let use_tls = flags.take("use_tls", false)?;
    flags.finish()?;
    if use_tls {
        return Err("--use_tls=true: this runtime has no TLS".into());
    }
    let server = Server::builder()
        .add_service(TestServiceServer::new(service::Interop::new()))
        .listen(format!("[::]:{port}"))
        .start()
        .await?;
    println!("listening on {}", server.addresses()[0]);
    server.wait().await;
    Ok(())
}
