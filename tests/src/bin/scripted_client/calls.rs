//! One call of each kind, as the plan says, without retries of its own.

use std::time::Duration;

use grpc_runtime::{Channel, Receiver, Status};

use crate::plan::Call;
use crate::{
    Empty, SimpleRequest, StreamingInputCallRequest, StreamingOutputCallRequest,
    StreamingOutputCallResponse, TestServiceStub, UnimplementedServiceStub,
};

/// A call with all that each one has.
macro_rules! prepared {
    ($made:expr, $call:expr, $id:expr) => {{
        let number = $id.rsplit('/').next().unwrap_or_default();
        let timeout = Duration::from_millis($call.timeout_ms);
        let mut made = $made.timeout(timeout).wait_for_ready();
        made = made.metadata("x-call", $id);
        made = made.metadata("x-script", &$call.script);
        for (key, value) in &$call.metadata {
            made = made.metadata(key, &value.replace("{}", number));
        }
        made
    }};
}

/// How many responses came, and how it ended.
pub(crate) async fn make(channel: &Channel, call: &Call, id: &str) -> (usize, Result<(), Status>) {
    let stub = TestServiceStub::new(channel.clone());
    match &*call.method {
        "EmptyCall" => single(prepared!(stub.empty_call(Empty {}), call, id).await),
        "UnaryCall" => {
            let request = SimpleRequest::default();
            single(prepared!(stub.unary_call(request), call, id).await)
        }
        "UnimplementedCall" => {
            let stub = UnimplementedServiceStub::new(channel.clone());
            single(prepared!(stub.unimplemented_call(Empty {}), call, id).await)
        }
        "StreamingOutputCall" => {
            let request = StreamingOutputCallRequest::default();
            let responses = prepared!(stub.streaming_output_call(request), call, id).start();
            drain(responses).await
        }
        "StreamingInputCall" => {
            let mut made = prepared!(stub.streaming_input_call(), call, id).start();
            for _ in 0..call.requests {
                // Why it failed is told by the end.
                let _ = made.send(StreamingInputCallRequest::default()).await;
            }
            single(made.finish().await)
        }
        "FullDuplexCall" => {
            let (mut requests, responses) = prepared!(stub.full_duplex_call(), call, id).start();
            for _ in 0..call.requests {
                let _ = requests.send(StreamingOutputCallRequest::default()).await;
            }
            requests.finish();
            drain(responses).await
        }
        other => {
            let text = format!("the plan calls {other}");
            (0, Err(Status::unimplemented(text)))
        }
    }
}

fn single<T>(answer: Result<T, Status>) -> (usize, Result<(), Status>) {
    (usize::from(answer.is_ok()), answer.map(drop))
}

async fn drain(
    mut responses: Receiver<StreamingOutputCallResponse>,
) -> (usize, Result<(), Status>) {
    let mut count = 0;
    loop {
        match responses.next().await {
            Ok(Some(_)) => count += 1,
            Ok(None) => return (count, Ok(())),
            Err(status) => return (count, Err(status)),
        }
    }
}
