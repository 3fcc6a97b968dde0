//! Errors, and methods that are not there.

use grpc_runtime::rpc::{BadRequest, ErrorInfo, RetryInfo};
use grpc_runtime::{Channel, Code, Method, Shape, UnaryCall};

use crate::HelloResponse;
use crate::client::{BOUND, Client, Failure, equal, failed, greeting};
use crate::server;

/// White space at the ends, line breaks, a percent sign that escapes nothing,
/// and characters of two, three and four bytes.
const MESSAGE: &str = "\t\n100 % of %41\r\nñ ☺ 😈\t\n";

pub(super) async fn every_code(client: &Client) -> Result<(), Failure> {
    for number in 1..=16 {
        let call = client.stub.say_hello(greeting("no")).timeout(BOUND);
        let call = call
            .metadata("x-do", "fail")
            .metadata("x-code", &number.to_string());
        let status = failed(call.await, Code::from_i32(number))?;
        equal("the message", status.message(), "no")?;
        equal("the details", &status.details()[..], &[0_u8; 0][..])?;
    }
    Ok(())
}

pub(super) async fn message_and_details(client: &Client) -> Result<(), Failure> {
    let details: Vec<u8> = (0..=255).rev().collect();
    let call = client.stub.say_hello(greeting(MESSAGE)).timeout(BOUND);
    let call = call
        .metadata("x-do", "fail")
        .metadata("x-code", "7")
        .metadata_bin("x-details-bin", &details);
    let status = failed(call.await, Code::PermissionDenied)?;
    equal("the message", status.message(), MESSAGE)?;
    equal("the details", &status.details()[..], &details[..])
}

pub(super) async fn typed_details(client: &Client) -> Result<(), Failure> {
    let call = client.stub.say_hello(greeting(MESSAGE)).timeout(BOUND);
    let status = failed(
        call.metadata("x-do", "details").await,
        Code::InvalidArgument,
    )?;
    equal("the message", status.message(), MESSAGE)?;
    let (info, request) = server::details();
    equal("the cause", &status.detail::<ErrorInfo>(), &Some(info))?;
    equal("the fields", &status.detail::<BadRequest>(), &Some(request))?;
    equal("what is not there", &status.detail::<RetryInfo>(), &None)
}

pub(super) async fn mid_stream(client: &Client) -> Result<(), Failure> {
    let call = client
        .stub
        .lots_of_replies(greeting(MESSAGE))
        .timeout(BOUND);
    let call = call.metadata("x-do", "fail").metadata("x-code", "15");
    let mut replies = call.start();
    let first = replies.next().await?.map(|response| response.reply);
    equal(
        "the first reply",
        &first,
        &Some(format!("Hello, {MESSAGE}!")),
    )?;
    let status = failed(replies.next().await, Code::DataLoss)?;
    equal("the message", status.message(), MESSAGE)
}

pub(super) async fn unimplemented_method(client: &Client) -> Result<(), Failure> {
    missing(&client.channel, "/example.HelloService/Missing").await?;
    // The connection is none the worse for it.
    let response = client
        .stub
        .say_hello(greeting("you"))
        .timeout(BOUND)
        .await?;
    equal("the reply", response.reply.as_str(), "Hello, you!")
}

pub(super) async fn unimplemented_service(client: &Client) -> Result<(), Failure> {
    missing(&client.channel, "/example.MissingService/SayHello").await
}

async fn missing(channel: &Channel, path: &'static str) -> Result<(), Failure> {
    let method = Method::new(path, Shape::UNARY);
    let call: UnaryCall<HelloResponse> = UnaryCall::new(channel, method, &greeting("you"));
    failed(call.timeout(BOUND).await, Code::Unimplemented)?;
    Ok(())
}
