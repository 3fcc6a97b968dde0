//! Load balancing: calls by turns over three servers, one of which leaves.

use std::collections::BTreeMap;
use std::time::Duration;

use grpc_runtime::{Channel, ChannelCredentials, Context, RoundRobin, Server, Status};

grpc_runtime::include_proto!("example");

/// Answers with the server's name.
struct Greeter(&'static str);

impl HelloServiceServicer for Greeter {
    async fn say_hello(
        &self,
        _request: HelloRequest,
        _context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        Ok(HelloResponse {
            reply: self.0.to_owned(),
        })
    }
}

/// How many of so many calls each server answered.
async fn shares(stub: &HelloServiceStub, calls: usize) -> Result<BTreeMap<String, usize>, Status> {
    let mut shares = BTreeMap::new();
    for _ in 0..calls {
        let answer = stub.say_hello(HelloRequest::default()).await?;
        *shares.entry(answer.reply).or_default() += 1;
    }
    Ok(shares)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut servers = Vec::new();
    for name in ["Ada", "Barbara", "Grace"] {
        let server = Server::builder()
            .add_service(HelloServiceServer::new(Greeter(name)))
            .listen("127.0.0.1:0")
            .start()
            .await?;
        servers.push(server);
    }
    let addresses = servers.iter().map(|server| server.addresses()[0].as_str());
    let target = format!("ipv4:{}", addresses.collect::<Vec<_>>().join(","));
    let channel = Channel::builder(target)?
        .balance(RoundRobin::new())
        .build(ChannelCredentials::insecure())?;
    let stub = HelloServiceStub::new(channel);

    // The first calls go to whichever connection is ready first.
    while shares(&stub, 3).await?.len() < 3 {}
    for (name, share) in shares(&stub, 30).await? {
        println!("{name} answered {share} of 30 calls");
    }

    // The server sends its clients elsewhere and finishes its running calls: no call fails.
    servers.remove(1).shutdown(Duration::from_secs(5)).await;
    let names: Vec<_> = shares(&stub, 30).await?.into_keys().collect();
    println!("Barbara left, and {} answered 30 more", names.join(" and "));
    Ok(())
}
