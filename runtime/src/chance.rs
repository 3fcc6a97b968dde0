//! Numbers that nobody foresees, for what is spread so that many do not do it at
//! once. They are not for secrets; the seed is the standard library's own, that of
//! its hash maps.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};

/// A source of chance.
#[derive(Debug, Default)]
pub(crate) struct Chance {
    seed: RandomState,
    drawn: AtomicU32,
}

impl Chance {
    /// A number from 0 up to, and without, 1.
    pub(crate) fn next(&self) -> f64 {
        let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
        Self::part(self.seed.hash_one(drawn))
    }

    /// The number of this place: as [`next`](Self::next), and the same each time.
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
