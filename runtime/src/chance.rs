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
mod tests {
    use super::Chance;

    #[test]
    fn numbers_differ_and_fill_the_range() {
        let chance = Chance::default();
        let drawn: Vec<f64> = (0..1_000).map(|_| chance.next()).collect();
        assert!(drawn.iter().all(|number| (0.0..1.0).contains(number)));
        assert!(drawn.iter().any(|number| *number < 0.2));
        assert!(drawn.iter().any(|number| *number > 0.8));
    }

    #[cfg(feature = "dns-txt")]
    #[test]
    fn the_number_of_a_place_stays_and_others_have_others() {
        let chance = Chance::default();
        let drawn: Vec<f64> = (0..1_000).map(|place| chance.at(place)).collect();
        assert!(drawn.iter().any(|number| *number < 0.2));
        assert!(drawn.iter().any(|number| *number > 0.8));
        for (place, number) in drawn.iter().enumerate() {
            assert!((0.0..1.0).contains(number));
            assert!(chance.at(place).total_cmp(number).is_eq());
        }
        let others = (0..1_000).map(|place| Chance::default().at(place));
        assert!(
            others
                .zip(drawn)
                .any(|(one, other)| one.total_cmp(&other).is_ne())
        );
    }
}
