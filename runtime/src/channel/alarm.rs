//! A timer for the earliest of many instants. It is reset only when that instant changes.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::time::Sleep;

use crate::clock;

/// It allocates nothing until there is an instant to wait for.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    armed: Option<Instant>,
}

impl Alarm {
    /// Ready at the instant `at`; never if that is `None`.
    pub(super) fn poll(&mut self, at: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = at else {
            return Poll::Pending;
        };
        let sleep = match &mut self.sleep {
            Some(sleep) => {
                if self.armed != Some(at) {
                    sleep.as_mut().reset(clock::timer(at));
                }
                sleep
            }
            None => self
                .sleep
                .insert(Box::pin(tokio::time::sleep_until(clock::timer(at)))),
        };
        self.armed = Some(at);
        let rung = sleep.as_mut().poll(cx);
        if rung.is_ready() {
            // A timer that has fired must be reset before it is polled again.
            self.armed = None;
        }
        rung
    }
}
