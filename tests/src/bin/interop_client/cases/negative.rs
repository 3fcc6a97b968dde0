//! A server that breaks HTTP/2's manners, one way a case. Which way is the
//! server's part: `tests/misbehaving.rs` plays it.

use grpc_runtime::Code;
use tokio::task::JoinSet;

use super::unary::{check_large, large, large_request};
use crate::client::Client;
use crate::failure::{Failure, failed};

/// The connection of the first call is given up by the server.
pub(super) async fn goaway(client: &Client) -> Result<(), Failure> {
    large(client).await?;
    large(client).await
}

/// The server resets the stream, however far its response has come.
pub(super) async fn reset(client: &Client) -> Result<(), Failure> {
    failed(client.unary(large_request()).await, Code::Internal)?;
    Ok(())
}

/// The server takes one call at a time. The first call has seen it say so.
pub(super) async fn max_streams(client: &Client) -> Result<(), Failure> {
    large(client).await?;
    let mut calls = JoinSet::new();
    for _ in 0..15 {
        calls.spawn(client.unary(large_request()).into_future());
    }
    while let Some(response) = calls.join_next().await {
        check_large(&response??)?;
    }
    Ok(())
}
