//! Random numbers that spread out in time what many peers would otherwise do at once. They
//! are not for secrets: the seed comes from the standard library's hash maps.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};

/// A source of random numbers.
#[derive(Debug, Default)]
pub(crate) struct Chance {
    seed: RandomState,
    drawn: AtomicU32,
}

impl Chance {
    /// A number of at least 0 and less than 1.
    pub(crate) fn next(&self) -> f64 {
        let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
        Self::part(self.seed.hash_one(drawn))
    }

    /// The number at this place, from 0 to 1 like [`next`](Self::next); the same for each
    /// call with the same `place`.
    #[cfg(feature = "dns-txt")]
    pub(crate) fn at(&self, place: usize) -> f64 {
        Self::part(self.seed.hash_one(("at", place)))
    }

    fn part(hash: u64) -> f64 {
        let bits = (hash >> 32) as u32;
        f64::from(bits) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests;
