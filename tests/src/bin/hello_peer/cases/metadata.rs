//! Metadata: there and back, ahead of the messages and behind them.

use grpc_runtime::{Code, Metadata};

use crate::client::{BOUND, Client, Failure, equal, failed, greeting, values};

fn echoed(metadata: &Metadata, key: &str, expected: &[&[u8]]) -> Result<(), Failure> {
    equal(key, values(metadata, key).as_slice(), expected)
}

/// Several values of one key, one of them with a comma, in order.
pub(super) async fn ascii(client: &Client) -> Result<(), Failure> {
    let call = client.stub.say_hello(greeting("you")).timeout(BOUND);
    let call = call
        .metadata("x-echo", "one")
        .metadata("x-echo", "two, and a half; \"quoted\" ~!")
        .metadata("X-Echo", "three");
    let response = call.response().await?;
    let expected: [&[u8]; 3] = [b"one", b"two, and a half; \"quoted\" ~!", b"three"];
    echoed(&response.initial_metadata, "x-echo-initial", &expected)?;
    echoed(&response.trailing_metadata, "x-echo-trailing", &expected)
}

/// Every byte there is, and lengths that base64 pads differently.
pub(super) async fn binary(client: &Client) -> Result<(), Failure> {
    let all: Vec<u8> = (0..=255).collect();
    let call = client.stub.say_hello(greeting("you")).timeout(BOUND);
    let call = call
        .metadata_bin("x-echo-bin", &all)
        .metadata_bin("x-echo-bin", &[0xab])
        .metadata_bin("x-echo-bin", &[0, 0xff]);
    let response = call.response().await?;
    let expected: [&[u8]; 3] = [&all, &[0xab], &[0, 0xff]];
    echoed(&response.initial_metadata, "x-echo-initial-bin", &expected)?;
    echoed(
        &response.trailing_metadata,
        "x-echo-trailing-bin",
        &expected,
    )
}

pub(super) async fn all_kinds(client: &Client) -> Result<(), Failure> {
    let call = client.stub.lots_of_replies(greeting("you"));
    let mut replies = call.metadata("x-echo", "server").timeout(BOUND).start();
    let initial = replies.initial_metadata().await?;
    echoed(&initial, "x-echo-initial", &[b"server"])?;
    while replies.next().await?.is_some() {}
    let trailing = replies.trailing_metadata().cloned().unwrap_or_default();
    echoed(&trailing, "x-echo-trailing", &[b"server"])?;

    let call = client.stub.lots_of_greetings().metadata("x-echo", "client");
    let mut call = call.timeout(BOUND).start();
    call.send(greeting("you")).await?;
    let response = call.response().await?;
    echoed(&response.initial_metadata, "x-echo-initial", &[b"client"])?;
    echoed(&response.trailing_metadata, "x-echo-trailing", &[b"client"])?;

    let call = client.stub.bidi_hello().metadata("x-echo", "bidi");
    let (mut requests, mut replies) = call.timeout(BOUND).start();
    requests.send(greeting("you")).await?;
    let initial = replies.initial_metadata().await?;
    echoed(&initial, "x-echo-initial", &[b"bidi"])?;
    requests.finish();
    while replies.next().await?.is_some() {}
    let trailing = replies.trailing_metadata().cloned().unwrap_or_default();
    echoed(&trailing, "x-echo-trailing", &[b"bidi"])
}

pub(super) async fn with_an_error(client: &Client) -> Result<(), Failure> {
    let call = client.stub.say_hello(greeting("no")).timeout(BOUND);
    let call = call
        .metadata("x-do", "fail")
        .metadata("x-code", "9")
        .metadata("x-echo", "still here")
        .metadata_bin("x-echo-bin", &[1, 2, 3]);
    let status = failed(call.await, Code::FailedPrecondition)?;
    echoed(status.metadata(), "x-echo-trailing", &[b"still here"])?;
    echoed(status.metadata(), "x-echo-trailing-bin", &[&[1, 2, 3]])
}
