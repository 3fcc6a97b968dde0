//! A service config's settings for the calls of some methods. Values.

use std::sync::Arc;
use std::time::Duration;

use super::codes::Codes;
use super::error::{ConfigPath, ServiceConfigError};
use super::retry_policy::{HedgingPolicy, RetryPolicy, RetryThrottling};

/// The settings of a [`ServiceConfig`](crate::ServiceConfig) for the calls of a method, of
/// a service, or of all. What is not set is the same as without a config.
///
/// ```
/// use std::time::Duration;
///
/// use grpc_runtime::{Code, MethodConfig, RetryPolicy};
///
/// let reads = MethodConfig::new()
///     .timeout(Duration::from_secs(5))
///     .wait_for_ready(true)
///     .retry(RetryPolicy::new([Code::Unavailable]));
/// # drop(reads);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MethodConfig {
    pub(crate) wait_for_ready: Option<bool>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) max_request_message_size: Option<usize>,
    pub(crate) max_response_message_size: Option<usize>,
    pub(crate) repeats: Option<Arc<RepeatPolicy>>,
}

/// The settings in force for the calls of one method.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MethodTerms<'a> {
    pub(crate) config: Option<&'a MethodConfig>,
    /// The config's policy, or the channel's.
    pub(crate) repeats: Option<&'a Arc<RepeatPolicy>>,
    /// The results of calls count for the throttling of retries.
    pub(crate) is_counted: bool,
}

/// How a call is attempted more than once.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RepeatPolicy {
    Retry(RetryPolicy),
    Hedging(HedgingPolicy),
}

impl RepeatPolicy {
    /// The codes after which another attempt may follow.
    pub(crate) fn codes(&self) -> Codes {
        match self {
            Self::Retry(policy) => policy.codes,
            Self::Hedging(policy) => policy.non_fatal_codes,
        }
    }
}

impl MethodConfig {
    /// An empty config: the options of channel and call apply.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether calls wait for a connection when connecting fails, unless the call itself
    /// sets that. Unless set, calls do not wait and fail with `UNAVAILABLE`.
    #[must_use]
    pub fn wait_for_ready(mut self, wait: bool) -> Self {
        self.wait_for_ready = Some(wait);
        self
    }

    /// How long a call may take from its start, unless its own timeout or deadline is
    /// earlier; unlimited unless set. After that it fails with `DEADLINE_EXCEEDED`; with 0
    /// before anything is sent.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The largest request message, in bytes, unless the call's own limit is lower; the
    /// channel's limit unless set. A larger one fails its call with `RESOURCE_EXHAUSTED`.
    #[must_use]
    pub fn max_request_message_size(mut self, bytes: usize) -> Self {
        self.max_request_message_size = Some(bytes);
        self
    }

    /// The largest response message, in bytes, unless the call's own limit is lower; the
    /// channel's limit unless set. A larger one fails its call with `RESOURCE_EXHAUSTED`.
    #[must_use]
    pub fn max_response_message_size(mut self, bytes: usize) -> Self {
        self.max_response_message_size = Some(bytes);
        self
    }

    /// Retries calls that fail; no retries unless set. Replaces a policy of either kind
    /// that was set before.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.repeats = Some(Arc::new(RepeatPolicy::Retry(policy)));
        self
    }

    /// Hedges calls: starts further attempts beside one that takes long; no hedging unless
    /// set. Replaces a policy of either kind that was set before.
    #[must_use]
    pub fn hedging(mut self, policy: HedgingPolicy) -> Self {
        self.repeats = Some(Arc::new(RepeatPolicy::Hedging(policy)));
        self
    }

    /// Checks the config. `path` is its place, for the error.
    pub(crate) fn check(&self, path: &dyn Fn() -> ConfigPath) -> Result<(), ServiceConfigError> {
        match self.repeats.as_deref() {
            Some(RepeatPolicy::Retry(policy)) => policy.check(&|| path().field("retryPolicy")),
            Some(RepeatPolicy::Hedging(policy)) => policy.check(&|| path().field("hedgingPolicy")),
            None => Ok(()),
        }
    }
}

fn holds(
    holds: bool,
    path: &dyn Fn() -> ConfigPath,
    field: &str,
    told: impl FnOnce() -> String,
) -> Result<(), ServiceConfigError> {
    if holds {
        return Ok(());
    }
    Err(ServiceConfigError::new(&path().field(field), told()))
}

fn several(attempts: u32, path: &dyn Fn() -> ConfigPath) -> Result<(), ServiceConfigError> {
    holds(attempts >= 2, path, "maxAttempts", || {
        format!("it is {attempts}; expected 2 or more")
    })
}

impl RetryPolicy {
    fn check(&self, path: &dyn Fn() -> ConfigPath) -> Result<(), ServiceConfigError> {
        several(self.max_attempts, path)?;
        let zero = || "it is 0; expected a time above 0".to_owned();
        holds(
            !self.initial_backoff.is_zero(),
            path,
            "initialBackoff",
            zero,
        )?;
        holds(!self.max_backoff.is_zero(), path, "maxBackoff", zero)?;
        let multiplier = self.backoff_multiplier;
        let grows = multiplier.is_finite() && multiplier > 0.0;
        holds(grows, path, "backoffMultiplier", || {
            format!("it is {multiplier}; expected a number above 0")
        })?;
        holds(!self.codes.is_empty(), path, "retryableStatusCodes", || {
            "it is empty; expected one code at least".to_owned()
        })
    }
}

impl HedgingPolicy {
    fn check(&self, path: &dyn Fn() -> ConfigPath) -> Result<(), ServiceConfigError> {
        several(self.max_attempts, path)
    }
}

impl RetryThrottling {
    pub(crate) fn check(&self, path: &dyn Fn() -> ConfigPath) -> Result<(), ServiceConfigError> {
        let tokens = self.max_tokens;
        let fits = tokens > 0.0 && tokens <= 1_000.0;
        holds(fits, path, "maxTokens", || {
            format!("it is {tokens}; expected a number above 0, 1000 at most")
        })?;
        let ratio = self.token_ratio;
        let counts = ratio.is_finite() && ratio >= 0.001;
        holds(counts, path, "tokenRatio", || {
            format!("it is {ratio}; expected 0.001 or more")
        })
    }
}
