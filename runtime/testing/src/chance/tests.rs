//! Unit tests of `chance`.

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
