//! Calls that the client ends, by its will or its deadline.

use std::time::Duration;

use grpc_runtime::Code;

use super::streaming::{check, request_for, response_of};
use crate::client::Client;
use crate::failure::{Failure, failed};

pub(super) async fn after_begin(client: &Client) -> Result<(), Failure> {
    let mut call = client.streaming_input().start();
    call.cancel();
    failed(call.finish().await, Code::Cancelled)?;
    Ok(())
}

pub(super) async fn after_first_response(client: &Client) -> Result<(), Failure> {
    let (mut requests, mut responses) = client.full_duplex().start();
    requests
        .send(request_for(27_182, response_of(31_415, 0)))
        .await?;
    check(responses.next().await?.as_ref(), 31_415)?;
    responses.cancel();
    failed(responses.next().await, Code::Cancelled)?;
    Ok(())
}

pub(super) async fn timeout_on_sleeping_server(client: &Client) -> Result<(), Failure> {
    let call = client.full_duplex().timeout(Duration::from_millis(1));
    let (mut requests, mut responses) = call.start();
    // The time may be up before the request is on its way.
    let asleep = response_of(31_415, 10_000_000);
    if requests.send(request_for(27_182, asleep)).await.is_ok() {
        requests.finish();
    }
    failed(responses.next().await, Code::DeadlineExceeded)?;
    Ok(())
}
