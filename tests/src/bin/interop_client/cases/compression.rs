//! Messages that are compressed or not, one by one, as the other side has to find
//! them.

use grpc_runtime::{Code, Compression};

use super::streaming::{check, response_of};
use super::unary::{check_large, large_request};
use crate::client::{Client, payload};
use crate::failure::{Failure, equal, failed};
use crate::{
    BoolValue, ResponseParameters, SimpleRequest, StreamingInputCallRequest,
    StreamingOutputCallRequest,
};

#[expect(clippy::unnecessary_wraps, reason = "as the fields are")]
fn flag(value: bool) -> Option<BoolValue> {
    Some(BoolValue { value })
}

/// First a probe whether the server looks at all.
pub(super) async fn client_unary(client: &Client) -> Result<(), Failure> {
    let request = |expected| SimpleRequest {
        expect_compressed: flag(expected),
        ..large_request()
    };
    failed(client.unary(request(true)).await, Code::InvalidArgument)?;
    let call = client.unary(request(true)).compression(Compression::Gzip);
    check_large(&call.await?)?;
    check_large(&client.unary(request(false)).await?)
}

pub(super) async fn server_unary(client: &Client) -> Result<(), Failure> {
    for compressed in [true, false] {
        let request = SimpleRequest {
            response_compressed: flag(compressed),
            ..large_request()
        };
        let response = client.unary(request).response().await?;
        equal(
            "whether the response was compressed",
            &response.was_compressed,
            &compressed,
        )?;
        check_large(&response.message)?;
    }
    Ok(())
}

/// First a probe whether the server looks at all.
pub(super) async fn client_streaming(client: &Client) -> Result<(), Failure> {
    let request = |size, expected| StreamingInputCallRequest {
        payload: Some(payload(size)),
        expect_compressed: flag(expected),
    };
    let call = || client.streaming_input().compression(Compression::Gzip);
    let mut probe = call().start();
    probe.send_uncompressed(request(27_182, true)).await?;
    failed(probe.finish().await, Code::InvalidArgument)?;

    let mut call = call().start();
    call.send(request(27_182, true)).await?;
    call.send_uncompressed(request(45_904, false)).await?;
    let total = call.finish().await?.aggregated_payload_size;
    equal("the sum of the requests", &total, &73_086)
}

pub(super) async fn server_streaming(client: &Client) -> Result<(), Failure> {
    let responses = [(31_415, true), (92_653, false)];
    let parameters = responses.map(|(size, compressed)| ResponseParameters {
        compressed: flag(compressed),
        ..response_of(size, 0)
    });
    let request = StreamingOutputCallRequest {
        response_parameters: parameters.to_vec(),
        ..StreamingOutputCallRequest::default()
    };
    let mut call = client.streaming_output(request).start();
    for (size, compressed) in responses {
        check(call.next().await?.as_ref(), size)?;
        equal(
            "whether the response was compressed",
            &call.was_compressed(),
            &compressed,
        )?;
    }
    equal("what follows the last response", &call.next().await?, &None)
}
