//! Metadata: there and back, text ahead of the messages and bytes behind them.

use grpc_runtime::Metadata;

use super::streaming::{check, request_for, response_of};
use super::unary::{check_large, large_request};
use crate::client::Client;
use crate::failure::{Failure, equal};

const INITIAL: &str = "x-grpc-test-echo-initial";
const INITIAL_VALUE: &str = "test_initial_metadata_value";
const TRAILING: &str = "x-grpc-test-echo-trailing-bin";
const TRAILING_VALUE: [u8; 3] = [0xab; 3];

fn check_echo(initial: &Metadata, trailing: &Metadata) -> Result<(), Failure> {
    equal(INITIAL, &initial.get(INITIAL), &Some(INITIAL_VALUE))?;
    equal(
        TRAILING,
        &trailing.get_bin(TRAILING),
        &Some(&TRAILING_VALUE[..]),
    )
}

pub(super) async fn echoed(client: &Client) -> Result<(), Failure> {
    let call = client
        .unary(large_request())
        .metadata(INITIAL, INITIAL_VALUE);
    let response = call
        .metadata_bin(TRAILING, &TRAILING_VALUE)
        .response()
        .await?;
    check_large(&response.message)?;
    check_echo(&response.initial_metadata, &response.trailing_metadata)?;

    let call = client.full_duplex().metadata(INITIAL, INITIAL_VALUE);
    let (mut requests, mut responses) = call.metadata_bin(TRAILING, &TRAILING_VALUE).start();
    requests
        .send(request_for(271_828, response_of(314_159, 0)))
        .await?;
    requests.finish();
    check(responses.next().await?.as_ref(), 314_159)?;
    equal("what follows the response", &responses.next().await?, &None)?;
    let initial = responses.initial_metadata().await?;
    let trailing = responses.trailing_metadata().cloned().unwrap_or_default();
    check_echo(&initial, &trailing)
}
