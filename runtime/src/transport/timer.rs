//! The timer of a connection's task.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::Instant;

use tokio::time::Sleep;

use crate::clock;

/// Armed for the next timeout when the task rests. A timer that fires too early is left as
/// it is: most timeouts are cancelled, and re-arming costs more than a needless wake-up. A
/// timer that is not needed twice in a row is dropped: while the runtime has a timer, each
/// wait for sockets sets one in the kernel too.
#[derive(Debug, Default)]
pub(super) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    /// When `sleep` fires: not later than the next timeout of the last rest.
    armed: Option<Instant>,
    /// No timer was needed at the last rest either.
    timeless: bool,
    /// The task has rested since timeouts were last asked for.
    rested: bool,
}

impl Timer {
    /// Whether a timeout of the last rest may be due. Asked once for each rest: those that
    /// came since are not known here.
    #[inline]
    pub(super) fn may_be_due(&mut self, now: Instant) -> bool {
        let rested = std::mem::take(&mut self.rested);
        !rested || self.armed.is_some_and(|armed| armed <= now)
    }

    /// Before a rest: arms the timer for `next`; `true` if that is already due.
    #[inline]
    pub(super) fn poll_due(&mut self, next: Option<Instant>, cx: &mut Context<'_>) -> bool {
        let is_due = next.is_some_and(|next| self.arm(next, cx));
        if next.is_none() && (!self.timeless || self.sleep.is_some()) {
            self.disarm();
        }
        self.rested = !is_due;
        is_due
    }

    fn disarm(&mut self) {
        if std::mem::replace(&mut self.timeless, true) {
            self.sleep = None;
            self.armed = None;
        }
    }

    fn arm(&mut self, next: Instant, cx: &mut Context<'_>) -> bool {
        self.timeless = false;
        loop {
            if self.armed.is_none_or(|armed| next < armed) {
                let at = clock::timer(next);
                match &mut self.sleep {
                    Some(sleep) => sleep.as_mut().reset(at),
                    None => self.sleep = Some(Box::pin(tokio::time::sleep_until(at))),
                }
                self.armed = Some(next);
            }
            if let Some(sleep) = &mut self.sleep
                && sleep.as_mut().poll(cx).is_ready()
            {
                self.armed = None;
                if next <= clock::now() {
                    return true;
                }
                continue;
            }
            return false;
        }
    }
}
