//! Tests of comparing and hashing.

use proptest::prelude::*;

use super::{equal, hash};

#[test]
fn hashes_differ_by_every_octet_and_by_length() {
    let mut seen = std::collections::HashSet::new();
    for len in 0..40 {
        let text = vec![0_u8; len];
        assert!(seen.insert(hash(0, &text)));
        for at in 0..len {
            let mut text = text.clone();
            text[at] = 1;
            assert!(seen.insert(hash(0, &text)), "{len} {at}");
        }
    }
}

#[test]
fn every_octet_counts() {
    for len in 0..40 {
        let text: Vec<u8> = (0..len).collect();
        assert!(equal(&text, &text.clone()));
        for at in 0..usize::from(len) {
            let mut other = text.clone();
            other[at] ^= 0x80;
            assert!(!equal(&text, &other), "{len} {at}");
            assert!(!equal(&text, &text[..at]));
        }
    }
}

proptest! {
    #[test]
    fn equal_is_equality(
        a in prop::collection::vec(0_u8..2, 0..20),
        b in prop::collection::vec(0_u8..2, 0..20),
    ) {
        prop_assert_eq!(equal(&a, &b), a == b);
    }
}
