//! Waits that end when their server's grace begins, so that streams without an end of
//! their own do not hold it up.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use grpc_runtime::Status;

/// What `wait` gives, unless `draining` ([`grpc_runtime::Context::draining`]) comes first.
///
/// # Errors
/// `UNAVAILABLE` where it does, or has come.
pub(crate) async fn unless<T>(
    mut draining: Pin<&mut (impl Future<Output = ()> + Send)>,
    wait: impl Future<Output = T> + Send,
) -> Result<T, Status> {
    let mut wait = pin!(wait);
    poll_fn(|cx| match draining.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(Err(Status::unavailable("the server is shutting down"))),
        Poll::Pending => wait.as_mut().poll(cx).map(Ok),
    })
    .await
}
