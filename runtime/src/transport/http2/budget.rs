//! A token bucket, which limits the work that a peer can cause. Time is an argument.

use std::time::{Duration, Instant};

/// Tokens up to `burst`, earned back with time and with useful work.
#[derive(Debug)]
pub(crate) struct Budget {
    tokens: u32,
    burst: u32,
    /// Time that earns one token.
    every: Duration,
    /// The time up to which tokens have been credited.
    credited: Instant,
}

impl Budget {
    pub(crate) fn new(burst: u32, every: Duration, now: Instant) -> Self {
        Self {
            tokens: burst,
            burst,
            every,
            credited: now,
        }
    }

    /// Takes one token; `false` when there is none left.
    pub(crate) fn spend(&mut self, now: Instant) -> bool {
        if self.tokens == 0 {
            self.credit(now);
        }
        match self.tokens.checked_sub(1) {
            Some(left) => {
                self.tokens = left;
                true
            }
            None => false,
        }
    }

    /// Gives tokens back for useful work.
    #[inline]
    pub(crate) fn earn(&mut self, tokens: u32) {
        let missing = self.burst - self.tokens;
        self.tokens += tokens.min(missing);
    }

    /// Tokens for time are credited only when the bucket is empty, so that the common path
    /// is one subtraction.
    fn credit(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.credited);
        let earned = elapsed.as_micros() / self.every.as_micros().max(1);
        self.tokens = u32::try_from(earned).unwrap_or(u32::MAX).min(self.burst);
        if self.tokens > 0 {
            self.credited = now;
        }
    }
}

#[cfg(test)]
mod tests;
