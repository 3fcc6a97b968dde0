//! Comparing and hashing short octet strings, eight octets at a time.
//!
//! Names and values are a few words long, and at that length a call into the C library costs
//! more than the comparison.

#[cfg(test)]
mod tests;

/// A multiplier with well spread bits.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// Whether `a` and `b` are the same.
#[inline]
pub(super) fn equal(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let (Some(a_last), Some(b_last)) = (a.last_chunk::<8>(), b.last_chunk::<8>()) else {
        return short_word(a) == short_word(b);
    };
    let (a_words, _) = a.as_chunks::<8>();
    let (b_words, _) = b.as_chunks::<8>();
    for (a, b) in a_words.iter().zip(b_words) {
        if u64::from_le_bytes(*a) != u64::from_le_bytes(*b) {
            return false;
        }
    }
    u64::from_le_bytes(*a_last) == u64::from_le_bytes(*b_last)
}

/// Hashes `text` onto `seed`.
#[inline]
pub(super) fn hash(seed: u64, text: &[u8]) -> u64 {
    let mut state = seed ^ (text.len() as u64).wrapping_mul(MIX);
    let Some(last) = text.last_chunk::<8>() else {
        return fold(state, short_word(text));
    };
    // The last word overlaps the one before unless the length is a multiple
    // of eight, and then is that one again.
    let (words, _) = text[..text.len() - 1].as_chunks::<8>();
    for word in words {
        state = fold(state, u64::from_le_bytes(*word));
    }
    fold(state, u64::from_le_bytes(*last))
}

/// Multiplies to 128 bits, so that every bit reaches both ends.
#[inline]
pub(super) const fn fold(state: u64, word: u64) -> u64 {
    let product = (state ^ word) as u128 * MIX as u128;
    (product as u64) ^ (product >> 64) as u64
}

/// Fewer than eight octets in one word. Those of one length differ if and
/// only if their words do.
#[inline]
fn short_word(text: &[u8]) -> u64 {
    match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        (Some(head), Some(tail)) => {
            u64::from(u32::from_le_bytes(*head)) << 32 | u64::from(u32::from_le_bytes(*tail))
        }
        _ => text
            .iter()
            .fold(0, |word, &octet| word << 8 | u64::from(octet)),
    }
}
