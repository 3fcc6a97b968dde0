//! Calls that the server ends with an error.

use grpc_runtime::Code;

use crate::client::Client;
use crate::failure::{Failure, equal, failed};
use crate::{EchoStatus, SimpleRequest, StreamingOutputCallRequest};

fn unknown(message: &str) -> EchoStatus {
    EchoStatus {
        code: 2,
        message: message.to_owned(),
    }
}

async fn unary(client: &Client, message: &str) -> Result<(), Failure> {
    let call = client.unary(SimpleRequest {
        response_status: Some(unknown(message)),
        ..SimpleRequest::default()
    });
    let status = failed(call.await, Code::Unknown)?;
    equal("the message", status.message(), message)
}

pub(super) async fn code_and_message(client: &Client) -> Result<(), Failure> {
    let message = "test status message";
    unary(client, message).await?;
    let (mut requests, mut responses) = client.full_duplex().start();
    let request = StreamingOutputCallRequest {
        response_status: Some(unknown(message)),
        ..StreamingOutputCallRequest::default()
    };
    requests.send(request).await?;
    requests.finish();
    let status = failed(responses.next().await, Code::Unknown)?;
    equal("the message", status.message(), message)
}

pub(super) async fn special_message(client: &Client) -> Result<(), Failure> {
    unary(
        client,
        "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n",
    )
    .await
}

pub(super) async fn unimplemented_method(client: &Client) -> Result<(), Failure> {
    failed(client.unimplemented_method().await, Code::Unimplemented)?;
    Ok(())
}

pub(super) async fn unimplemented_service(client: &Client) -> Result<(), Failure> {
    failed(client.unimplemented_service().await, Code::Unimplemented)?;
    Ok(())
}
