//! Streams, one way and both.

use crate::client::{Client, length, payload};
use crate::failure::{Failure, equal};
use crate::{
    ResponseParameters, StreamingInputCallRequest, StreamingOutputCallRequest,
    StreamingOutputCallResponse,
};

const REQUESTS: [usize; 4] = [27_182, 8, 1828, 45_904];
const RESPONSES: [i32; 4] = [31_415, 9, 2653, 58_979];

/// A response of this size, to be sent after `interval_us`.
pub(super) fn response_of(size: i32, interval_us: i32) -> ResponseParameters {
    ResponseParameters {
        size,
        interval_us,
        ..ResponseParameters::default()
    }
}

/// A request of one size for a response of another.
pub(super) fn request_for(
    request: usize,
    response: ResponseParameters,
) -> StreamingOutputCallRequest {
    StreamingOutputCallRequest {
        response_parameters: vec![response],
        payload: Some(payload(request)),
        ..StreamingOutputCallRequest::default()
    }
}

/// The next response has this size.
pub(super) fn check(
    response: Option<&StreamingOutputCallResponse>,
    size: i32,
) -> Result<(), Failure> {
    let found = response.map(|response| length(response.payload.as_ref()));
    equal("the response's body", &found, &usize::try_from(size).ok())
}

pub(super) async fn client(client: &Client) -> Result<(), Failure> {
    let mut call = client.streaming_input().start();
    for size in REQUESTS {
        let payload = Some(payload(size));
        let expect_compressed = None;
        call.send(StreamingInputCallRequest {
            payload,
            expect_compressed,
        })
        .await?;
    }
    let total = call.finish().await?.aggregated_payload_size;
    equal("the sum of the requests", &total, &74_922)
}

pub(super) async fn server(client: &Client) -> Result<(), Failure> {
    let request = StreamingOutputCallRequest {
        response_parameters: RESPONSES.map(|size| response_of(size, 0)).to_vec(),
        ..StreamingOutputCallRequest::default()
    };
    let mut responses = client.streaming_output(request).start();
    for size in RESPONSES {
        check(responses.next().await?.as_ref(), size)?;
    }
    equal(
        "what follows the last response",
        &responses.next().await?,
        &None,
    )
}

/// Each response is awaited before the next request goes out.
pub(super) async fn ping_pong(client: &Client) -> Result<(), Failure> {
    let (mut requests, mut responses) = client.full_duplex().start();
    for (request, response) in REQUESTS.into_iter().zip(RESPONSES) {
        requests
            .send(request_for(request, response_of(response, 0)))
            .await?;
        check(responses.next().await?.as_ref(), response)?;
    }
    requests.finish();
    equal(
        "what follows the last response",
        &responses.next().await?,
        &None,
    )
}

/// All requests go out before the first response.
pub(super) async fn half_duplex(client: &Client) -> Result<(), Failure> {
    let (mut requests, mut responses) = client.half_duplex().start();
    for (request, response) in REQUESTS.into_iter().zip(RESPONSES) {
        requests
            .send(request_for(request, response_of(response, 0)))
            .await?;
    }
    requests.finish();
    for size in RESPONSES {
        check(responses.next().await?.as_ref(), size)?;
    }
    equal(
        "what follows the last response",
        &responses.next().await?,
        &None,
    )
}

pub(super) async fn empty(client: &Client) -> Result<(), Failure> {
    let (requests, mut responses) = client.full_duplex().start();
    requests.finish();
    equal("what comes for no request", &responses.next().await?, &None)
}
