//! Waits that end when their server's grace begins, so that streams without an end of
//! their own do not hold it up.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use grpc_runtime::Status;

/// Returns the output of `wait`, unless `draining` ([`grpc_runtime::Context::draining`])
/// resolves first.
///
/// # Errors
/// Returns `UNAVAILABLE` if it does, or has resolved already.
pub(crate) async fn unless<T>(
    mut draining: Pin<&mut (impl Future<Output = ()> + Send)>,
    wait: impl Future<Output = T> + Send,
) -> Result<T, Status> {
    let mut wait = pin!(wait);
    poll_fn(|cx| match draining.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(Err(over())),
        Poll::Pending => wait.as_mut().poll(cx).map(Ok),
    })
    .await
}

/// The same for a `send`, which is polled first in any case: a message that has room is
/// sent.
///
/// # Errors
/// As [`unless`], and those of `send`.
pub(crate) async fn send_unless(
    mut draining: Pin<&mut (impl Future<Output = ()> + Send)>,
    send: impl Future<Output = Result<(), Status>> + Send,
) -> Result<(), Status> {
    let mut send = pin!(send);
    poll_fn(|cx| match send.as_mut().poll(cx) {
        Poll::Ready(sent) => Poll::Ready(sent),
        Poll::Pending => draining.as_mut().poll(cx).map(|()| Err(over())),
    })
    .await
}

fn over() -> Status {
    Status::unavailable("the server is shutting down")
}
