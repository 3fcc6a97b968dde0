//! Servers that answer each attempt of a call by the script that the call carries, and
//! keep account of the attempts that came: for the comparison of clients under one
//! service config. A script is JSON in the metadata `x-script`, as [`script::Step`] has
//! it; attempts belong together that carry the same `x-call`.
//!
//! It prints `listening on PORT,PORT,PORT`, listens at every address of this machine,
//! and once standard input has ended prints in one line of JSON all that came, in the
//! order in which it came.

mod log;
mod script;
mod service;

use std::sync::Arc;
use std::time::Duration;

use grpc_runtime::Server;

use crate::log::Log;
use crate::service::Scripted;

grpc_runtime::include_proto!("grpc.testing");

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// As many as a policy needs to have a choice.
const SERVERS: usize = 3;

/// What clients that have ended may still have on its way.
const GRACE: Duration = Duration::from_secs(5);

async fn start(log: &Arc<Log>, server: usize) -> Result<Server, Failure> {
    let scripted = Arc::new(Scripted::new(Arc::clone(log), server));
    let server = Server::builder()
        .add_service(TestServiceServer::from_arc(Arc::clone(&scripted)))
        .add_service(UnimplementedServiceServer::from_arc(scripted))
        .listen("0.0.0.0:0")
        .start()
        .await?;
    Ok(server)
}

fn port(server: &Server) -> &str {
    let address = &server.addresses()[0];
    address.rsplit_once(':').map_or(address, |(_, port)| port)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let log = Arc::new(Log::default());
    let mut servers = Vec::new();
    for number in 0..SERVERS {
        servers.push(start(&log, number).await?);
    }
    let ports: Vec<_> = servers.iter().map(port).collect();
    println!("listening on {}", ports.join(","));
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()))
        .await??;
    for server in servers {
        server.shutdown(GRACE).await;
    }
    println!("{}", log.line()?);
    Ok(())
}
