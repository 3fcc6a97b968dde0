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
mod tests;
