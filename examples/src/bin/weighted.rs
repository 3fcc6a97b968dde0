//! Weighted load balancing: servers report their load, and a busy one gets fewer calls.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use grpc_runtime::{Channel, ChannelCredentials, Context, Server, Status, WeightedRoundRobin};

grpc_runtime::include_proto!("example");

/// Answers with the server's name, and says how busy it is.
struct Greeter {
    name: &'static str,
    busy: f64,
}

impl HelloServiceServicer for Greeter {
    async fn say_hello(
        &self,
        _request: HelloRequest,
        context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        // A server measures these, and not for each call.
        let load = context.load();
        load.set_qps(100.0).set_application_utilization(self.busy);
        Ok(HelloResponse {
            reply: self.name.to_owned(),
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut servers = Vec::new();
    for (name, busy) in [("Ada", 0.2), ("Grace", 0.6)] {
        let server = Server::builder()
            .add_service(HelloServiceServer::new(Greeter { name, busy }))
            .listen("127.0.0.1:0")
            .start()
            .await?;
        servers.push(server);
    }
    let addresses = servers.iter().map(|server| server.addresses()[0].as_str());
    let target = format!("ipv4:{}", addresses.collect::<Vec<_>>().join(","));
    let policy = WeightedRoundRobin::new()
        // A server's reports count at once; the default is 10 s.
        .blackout_period(Duration::ZERO)
        .weight_update_period(Duration::from_millis(100));
    let channel = Channel::builder(target)?
        .balance(policy)
        .build(ChannelCredentials::insecure())?;
    let stub = HelloServiceStub::new(channel);

    // Until both have reported, calls go to them by turns.
    let began = Instant::now();
    loop {
        let mut shares = BTreeMap::new();
        for _ in 0..400 {
            let answer = stub.say_hello(HelloRequest::default()).await?;
            *shares.entry(answer.reply).or_insert(0) += 1;
        }
        let share = |name: &str| shares.get(name).copied().unwrap_or_default();
        if share("Ada") == 300 && share("Grace") == 100 {
            break;
        }
        if began.elapsed() > Duration::from_secs(20) {
            return Err(format!("the shares are {shares:?}").into());
        }
    }
    println!("of 400 calls Ada answered 300, and Grace, who is three times as busy, 100");
    Ok(())
}
