//! How often and when a call is attempted again (gRFC A6). Values.

use std::time::Duration;

use super::codes::Codes;
use crate::code::Code;

/// A call's further attempts, one after the other (gRFC A6): after one that fails with
/// one of `codes`, as long as no response head has come, another begins when the backoff
/// is over. Attempts in all: 4; backoff: 100 ms, doubled each time, at most 1 s, ±20 %.
///
/// One deadline holds for all attempts. The server's trailing metadata
/// `grpc-retry-pushback-ms` has the last word on when the next attempt begins, and on
/// whether there is one. There are 5 attempts at most, or as many as
/// [`ChannelBuilder::max_attempts`](crate::ChannelBuilder::max_attempts) says.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    pub(crate) max_attempts: u32,
    pub(crate) initial_backoff: Duration,
    pub(crate) max_backoff: Duration,
    pub(crate) backoff_multiplier: f64,
    pub(crate) codes: Codes,
}

impl RetryPolicy {
    /// Tries again after these codes. None at all is an error of
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

    /// Attempts in all, the first among them; 4 unless set. Fewer than 2 are an error of
    /// [`ServiceConfigBuilder::build`](crate::ServiceConfigBuilder::build), and more than the
    /// channel's [`max_attempts`](crate::ChannelBuilder::max_attempts) count as those.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// The wait before the second attempt is `initial`, and grows by `multiplier` up to
    /// `max`, each ±20 %; 100 ms, 2 and 1 s unless set. All three are above 0; else it is an
    /// error of [`ServiceConfigBuilder::build`](crate::ServiceConfigBuilder::build).
    #[must_use]
    pub fn backoff(mut self, initial: Duration, multiplier: f64, max: Duration) -> Self {
        self.initial_backoff = initial;
        self.backoff_multiplier = multiplier;
        self.max_backoff = max;
        self
    }
}

/// A call's further attempts, beside each other (gRFC A6): each time `delay` has passed
/// and no response has come, another begins, and the first response wins. The others are
/// cancelled. Attempts in all: 2.
///
/// An attempt goes to another server than those before it, where the balancing policy
/// picks one within a few tries. A channel's default policy,
/// [`PickFirst`](crate::PickFirst), sends all to the same server.
///
/// An attempt that fails ends the call and cancels the others, unless its code is one of
/// the [`non_fatal_codes`](Self::non_fatal_codes), of which there are none unless set.
///
/// It is for methods that may be carried out several times. There are 5 attempts at most,
/// or as many as [`ChannelBuilder::max_attempts`](crate::ChannelBuilder::max_attempts)
/// says. Servers that are all slow have as many more calls;
/// [`RetryThrottling`] holds hedges back while many fail, and is off unless set.
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
    /// Begins another attempt each time `delay` has passed; 0 begins all at once.
    pub fn new(delay: Duration) -> Self {
        Self {
            max_attempts: 2,
            delay,
            non_fatal_codes: Codes::default(),
        }
    }

    /// Attempts in all, the first among them; 2 unless set. Fewer are an error of
    /// [`ServiceConfigBuilder::build`](crate::ServiceConfigBuilder::build), and more than the
    /// channel's [`max_attempts`](crate::ChannelBuilder::max_attempts) count as those.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// An attempt that fails with one of these does not end the call: the next one begins
    /// at once, and the delay anew behind it. Any other code does, and cancels the rest.
    /// None unless set.
    #[must_use]
    pub fn non_fatal_codes(mut self, codes: impl IntoIterator<Item = Code>) -> Self {
        self.non_fatal_codes = codes.into_iter().collect();
        self
    }
}

/// Holds a channel's further attempts back while many fail (gRFC A6). The channel has
/// `max_tokens`; an attempt that fails with a code that its policy names, or is told not
/// to be repeated, takes one, and a call that succeeds, of whatever method, gives
/// `token_ratio` back. At half of `max_tokens` and below no further attempts begin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryThrottling {
    pub(crate) max_tokens: f64,
    pub(crate) token_ratio: f64,
}

impl RetryThrottling {
    /// `max_tokens` is above 0 and at most 1,000; `token_ratio` is 0.001 at least, and
    /// counts to three decimal places.
    pub fn new(max_tokens: f64, token_ratio: f64) -> Self {
        Self {
            max_tokens,
            token_ratio,
        }
    }
}
