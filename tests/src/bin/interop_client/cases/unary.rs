//! One message each way.

use tokio::task::JoinSet;

use crate::client::{Client, length, payload};
use crate::failure::{Failure, equal};
use crate::{Empty, SimpleRequest, SimpleResponse};

/// What a large call sends and asks for, in bytes.
const REQUEST: usize = 271_828;
const RESPONSE: i32 = 314_159;
/// Calls at once on one channel.
const CONCURRENT: usize = 1000;

pub(super) fn large_request() -> SimpleRequest {
    SimpleRequest {
        response_size: RESPONSE,
        payload: Some(payload(REQUEST)),
        ..SimpleRequest::default()
    }
}

pub(super) fn check_large(response: &SimpleResponse) -> Result<(), Failure> {
    let body = response.payload.as_ref().map(|payload| &payload.body);
    let zeros = vec![0; RESPONSE as usize];
    equal(
        "whether the body is as many zeros as asked for",
        &(body == Some(&zeros)),
        &true,
    )
}

pub(super) async fn empty(client: &Client) -> Result<(), Failure> {
    equal("the response", &client.empty().await?, &Empty {})
}

pub(super) async fn large(client: &Client) -> Result<(), Failure> {
    check_large(&client.unary(large_request()).await?)
}

pub(super) async fn concurrent_large(client: &Client) -> Result<(), Failure> {
    let mut calls = JoinSet::new();
    for _ in 0..CONCURRENT {
        calls.spawn(client.unary(large_request()).into_future());
    }
    while let Some(response) = calls.join_next().await {
        equal(
            "the body",
            &length(response??.payload.as_ref()),
            &(RESPONSE as usize),
        )?;
    }
    Ok(())
}

/// One address of the target takes all calls.
pub(super) async fn pick_first(client: &Client) -> Result<(), Failure> {
    let request = SimpleRequest {
        fill_server_id: true,
        ..SimpleRequest::default()
    };
    let first = client.unary(request.clone()).await?.server_id;
    equal("whether the server has an id", &first.is_empty(), &false)?;
    for _ in 1..100 {
        equal(
            "the server",
            &client.unary(request.clone()).await?.server_id,
            &first,
        )?;
    }
    Ok(())
}
