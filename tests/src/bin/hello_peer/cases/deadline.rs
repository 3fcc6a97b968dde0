//! Deadlines: both sides keep them.

use std::time::{Duration, Instant};

use grpc_runtime::Code;

use crate::client::{Client, Failure, equal, failed, greeting};

const TIMEOUT: Duration = Duration::from_millis(300);

pub(super) async fn unary(client: &Client) -> Result<(), Failure> {
    let id = client.id();
    let call = client.stub.say_hello(greeting("you"));
    let call = call.metadata("x-do", "wait").metadata("x-id", &id);
    let began = Instant::now();
    failed(call.timeout(TIMEOUT).await, Code::DeadlineExceeded)?;
    equal(
        "whether it came too early",
        &(began.elapsed() < TIMEOUT),
        &false,
    )?;
    client.saw_cancelled(&id).await
}

pub(super) async fn mid_stream(client: &Client) -> Result<(), Failure> {
    let id = client.id();
    let call = client.stub.lots_of_replies(greeting("you"));
    let call = call.metadata("x-do", "wait").metadata("x-id", &id);
    let mut replies = call.timeout(TIMEOUT).start();
    let first = replies.next().await?.map(|response| response.reply);
    equal("the first reply", &first, &Some("Hello, you!".to_owned()))?;
    failed(replies.next().await, Code::DeadlineExceeded)?;
    client.saw_cancelled(&id).await
}

pub(super) async fn as_the_server_sees_it(client: &Client) -> Result<(), Failure> {
    let call = client
        .stub
        .say_hello(greeting("you"))
        .metadata("x-do", "remaining");
    let reply = call.timeout(Duration::from_secs(60)).await?.reply;
    let remaining: u32 = reply.parse()?;
    let near = (40_000..=60_000).contains(&remaining);
    equal(
        &format!("whether {remaining} ms of 60 s are left"),
        &near,
        &true,
    )?;
    let call = client
        .stub
        .say_hello(greeting("you"))
        .metadata("x-do", "remaining");
    equal(
        "the time left without a deadline",
        call.await?.reply.as_str(),
        "none",
    )
}
