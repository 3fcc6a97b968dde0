//! Why a server does not start, and what its user is told.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use grpc_runtime::{Context, Method, Server, ServerError, Service, Shape, Status};

use crate::support::Echo;

const GET: Method = Method::unary("/test.Shop/Get");
const CHAT: Method = Method::bidi_streaming("/test.Shop/Chat");

async fn get((): &(), _: Echo, _: &mut Context) -> Result<Echo, Status> {
    Ok(Echo::default())
}

#[tokio::test]
async fn a_method_that_was_added_as_another_shape_is_told() {
    let wrong = Service::builder("test.Shop", Arc::new(()))
        .unary(GET, get)
        .unary(CHAT, get)
        .build();
    let server = Server::builder().add_service(wrong).listen("127.0.0.1:0");
    let error = server.start().await.unwrap_err();
    assert!(
        matches!(error, ServerError::MethodShape { method, added_as }
            if method == CHAT && added_as == Shape::UNARY),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        "the method '/test.Shop/Chat' was added by ServiceBuilder::unary; its shape needs \
         ServiceBuilder::bidi_streaming"
    );
}

#[tokio::test]
async fn a_text_that_is_no_address_is_told_by_start() {
    let error = Server::builder().listen("nowhere").start().await;
    let error = error.unwrap_err();
    assert!(
        matches!(&error, ServerError::Address { address, .. } if address == "nowhere"),
        "{error:?}"
    );
}

#[test]
fn who_starts_it_without_a_runtime_is_told() {
    let start = pin!(Server::builder().listen("127.0.0.1:0").start());
    let polled = start.poll(&mut TaskContext::from_waker(Waker::noop()));
    assert!(
        matches!(&polled, Poll::Ready(Err(ServerError::NoRuntime))),
        "{polled:?}"
    );
}
