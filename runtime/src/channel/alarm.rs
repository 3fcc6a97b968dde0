//! A timer for the next of many moments, which is set anew only when that is another.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::time::Sleep;

use crate::clock;

/// It takes no memory, and no timer, before there is a moment to wait for.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    armed: Option<Instant>,
}

impl Alarm {
    /// Ready at the moment `at`; never without one.
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
            // One that has rung is not polled again before it is set anew.
            self.armed = None;
        }
        rung
    }
}
