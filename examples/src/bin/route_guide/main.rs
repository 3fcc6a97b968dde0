//! gRPC's classic tutorial: a guide to places on the earth, with all four kinds
//! of call over a real data set, the world's capitals. Server and client in one
//! process.

mod capitals;
mod client;
mod geometry;
mod server;

use std::time::Duration;

use grpc_runtime::{Channel, Server};

grpc_runtime::include_proto!("routeguide");

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let capitals = capitals::load()?;
    let server = Server::builder()
        .add_service(RouteGuideServer::new(server::Guide::new(capitals.clone())))
        .listen("127.0.0.1:0")
        .start()
        .await?;

    let stub = RouteGuideStub::new(Channel::insecure(&server.addresses()[0])?);
    client::get_feature(&stub, &capitals).await?;
    client::list_features(&stub).await?;
    client::record_route(&stub, &capitals).await?;
    client::route_chat(&stub, &capitals).await?;

    server.shutdown(Duration::from_secs(1)).await;
    Ok(())
}
