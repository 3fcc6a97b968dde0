//! Our client for the comparison with others under one service config: makes the calls
//! of a plan, which standard input gives as JSON, and tells in a line of JSON for each
//! of its cases how its calls ended. [`plan::Plan`] is what a plan has.
//!
//! Each case has a channel of its own. Once all are connected, by a call each that is not
//! told of, all cases run at once, and a case's calls one after the other. A line:
//! `{"name":"N","calls":[{"code":"OK","ms":12,"responses":1}]}`.

mod calls;
mod plan;

use std::time::{Duration, Instant};

use grpc_runtime::{Channel, ChannelCredentials, Code, ServiceConfig};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::plan::{Call, Case, Plan};

grpc_runtime::include_proto!("grpc.testing");

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A channel that is connected.
async fn connect(case: &Case, warm_up: &Call) -> Result<Channel, Failure> {
    let config = ServiceConfig::from_json(&case.config.to_string())?;
    let builder = Channel::builder(&case.target)?.service_config(config);
    let channel = builder.build(ChannelCredentials::insecure())?;
    calls::make(&channel, warm_up, "").await.1?;
    Ok(channel)
}

/// Makes the calls of a case.
async fn run(channel: &Channel, client: &str, case: &Case) -> Value {
    let mut told = Vec::new();
    for call in &case.calls {
        tokio::time::sleep(Duration::from_millis(call.pause_ms)).await;
        for _ in 0..call.times {
            let id = format!("{client}/{}/{}", case.name, told.len());
            let began = Instant::now();
            let (responses, end) = calls::make(channel, call, &id).await;
            let code = end.err().map_or(Code::Ok, |status| status.code());
            let ms = began.elapsed().as_millis();
            told.push(json!({"code": code.name(), "ms": ms, "responses": responses}));
        }
    }
    json!({"name": case.name, "calls": told})
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let Plan {
        client,
        warm_up,
        cases,
    } = serde_json::from_reader(std::io::stdin())?;
    let mut channels = Vec::new();
    for case in &cases {
        let channel = connect(case, &warm_up).await;
        channels.push(channel.map_err(|error| format!("{}: {error}", case.name))?);
    }
    let mut running = JoinSet::new();
    for (case, channel) in cases.into_iter().zip(channels) {
        let client = client.clone();
        running.spawn(async move { run(&channel, &client, &case).await });
    }
    while let Some(told) = running.join_next().await {
        println!("{}", told?);
    }
    Ok(())
}
