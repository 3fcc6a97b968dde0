//! Credentials of calls: a bearer token reaches the server over TLS; without, only
//! if that is asked for by name.

use grpc_runtime::{CallCredentials, Code, Status};

use crate::client::{BOUND, Client, Failure, equal, failed, greeting};
use crate::{HelloResponse, HelloServiceStub};

const TOKEN: &str = "mF_9.B5f-4.1JqM";
const SEEN: &str = "Bearer mF_9.B5f-4.1JqM";

/// What the server sees as `authorization`.
async fn seen(
    stub: &HelloServiceStub,
    credentials: Option<CallCredentials>,
) -> Result<HelloResponse, Status> {
    let mut call = stub.say_hello(greeting("")).timeout(BOUND);
    if let Some(credentials) = credentials {
        call = call.credentials(credentials);
    }
    call.metadata("x-do", "authorization").await
}

pub(super) async fn of_a_call(client: &Client) -> Result<(), Failure> {
    let mut token = CallCredentials::bearer(TOKEN)?;
    if !client.encrypted {
        let refused = seen(&client.stub, Some(token.clone())).await;
        failed(refused, Code::Unauthenticated)?;
        token = token.allow_unencrypted();
    }
    let reply = seen(&client.stub, Some(token)).await?.reply;
    equal("what the server saw", reply.as_str(), SEEN)?;
    let reply = seen(&client.stub, None).await?.reply;
    equal("what the next call sent", reply.as_str(), "")
}

pub(super) async fn of_a_channel(client: &Client) -> Result<(), Failure> {
    let mut token = CallCredentials::bearer(TOKEN)?;
    if !client.encrypted {
        let refused = seen(&client.stub_with(token.clone())?, None).await;
        failed(refused, Code::Unauthenticated)?;
        token = token.allow_unencrypted();
    }
    let stub = client.stub_with(token)?;
    for _ in 0..2 {
        let reply = seen(&stub, None).await?.reply;
        equal("what the server saw", reply.as_str(), SEEN)?;
    }
    Ok(())
}
