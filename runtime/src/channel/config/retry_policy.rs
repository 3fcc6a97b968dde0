//! Policies for further attempts of a call: how many and when (gRFC A6). Values.

use std::time::Duration;

use super::codes::Codes;
use crate::code::Code;

/// Retries a call, one attempt after the other (gRFC A6). After an attempt that fails with
/// one of `codes`, and before any response head has arrived, another one starts when the
/// backoff has passed. Defaults: 4 attempts in all; a backoff of 100 ms, doubled each time,
/// at most 1 s, ±20 %.
///
/// One deadline applies to all attempts. The server's trailing metadata
/// `grpc-retry-pushback-ms` overrides the wait before the next attempt, or forbids it.
/// There are at most 5 attempts, or
/// [`ChannelBuilder::max_attempts`](crate::ChannelBuilder::max_attempts).
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    pub(crate) max_attempts: u32,
    pub(crate) initial_backoff: Duration,
    pub(crate) max_backoff: Duration,
    pub(crate) backoff_multiplier: f64,
    pub(crate) codes: Codes,
}

impl RetryPolicy {
    /// Retries after these codes. An empty list is an error of
    /// [`ServiceConfigBuilder::build`](crate::ServiceConfigBuilder::build).
    pub fn new(codes: impl IntoIterator<Item = Code>) -> Self {
        Self {
            max_attempts: 4,
            initial_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(1),
            backoff_multiplier: 2.0,
            codes: codes.into_iter().collect(),
        }
    }

    /// The most attempts in all, including the first; 4 unless set. Fewer than 2 are an
    /// error of [`ServiceConfigBuilder::build`](crate::ServiceConfigBuilder::build); more
    /// than the channel's [`max_attempts`](crate::ChannelBuilder::max_attempts) count as
    /// that number.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// The wait before the second attempt is `initial`. It grows by the factor `multiplier`
    /// up to `max`; each wait varies by ±20 %. 100 ms, 2 and 1 s unless set. All three must
    /// be above 0; otherwise
    /// [`ServiceConfigBuilder::build`](crate::ServiceConfigBuilder::build) fails.
    #[must_use]
    pub fn backoff(mut self, initial: Duration, multiplier: f64, max: Duration) -> Self {
        self.initial_backoff = initial;
        self.backoff_multiplier = multiplier;
        self.max_backoff = max;
        self
    }
}

/// Hedges a call: runs attempts in parallel (gRFC A6). Each time `delay` has passed without
/// a response, another attempt starts. The first response is used and the other attempts
/// are cancelled. Default: 2 attempts in all.
///
/// An attempt goes to another server than the previous ones if the balancing policy picks
/// another within a few tries. A channel's default policy, [`PickFirst`](crate::PickFirst),
/// sends all attempts to the same server.
///
/// An attempt that fails ends the call and cancels the others, unless its code is one of
/// the [`non_fatal_codes`](Self::non_fatal_codes); none unless set.
///
/// Use it only for methods that may be carried out several times. There are at most 5
/// attempts, or [`ChannelBuilder::max_attempts`](crate::ChannelBuilder::max_attempts). If
/// all servers are slow, hedging multiplies their calls. [`RetryThrottling`], off unless
/// set, stops hedges while many calls fail.
///
/// ```
/// use std::time::Duration;
///
/// use grpc_runtime::{Code, HedgingPolicy, MethodConfig, RoundRobin, ServiceConfig};
///
/// # fn main() -> Result<(), grpc_runtime::ServiceConfigError> {
/// let policy = HedgingPolicy::new(Duration::from_millis(20)).non_fatal_codes([Code::Unavailable]);
/// let config = ServiceConfig::builder()
///     .balance(RoundRobin::new())
///     .all(MethodConfig::new().hedging(policy))
///     .build()?;
/// # drop(config);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct HedgingPolicy {
    pub(crate) max_attempts: u32,
    pub(crate) delay: Duration,
    pub(crate) non_fatal_codes: Codes,
}

impl HedgingPolicy {
    /// Starts another attempt each time `delay` has passed; with 0 all start at once.
    pub fn new(delay: Duration) -> Self {
        Self {
            max_attempts: 2,
            delay,
            non_fatal_codes: Codes::default(),
        }
    }

    /// The most attempts in all, including the first; 2 unless set. Fewer are an error of
    /// [`ServiceConfigBuilder::build`](crate::ServiceConfigBuilder::build); more than the
    /// channel's [`max_attempts`](crate::ChannelBuilder::max_attempts) count as that
    /// number.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Codes that do not end the call: after such a failure the next attempt starts at
    /// once, and the delay starts again after it. Any other code ends the call and cancels
    /// the other attempts. None unless set.
    #[must_use]
    pub fn non_fatal_codes(mut self, codes: impl IntoIterator<Item = Code>) -> Self {
        self.non_fatal_codes = codes.into_iter().collect();
        self
    }
}

/// Stops a channel's further attempts while many fail (gRFC A6). The channel starts with
/// `max_tokens`. An attempt that fails with a code of its policy, or whose server forbids
/// repeating it, takes one token; each call that succeeds, of any method, returns
/// `token_ratio`. No further attempts start while the tokens are at half of `max_tokens` or
/// below.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryThrottling {
    pub(crate) max_tokens: f64,
    pub(crate) token_ratio: f64,
}

impl RetryThrottling {
    /// `max_tokens` must be above 0 and at most 1,000; `token_ratio` at least 0.001. Both
    /// count to three decimal places.
    pub fn new(max_tokens: f64, token_ratio: f64) -> Self {
        Self {
            max_tokens,
            token_ratio,
        }
    }
}
