//! Calls for tests of what leads them to a stream, and how they ended.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::call_options::CallOptions;
use super::open::Open;
use crate::call::response_head::Coding;
use crate::call::state::CallState;
use crate::framing::Compression;
use crate::method::Method;
use crate::status::Status;

/// A caller's end of a call.
pub(in crate::channel) struct Trial(Arc<CallState>);

impl Trial {
    /// A call, and its way to a stream.
    pub(in crate::channel) fn call(
        wait_for_ready: bool,
        deadline: Option<Instant>,
    ) -> (Self, Box<Open>) {
        let coding = Coding::default();
        let state = CallState::new(usize::MAX, coding, Compression::Identity, None);
        let options = CallOptions {
            deadline,
            wait_for_ready,
            ..CallOptions::default()
        };
        let method = Method::unary("/a.B/C");
        let open = Open::boxed(Arc::clone(&state), method, options, None);
        (Self(state), open)
    }

    /// What it failed with; `None` while it goes on.
    pub(in crate::channel) fn failure(&self) -> Option<Status> {
        let mut cx = Context::from_waker(Waker::noop());
        match self.0.poll_response(&mut cx) {
            Poll::Ready((_, _, ended)) => Some(ended.expect_err("nobody answers it")),
            Poll::Pending => None,
        }
    }

    /// The caller wants it no more.
    pub(in crate::channel) fn cancel(&self) {
        self.0.cancel();
    }
}
