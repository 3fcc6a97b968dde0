//! Unit tests of `boundaries`.

use std::hash::{BuildHasher, RandomState};

use super::*;

fn message(size: usize) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend_from_slice(&u32::try_from(size).unwrap().to_be_bytes());
    bytes.resize(PREFIX_LEN + size, 7);
    bytes
}

#[test]
fn messages_are_counted_however_the_stream_is_cut() {
    let sizes = [0, 1, 4, 5, 6, 0, 0, 300, 2];
    let stream: Vec<u8> = sizes.iter().flat_map(|size| message(*size)).collect();
    for piece in 1..=stream.len() {
        let mut boundaries = Boundaries::default();
        let counted: u32 = stream.chunks(piece).map(|it| boundaries.pass(it)).sum();
        assert_eq!(counted as usize, sizes.len(), "in pieces of {piece}");
    }
}

#[test]
fn a_message_counts_with_its_last_byte() {
    let mut boundaries = Boundaries::default();
    let bytes = message(3);
    assert_eq!(boundaries.pass(&bytes[..bytes.len() - 1]), 0);
    assert_eq!(boundaries.pass(&bytes[bytes.len() - 1..]), 1);
    assert_eq!(boundaries.pass(&[]), 0);
}

#[test]
fn no_bytes_are_too_odd() {
    let chance = RandomState::new();
    let mut boundaries = Boundaries::default();
    for number in 0..4_000 {
        boundaries.pass(&chance.hash_one(number).to_be_bytes()[..number % 9]);
    }
}
