//! How long to wait between attempts to connect (gRPC's connection backoff). Time is an
//! argument.

use std::time::Duration;

use crate::chance::Chance;

const FACTOR: f64 = 1.6;
/// The jitter: a wait differs by up to this share either way, so that clients that lost a
/// server together do not reconnect at once.
const JITTER: f64 = 0.2;

/// The first wait and the longest, before jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waits {
    pub(super) first: Duration,
    pub(super) longest: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(120),
        }
    }
}

/// The waits between attempts: each 1.6 times the one before, ±20 %.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    waits: Waits,
    attempts: u32,
    chance: Chance,
}

impl Backoff {
    pub(crate) fn new(waits: Waits) -> Self {
        Self {
            waits,
            ..Self::default()
        }
    }

    /// A connection succeeded: the next failure starts with the first wait.
    pub(crate) fn reset(&mut self) {
        self.attempts = 0;
    }

    /// The wait after one more failure.
    pub(crate) fn next(&mut self) -> Duration {
        let exponent = i32::try_from(self.attempts.min(32)).unwrap_or(32);
        let base = self.waits.first.as_secs_f64() * FACTOR.powi(exponent);
        let base = base.min(self.waits.longest.as_secs_f64());
        self.attempts = self.attempts.saturating_add(1);
        let spread = JITTER * (2.0 * self.chance.next() - 1.0);
        Duration::from_secs_f64(base * (1.0 + spread))
    }
}

#[cfg(test)]
mod tests;
