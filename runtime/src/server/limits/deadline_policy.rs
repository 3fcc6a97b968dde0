//! How long calls may take, whatever their callers say. Values; time is an argument.

use std::time::Duration;

use crate::status::{Code, Status};

/// How a server changes its callers' deadlines:
/// [`ServerLimits::deadlines`](crate::ServerLimits::deadlines) sets it for all methods, and
/// [`MethodLimits::deadlines`](crate::MethodLimits::deadlines) replaces it for single ones.
///
/// ```
/// use std::time::Duration;
///
/// use grpc_runtime::{DeadlinePolicy, MethodLimits, Server, ServerLimits};
///
/// let usual = DeadlinePolicy::new()
///     .assumed(Duration::from_secs(10))
///     .at_most(Duration::from_secs(60))
///     .at_least(Duration::from_millis(2));
/// // Watches may last.
/// let endless = MethodLimits::new().deadlines(DeadlinePolicy::new());
/// let limits = ServerLimits::new()
///     .deadlines(usual)
///     .service("grpc.health.v1.Health", endless);
/// # drop(limits);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeadlinePolicy {
    assumed: Option<Duration>,
    at_least: Option<Duration>,
    at_most: Option<Duration>,
}

impl DeadlinePolicy {
    /// Deadlines as callers set them, or none.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the timeout of calls whose callers set no deadline. Default: none, as in gRPC's
    /// other implementations, since a server-side timeout breaks streams that are meant to
    /// last. When it has passed the call ends with `DEADLINE_EXCEEDED`. It is raised to
    /// [`at_least`](Self::at_least) and lowered to [`at_most`](Self::at_most).
    #[must_use]
    pub fn assumed(mut self, timeout: Duration) -> Self {
        self.assumed = Some(timeout);
        self
    }

    /// Sets the least time that a call must have left when its request arrives. With less it
    /// is refused at once with `DEADLINE_EXCEEDED`, so that no handler begins work that it
    /// cannot finish. Default: 0.
    #[must_use]
    pub fn at_least(mut self, timeout: Duration) -> Self {
        self.at_least = Some(timeout);
        self
    }

    /// Sets the longest time of a call: a longer deadline is shortened to it, and a call
    /// without one gets it. Default: no limit. When it has passed the call ends with
    /// `DEADLINE_EXCEEDED`; the handler sees it as
    /// [`Context::deadline`](crate::Context::deadline), and calls that
    /// [inherit](crate::UnaryCall::inherit) it end with it.
    #[must_use]
    pub fn at_most(mut self, timeout: Duration) -> Self {
        self.at_most = Some(timeout);
        self
    }

    /// The time of a call whose caller gives it `timeout`, or why it is refused.
    pub(super) fn settle(&self, timeout: Option<Duration>) -> Result<Option<Duration>, Status> {
        let least = self.at_least.unwrap_or_default();
        if timeout.is_some_and(|timeout| timeout < least) {
            let text = "the call has less time than the server's least (DeadlinePolicy::at_least)";
            return Err(Status::new(Code::DeadlineExceeded, text));
        }
        let assumed = || self.assumed.map(|assumed| assumed.max(least));
        let timeout = timeout.or_else(assumed);
        Ok(match (timeout, self.at_most) {
            (Some(timeout), Some(most)) => Some(timeout.min(most)),
            (timeout, most) => timeout.or(most),
        })
    }
}

#[cfg(test)]
mod tests;
