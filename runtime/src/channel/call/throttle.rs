//! The tokens for a channel's further attempts (gRFC A6, "Throttling Retry Attempts"). A
//! call's first attempt needs none.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::channel::config::retry_policy::RetryThrottling;

/// The fractions of a token that are counted: three decimal places.
const UNIT: u32 = 1_000;

/// The tokens of one channel.
#[derive(Debug)]
pub(crate) struct Throttle {
    most: u32,
    ratio: u32,
    tokens: AtomicU32,
}

impl Throttle {
    pub(crate) fn new(throttling: RetryThrottling) -> Self {
        let most = thousandths(throttling.max_tokens);
        Self {
            most,
            ratio: thousandths(throttling.token_ratio),
            tokens: AtomicU32::new(most),
        }
    }

    /// A new throttle that is as full as this one.
    pub(crate) fn rescaled(&self, throttling: RetryThrottling) -> Self {
        let new = Self::new(throttling);
        let share = u64::from(self.tokens.load(Ordering::Relaxed)) * u64::from(new.most);
        let tokens = share / u64::from(self.most.max(1));
        // A share of the maximum, so it fits.
        new.tokens
            .store(u32::try_from(tokens).unwrap_or(new.most), Ordering::Relaxed);
        new
    }

    /// `true` if this makes the tokens complete again.
    pub(crate) fn succeeded(&self) -> bool {
        self.change(|tokens| tokens.saturating_add(self.ratio).min(self.most));
        self.is_full()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.tokens.load(Ordering::Relaxed) >= self.most
    }

    pub(crate) fn failed(&self) {
        self.change(|tokens| tokens.saturating_sub(UNIT));
    }

    fn change(&self, to: impl Fn(u32) -> u32) {
        let _ = self
            .tokens
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tokens| {
                Some(to(tokens))
            });
    }

    /// Whether further attempts may begin.
    pub(crate) fn allows(&self) -> bool {
        self.tokens.load(Ordering::Relaxed) > self.most / 2
    }
}

/// More than f64's error for a number with three decimal places (1.001 becomes
/// 1000.9999999999999 thousandths), and less than any digit that counts.
const SLACK: f64 = 1e-9;

/// A number above the range becomes the largest value; the config checks ranges.
fn thousandths(number: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast keeps to the range"
    )]
    let thousandths = (number * f64::from(UNIT) + SLACK) as u32;
    thousandths
}

#[cfg(test)]
mod tests;
