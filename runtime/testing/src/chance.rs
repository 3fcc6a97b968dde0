//! Numbers that a seed settles. They are not for secrets.

/// A source of numbers: the same seed gives the same ones.
#[derive(Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// A source for the part of a test that `seed` and `path` name.
    pub(crate) fn new(seed: u64, path: &[&[u8]]) -> Self {
        // FNV-1a, with the length of each part so that no two paths are alike.
        let mut hash = seed ^ 0xcbf2_9ce4_8422_2325;
        for part in path {
            for byte in part.iter().chain(&part.len().to_be_bytes()) {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        Self(hash)
    }

    /// A number from 0 up to, and without, 1. It is splitmix64.
    pub(crate) fn fraction(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        f64::from((bits >> 32) as u32) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(seed: u64, path: &[&[u8]]) -> Vec<f64> {
        let mut chance = Chance::new(seed, path);
        (0..1000).map(|_| chance.fraction()).collect()
    }

    #[test]
    fn a_seed_and_a_path_settle_the_numbers() {
        let path: &[&[u8]] = &[b"a", b"b"];
        assert_eq!(numbers(7, path), numbers(7, path));
        assert_ne!(numbers(7, path), numbers(8, path));
        assert_ne!(numbers(7, path), numbers(7, &[b"ab", b""]));
    }

    #[test]
    fn the_numbers_are_spread_evenly() {
        let numbers = numbers(7, &[]);
        let mean = numbers.iter().sum::<f64>() / 1000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
        assert!(numbers.iter().all(|number| (0.0..1.0).contains(number)));
    }
}
