//! Cancellation: what one side breaks off does not look complete to the other.

use grpc_runtime::Code;

use crate::client::{BOUND, Client, Failure, equal, failed, greeting};

pub(super) async fn by_client_unary(client: &Client) -> Result<(), Failure> {
    let id = client.id();
    let call = client.stub.say_hello(greeting("you"));
    let call = call.metadata("x-do", "wait").metadata("x-id", &id);
    let response = call.timeout(BOUND).response();
    client.started(&id).await?;
    drop(response);
    client.saw_cancelled(&id).await
}

pub(super) async fn by_client_server_stream(client: &Client) -> Result<(), Failure> {
    let id = client.id();
    let call = client.stub.lots_of_replies(greeting("you"));
    let call = call.metadata("x-do", "wait").metadata("x-id", &id);
    let mut replies = call.timeout(BOUND).start();
    let first = replies.next().await?.map(|response| response.reply);
    equal("the first reply", &first, &Some("Hello, you!".to_owned()))?;
    replies.cancel();
    failed(replies.next().await, Code::Cancelled)?;
    client.saw_cancelled(&id).await
}

/// Breaking off is not finishing: the server must not see the end of a stream.
pub(super) async fn by_client_client_stream(client: &Client) -> Result<(), Failure> {
    let id = client.id();
    let call = client.stub.lots_of_greetings().metadata("x-id", &id);
    let mut call = call.timeout(BOUND).start();
    call.send(greeting("you")).await?;
    client.started(&id).await?;
    drop(call);
    client.saw_cancelled(&id).await
}

pub(super) async fn by_client_bidi(client: &Client) -> Result<(), Failure> {
    let id = client.id();
    let call = client.stub.bidi_hello().metadata("x-id", &id);
    let (mut requests, mut replies) = call.timeout(BOUND).start();
    requests.send(greeting("you")).await?;
    let first = replies.next().await?.map(|response| response.reply);
    equal("the first reply", &first, &Some("Hello, you!".to_owned()))?;
    replies.cancel();
    failed(replies.next().await, Code::Cancelled)?;
    client.saw_cancelled(&id).await
}

pub(super) async fn by_server_unary(client: &Client) -> Result<(), Failure> {
    let call = client.stub.say_hello(greeting("you")).timeout(BOUND);
    failed(call.metadata("x-do", "cancel").await, Code::Cancelled)?;
    Ok(())
}

pub(super) async fn by_server_mid_stream(client: &Client) -> Result<(), Failure> {
    let call = client.stub.lots_of_replies(greeting("you")).timeout(BOUND);
    let mut replies = call.metadata("x-do", "cancel").start();
    let mut received = 0;
    loop {
        match replies.next().await {
            Ok(Some(_)) => received += 1,
            // A reset may overtake the reply that went ahead of it.
            end => {
                failed(end, Code::Cancelled)?;
                return equal("whether more than one reply came", &(received > 1), &false);
            }
        }
    }
}
