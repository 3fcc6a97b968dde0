//! Where in the dynamic table a field may be, by a hash of it.
//!
//! The index may forget an entry, which costs compression, and may name one
//! that is gone or another, so whoever asks compares what it finds. For that
//! it needs no removal and no chains: every operation looks at one bucket,
//! whatever fields a peer or a caller makes up.

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;

const WAYS: usize = 4;

/// Enough for a dozen fields: a usual call's.
const FIRST_BUCKETS: usize = 8;

/// A multiplier with well spread bits.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// Hash to insertion number.
pub(super) struct Index {
    /// A power of two of them, or none yet.
    buckets: Vec<[Slot; WAYS]>,
}

/// The insertion number `id` is only meaningful under a matching `tag`.
#[derive(Clone, Copy, Default)]
struct Slot {
    tag: u32,
    id: u32,
}

impl Index {
    pub(super) const fn new() -> Self {
        Self {
            buckets: Vec::new(),
        }
    }

    /// Whether the index is too small to serve `entries` of the table well.
    /// Each stands in it twice, and half the slots are to be free.
    #[inline]
    pub(super) fn is_crowded(&self, entries: usize) -> bool {
        entries > self.buckets.len()
    }

    /// Forgets all and makes room for `entries` and as many more.
    pub(super) fn reset(&mut self, entries: usize) {
        let buckets = (entries * 2).next_power_of_two().max(FIRST_BUCKETS);
        self.buckets.clear();
        self.buckets.resize(buckets, [Slot::default(); WAYS]);
    }

    /// The insertion numbers kept under `hash`.
    #[inline]
    pub(super) fn candidates(&self, hash: u64) -> impl Iterator<Item = u32> + '_ {
        let bucket = self.buckets.get(self.bucket(hash));
        bucket
            .into_iter()
            .flatten()
            .filter(move |slot| slot.tag == tag(hash))
            .map(|slot| slot.id)
    }

    /// Keeps `id` under `hash`, in place of what was under the same hash, or
    /// else of the oldest: the one evicted from the table first.
    pub(super) fn insert(&mut self, hash: u64, id: u32) {
        let at = self.bucket(hash);
        let Some(bucket) = self.buckets.get_mut(at) else {
            return;
        };
        let tag = tag(hash);
        let victim = bucket.iter_mut().max_by_key(|slot| {
            let age = id.wrapping_sub(slot.id);
            (slot.tag == tag, slot.tag == 0, age)
        });
        if let Some(slot) = victim {
            *slot = Slot { tag, id };
        }
    }

    #[inline]
    fn bucket(&self, hash: u64) -> usize {
        hash as usize & self.buckets.len().wrapping_sub(1)
    }
}

/// What tells hashes of one bucket apart. Zero is left to free slots.
#[inline]
fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32 | 1
}

/// Hashes `text` onto `seed`.
#[inline]
pub(super) fn hash(seed: u64, text: &[u8]) -> u64 {
    let mut state = seed ^ (text.len() as u64).wrapping_mul(MIX);
    let (words, rest) = text.as_chunks::<8>();
    for word in words {
        state = fold(state, u64::from_le_bytes(*word));
    }
    // The rest, read as the last octets of the text, even if some of them are
    // in a word already.
    let last = if let Some(word) = text.last_chunk::<8>() {
        u64::from_le_bytes(*word)
    } else if let Some((head, tail)) = text.first_chunk::<4>().zip(text.last_chunk::<4>()) {
        u64::from(u32::from_le_bytes(*head)) << 32 | u64::from(u32::from_le_bytes(*tail))
    } else {
        rest.iter().fold(0, |word, &octet| word << 8 | u64::from(octet))
    };
    fold(state, last)
}

/// Multiplies to 128 bits, so that every bit reaches both ends.
#[inline]
pub(super) const fn fold(state: u64, word: u64) -> u64 {
    let product = (state ^ word) as u128 * MIX as u128;
    (product as u64) ^ (product >> 64) as u64
}
