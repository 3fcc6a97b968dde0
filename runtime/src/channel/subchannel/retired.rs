//! Runs connections that accept no more calls, until they end.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use super::connection::ClientConnection;
use crate::channel::call::open_call;
use crate::channel::connectivity::Connectivity;
use crate::clock;
use crate::transport::driver::Driver;

/// Runs until its calls are done or the channel is closed.
pub(super) async fn retire(
    mut driver: Box<Driver<ClientConnection>>,
    name: &str,
    closed: &Connectivity,
) {
    let (connection, application) = driver.parts();
    application.end_watches(connection);
    let mut closing = pin!(closed.closed());
    let closed = poll_fn(|cx| match driver.poll_run(cx) {
        Poll::Ready(closed) => Poll::Ready(Some(closed)),
        Poll::Pending => closing.as_mut().poll(cx).map(|()| None),
    })
    .await;
    match closed {
        Some(closed) => {
            let now = clock::now();
            let has_last_words = closed.has_last_words();
            driver.application.close(closed, name, true, now);
            if has_last_words {
                (*driver).leave().await;
            }
        }
        None => abandon(driver).await,
    }
}

/// Ends a connection and its calls, and tells the server.
pub(super) async fn abandon(mut driver: Box<Driver<ClientConnection>>) {
    let (connection, application) = driver.parts();
    application.abandon(connection, &open_call::closed(), clock::now());
    (*driver).leave().await;
}
