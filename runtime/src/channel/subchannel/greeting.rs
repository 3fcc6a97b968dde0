//! A new connection before it has calls: HTTP/2's first exchange.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::clock;
use crate::transport::Http2Options;
use crate::transport::driver::{Application, Closed, Driver};
use crate::transport::http2::connection::{Connection, Role};
use crate::transport::http2::event::Event;
use crate::transport::io::Io;

/// The application of a connection that has no calls yet.
#[derive(Debug)]
pub(super) struct Greeting;

impl Greeting {
    pub(super) fn over(io: Io, http2: &Http2Options) -> Driver<Self> {
        let connection = Connection::new(Role::Client, http2.clone(), clock::now());
        Driver::new(io, connection, Self)
    }
}

/// Waits until the server has sent its SETTINGS, which shows that it speaks HTTP/2.
pub(super) async fn established(mut driver: Driver<Greeting>) -> Result<Driver<Greeting>, Closed> {
    let closed = poll_fn(|cx| match driver.poll_run(cx) {
        Poll::Ready(closed) => Poll::Ready(Some(closed)),
        Poll::Pending if driver.connection().is_established() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await;
    match closed {
        Some(closed) => {
            if closed.has_last_words() {
                tokio::spawn(driver.leave());
            }
            Err(closed)
        }
        None => Ok(driver),
    }
}

/// There are no calls, so it ignores all events.
impl Application for Greeting {
    fn on_event(&mut self, _connection: &mut Connection, _event: Event, _now: Instant) {}

    fn poll_commands(
        &mut self,
        _connection: &mut Connection,
        _now: Instant,
        _cx: &mut Context<'_>,
    ) -> bool {
        false
    }

    fn flush(&mut self, _connection: &mut Connection, _now: Instant) {}

    fn next_timeout(&self) -> Option<Instant> {
        None
    }

    fn on_timeout(&mut self, _connection: &mut Connection, _now: Instant) {}
}
