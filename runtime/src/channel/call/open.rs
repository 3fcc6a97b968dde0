//! A call on its way to a stream. Whoever holds it owns the connection's end of
//! the call: dropped, it ends the call, so that no caller ever waits for a
//! connection that is no more.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::attempt::Attempt;
use super::call_options::CallOptions;
use super::response::Response;
use crate::call::state::CallState;
use crate::channel::config::method_config::{MethodConfig, Repeats};
use crate::framing::{FramingError, PREFIX_LEN, Side};
use crate::method::Method;
use crate::status::{Code, Phase, Status};

/// Attempts of one call that the server never looked at: beyond these it is the
/// server that is at fault.
const MAX_ATTEMPTS: u8 = 5;

/// A call that waits for a stream, or runs on one.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) state: Arc<CallState>,
    pub(crate) method: Method,
    pub(crate) options: CallOptions,
    /// The whole request where the method takes one message.
    pub(crate) request: Option<Bytes>,
    pub(crate) attempt: Attempt,
    /// How it is attempted more than once, if it is.
    pub(crate) repeats: Option<Arc<Repeats>>,
    /// When it began, if the service config was not known yet and has a say still.
    pub(crate) unsettled: Option<Instant>,
}

impl Open {
    /// Boxed from the first, as it is handed on often.
    #[inline]
    pub(crate) fn boxed(
        state: Arc<CallState>,
        method: Method,
        options: CallOptions,
        request: Option<Bytes>,
    ) -> Box<Self> {
        Box::new(Self {
            state,
            method,
            options,
            request,
            attempt: Attempt::new(),
            repeats: None,
            unsettled: None,
        })
    }

    /// Has the service config's say, as `config_of` knows it, in a call that began before
    /// it was known. What is wrong with the call then.
    pub(crate) fn settle(
        &mut self,
        config_of: impl FnOnce(&Method) -> Option<MethodConfig>,
    ) -> Result<(), Status> {
        let Some(start) = self.unsettled.take() else {
            return Ok(());
        };
        let Some(config) = config_of(&self.method) else {
            return Ok(());
        };
        self.options.hold_to(&config, start);
        self.repeats = config.repeats;
        let limit = self.options.limits.max_send_message_size;
        let size = self.request.as_ref().map_or(0, |it| it.len() - PREFIX_LEN);
        if size > limit {
            let error = FramingError::SendTooLarge { size, limit };
            return Err(error.into_status(Side::Client));
        }
        Ok(())
    }

    /// Ends the call with an error, unless it is over. What arrives when the
    /// deadline has passed is told as what it is: the other side's deadline and
    /// ours are one (gRPC's deadline rule).
    pub(crate) fn fail(mut self: Box<Self>, status: Status, now: Instant) {
        let late = self
            .options
            .deadline
            .is_some_and(|deadline| deadline <= now);
        let status = match status.code() {
            Code::Cancelled | Code::Unavailable if late => expired().with_source(status),
            _ => status,
        };
        let status = match &self.attempt.response {
            Response::Whole { head, .. } => status.with_initial_metadata(head.clone()),
            Response::Awaited | Response::Stream => status,
        };
        self.attempt.end(status.code(), Some(status.metadata()));
        self.state.deliver_end(Err(status));
    }

    /// Whether a server that did not look at the call may be asked again.
    pub(crate) fn may_retry(&mut self) -> bool {
        self.attempt.number += 1;
        self.attempt.number < MAX_ATTEMPTS && !self.state.is_over()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.state.is_over() {
            let text = "the tokio runtime that carried the channel's connection, that of its \
                        first call, was shut down (ChannelBuilder::background_connections \
                        keeps connections on a thread of their own)";
            let status = Status::new(Code::Unavailable, text).with_phase(Phase::Call);
            self.state.deliver_end(Err(status));
        }
    }
}

/// The call's time is up on this side.
pub(crate) fn expired() -> Status {
    Status::new(Code::DeadlineExceeded, "the call's deadline passed").with_phase(Phase::Call)
}

/// The channel was closed on this side.
pub(crate) fn closed() -> Status {
    Status::new(Code::Cancelled, "the channel was closed").with_phase(Phase::Call)
}
