//! How long to wait between attempts to connect: gRPC's connection backoff. It
//! must never look at a clock.

use std::time::Duration;

use crate::chance::Chance;

const INITIAL: Duration = Duration::from_secs(1);
const MAX: Duration = Duration::from_secs(120);
const FACTOR: f64 = 1.6;
/// A wait is spread by this share either way, so that clients that lost one
/// server together do not come back together.
const JITTER: f64 = 0.2;

/// The waits between attempts: 1 s, ×1.6 each time, ±20 %, at most 120 s.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    attempts: u32,
    chance: Chance,
}

impl Backoff {
    /// A connection succeeded: the next failure starts from the beginning.
    pub(crate) fn reset(&mut self) {
        self.attempts = 0;
    }

    /// The wait after one more failure.
    pub(crate) fn next(&mut self) -> Duration {
        let exponent = i32::try_from(self.attempts.min(32)).unwrap_or(32);
        let base = INITIAL.as_secs_f64() * FACTOR.powi(exponent);
        let base = base.min(MAX.as_secs_f64());
        self.attempts = self.attempts.saturating_add(1);
        let spread = JITTER * (2.0 * self.chance.next() - 1.0);
        Duration::from_secs_f64(base * (1.0 + spread))
    }
}

#[cfg(test)]
mod tests;
