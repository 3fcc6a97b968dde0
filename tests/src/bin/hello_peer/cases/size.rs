//! Large messages, and those that are too large.

use grpc_runtime::Code;

use crate::client::{BOUND, Client, Failure, equal, failed, greeting};

const LARGE: usize = 2 << 20;
/// Above the 4 MiB that both sides take unless told otherwise.
const TOO_LARGE: usize = 5 << 20;

pub(super) async fn unary(client: &Client) -> Result<(), Failure> {
    let name = "n".repeat(LARGE);
    let response = client
        .stub
        .say_hello(greeting(&name))
        .timeout(BOUND)
        .await?;
    let intact = response.reply == format!("Hello, {name}!");
    equal("whether the reply is intact", &intact, &true)
}

pub(super) async fn streamed(client: &Client) -> Result<(), Failure> {
    let mut call = client.stub.lots_of_greetings().timeout(BOUND).start();
    for _ in 0..4 {
        call.send(greeting(&"n".repeat(LARGE / 4))).await?;
    }
    let response = call.finish().await?;
    equal(
        "the reply's length",
        &response.reply.len(),
        &(LARGE + "Hello, , , , !".len()),
    )?;

    let call = client.stub.lots_of_replies(greeting(&LARGE.to_string()));
    let mut replies = call.metadata("x-do", "size").timeout(BOUND).start();
    let mut lengths = Vec::new();
    while let Some(response) = replies.next().await? {
        lengths.push(response.reply.len());
    }
    equal("the lengths", lengths.as_slice(), &[LARGE; 4][..])
}

pub(super) async fn request_over_the_limit(client: &Client) -> Result<(), Failure> {
    let call = client.stub.say_hello(greeting(&"n".repeat(TOO_LARGE)));
    failed(call.timeout(BOUND).await, Code::ResourceExhausted)?;
    still_there(client).await
}

pub(super) async fn reply_over_the_limit(client: &Client) -> Result<(), Failure> {
    let call = client.stub.say_hello(greeting(&TOO_LARGE.to_string()));
    let call = call.metadata("x-do", "size").timeout(BOUND);
    failed(call.await, Code::ResourceExhausted)?;
    still_there(client).await
}

/// One call's excess is no other call's loss.
async fn still_there(client: &Client) -> Result<(), Failure> {
    let response = client
        .stub
        .say_hello(greeting("you"))
        .timeout(BOUND)
        .await?;
    equal(
        "the next call's reply",
        response.reply.as_str(),
        "Hello, you!",
    )
}
