//! Calls for tests of the way to a stream, and their results.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::call_options::CallOptions;
use super::open_call::{Home, OpenCall};
use super::plan::{AttemptLimits, Purse};
use crate::call::response_head::Coding;
use crate::call::state::CallState;
use crate::channel::config::method_config::RepeatPolicy;
use crate::channel::config::retry_policy::HedgingPolicy;
use crate::framing::Compression;
use crate::method::Method;
use crate::status::Status;

/// The caller's end of a call.
pub(in crate::channel) struct Trial(Arc<CallState>);

impl Trial {
    /// A call, and its end for the connection.
    pub(in crate::channel) fn call(
        wait_for_ready: bool,
        deadline: Option<Instant>,
    ) -> (Self, Box<OpenCall>) {
        let coding = Coding::default();
        let state = CallState::new(usize::MAX, coding, Compression::Identity, None);
        let options = CallOptions {
            deadline,
            wait_for_ready,
            ..CallOptions::default()
        };
        let method = Method::unary("/a.B/C");
        let open = OpenCall::boxed(Arc::clone(&state), method, options, None);
        (Self(state), open)
    }

    /// A hedged call: its first attempt, and the hedge that waits for its start.
    pub(in crate::channel) fn hedged(
        delay: Duration,
        deadline: Option<Instant>,
    ) -> (Self, Box<OpenCall>, Box<OpenCall>) {
        let (trial, mut first) = Self::call(false, deadline);
        let policy = HedgingPolicy::new(delay);
        first.repeat(Arc::new(RepeatPolicy::Hedging(policy)), home());
        let hedge = first.hedge(Instant::now());
        (trial, first, hedge.expect("its policy has one"))
    }

    /// The status with which it failed; `None` while it runs.
    pub(in crate::channel) fn failure(&self) -> Option<Status> {
        let mut cx = Context::from_waker(Waker::noop());
        match self.0.poll_response(&mut cx) {
            Poll::Ready((_, _, ended)) => Some(ended.expect_err("nobody answers it")),
            Poll::Pending => None,
        }
    }

    /// The caller cancels the call.
    pub(in crate::channel) fn cancel(&self) {
        self.0.cancel();
    }
}

struct Nowhere(Arc<Purse>);

impl Home for Nowhere {
    fn attempt(&self, _open: Box<OpenCall>) {
        panic!("no attempt of these tests fails");
    }

    fn purse(&self) -> &Arc<Purse> {
        &self.0
    }
}

/// The home of calls whose attempts do not fail.
pub(in crate::channel) fn home() -> Arc<dyn Home> {
    Arc::new(Nowhere(Arc::new(Purse::new(AttemptLimits::default()))))
}
