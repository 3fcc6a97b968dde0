//! Finds where in the dynamic table a field may be, by a hash of it.
//!
//! The index may forget an entry, which costs compression, and may return a wrong or evicted
//! one, so the caller compares the result. In return it needs no removal and no chains:
//! every operation reads one bucket, whatever the fields are.

#[cfg(test)]
mod tests;

const WAYS: usize = 4;

/// Enough for a dozen fields: a usual call's.
const FIRST_BUCKETS: usize = 8;

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

    /// Whether the index is too small for `entries` of the table. Each is in it twice, and
    /// half the slots should be free.
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

    /// The first result of `check` for an insertion number under `hash`.
    #[inline]
    pub(super) fn find<T>(&self, hash: u64, check: impl Fn(u32) -> Option<T>) -> Option<T> {
        let bucket = self.buckets.get(self.bucket(hash))?;
        let tag = tag(hash);
        for slot in bucket {
            if slot.tag == tag
                && let Some(found) = check(slot.id)
            {
                return Some(found);
            }
        }
        None
    }

    /// Stores `id` under `hash`, replacing the one with the same hash, or else the oldest,
    /// which the table evicts first.
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

/// The part of a hash that distinguishes entries of one bucket. Zero marks free slots.
#[inline]
fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32 | 1
}
