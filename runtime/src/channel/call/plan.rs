//! The plan of further attempts of a method's calls: its policy, and the budget that the
//! calls of a channel share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;

use super::throttle::Throttle;
use crate::chance::Chance;
use crate::channel::config::method_config::RepeatPolicy;
use crate::channel::config::retry_policy::{HedgingPolicy, RetryThrottling};
use crate::code::Code;

/// The most attempts of a call, whatever its policy says (gRFC A6), unless the channel's
/// builder sets another limit.
pub(crate) const MAX_ATTEMPTS: u32 = 5;

/// The most bytes that one call keeps for further attempts: 256 KiB, as in grpc-go and the
/// C core.
pub(crate) const CALL_BUFFER: usize = 256 << 10;

/// The most bytes that all calls of a channel keep: 16 MiB, as in grpc-java.
pub(crate) const CHANNEL_BUFFER: usize = 16 << 20;

/// The budget that the calls of one channel share for further attempts.
#[derive(Debug)]
pub(crate) struct Purse {
    limits: AttemptLimits,
    throttle: ArcSwapOption<Throttle>,
    /// Tokens may be missing. While none are, a call that succeeds checks nothing more.
    has_spent: AtomicBool,
    /// The bytes that calls keep now.
    kept: AtomicUsize,
    chance: Chance,
}

/// The limits on further attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AttemptLimits {
    pub(crate) attempts: u32,
    pub(crate) call_buffer: usize,
    pub(crate) channel_buffer: usize,
}

impl Default for AttemptLimits {
    fn default() -> Self {
        Self {
            attempts: MAX_ATTEMPTS,
            call_buffer: CALL_BUFFER,
            channel_buffer: CHANNEL_BUFFER,
        }
    }
}

impl Purse {
    pub(crate) fn new(limits: AttemptLimits) -> Self {
        Self {
            limits,
            throttle: ArcSwapOption::empty(),
            has_spent: AtomicBool::new(false),
            kept: AtomicUsize::new(0),
            chance: Chance::default(),
        }
    }

    /// Sets the throttling from now on. The new throttle is as full as the old one.
    pub(crate) fn throttle(&self, throttling: Option<RetryThrottling>) {
        let before = self.throttle.load();
        let throttle = throttling.map(|throttling| match &*before {
            Some(before) => before.rescaled(throttling),
            None => Throttle::new(throttling),
        });
        self.throttle.store(throttle.map(Arc::new));
    }

    /// Whether a request of `bytes` bytes can be kept for another attempt.
    pub(super) fn fits(&self, bytes: usize) -> bool {
        bytes <= self.limits.call_buffer
    }

    /// A call has succeeded.
    #[inline]
    pub(super) fn succeeded(&self) {
        if self.has_spent.load(Ordering::Acquire) {
            self.give_back();
        }
    }

    #[cold]
    fn give_back(&self) {
        let throttle = self.throttle.load();
        if throttle.as_ref().is_none_or(|it| it.succeeded()) {
            self.has_spent.store(false, Ordering::Release);
            // A token may have been spent between the check and the store.
            if throttle.as_ref().is_some_and(|it| !it.is_full()) {
                self.has_spent.store(true, Ordering::Release);
            }
        }
    }

    /// An attempt that counts has failed.
    pub(super) fn failed(&self) {
        if let Some(throttle) = &*self.throttle.load() {
            throttle.failed();
            self.has_spent.store(true, Ordering::Release);
        }
    }
}

/// A policy, as applied to a call.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    repeats: Arc<RepeatPolicy>,
    purse: Arc<Purse>,
}

impl Plan {
    pub(crate) fn new(repeats: Arc<RepeatPolicy>, purse: Arc<Purse>) -> Self {
        Self { repeats, purse }
    }

    pub(crate) fn max_attempts(&self) -> u8 {
        let most = match &*self.repeats {
            RepeatPolicy::Retry(policy) => policy.max_attempts,
            RepeatPolicy::Hedging(policy) => policy.max_attempts,
        };
        let most = most.min(self.purse.limits.attempts);
        // The last number means a hedge that waits.
        u8::try_from(most).unwrap_or(u8::MAX).min(u8::MAX - 1)
    }

    pub(super) fn fits(&self, bytes: usize) -> bool {
        self.purse.fits(bytes)
    }

    pub(crate) fn hedging(&self) -> Option<&HedgingPolicy> {
        match &*self.repeats {
            RepeatPolicy::Retry(_) => None,
            RepeatPolicy::Hedging(policy) => Some(policy),
        }
    }

    /// The wait after `failed` failed attempts since the backoff last started: ±20 %.
    pub(super) fn backoff(&self, failed: u8) -> Duration {
        let RepeatPolicy::Retry(policy) = &*self.repeats else {
            return Duration::ZERO;
        };
        let grown = policy.initial_backoff.as_secs_f64()
            * policy
                .backoff_multiplier
                .powi(i32::from(failed.saturating_sub(1)));
        let nominal = grown.min(policy.max_backoff.as_secs_f64());
        let spread = 0.8 + 0.4 * self.purse.chance.next();
        Duration::try_from_secs_f64(nominal * spread).unwrap_or(policy.max_backoff)
    }

    pub(super) fn succeeded(&self) {
        self.purse.succeeded();
    }

    /// Counts a failed attempt after which another one may follow.
    pub(super) fn failed(&self) {
        self.purse.failed();
    }

    pub(super) fn is_throttled(&self) -> bool {
        let throttle = self.purse.throttle.load();
        throttle.as_ref().is_some_and(|throttle| !throttle.allows())
    }

    pub(super) fn is_repeatable(&self, code: Code) -> bool {
        self.repeats.codes().contains(code)
    }

    /// Counts `bytes` as kept; `false` if the channel's calls keep too many already.
    pub(super) fn keep(&self, bytes: usize) -> bool {
        let kept = self.purse.kept.fetch_add(bytes, Ordering::Relaxed);
        let fits = kept.saturating_add(bytes) <= self.purse.limits.channel_buffer;
        if !fits {
            self.free(bytes);
        }
        fits
    }

    pub(super) fn free(&self, bytes: usize) {
        self.purse.kept.fetch_sub(bytes, Ordering::Relaxed);
    }
}
