//! Unit tests of `turns`.

use super::*;

const WEIGHT: u32 = HEAVIEST.as_nanos() as u32;

#[test]
fn as_many_of_the_heaviest_begin_as_there_are_workers() {
    let mut turns = Turns::new(2);
    for stream in [1, 3, 5] {
        turns.wait(stream);
    }
    for stream in [1, 3] {
        assert_eq!(turns.next(), Some(stream));
        turns.begin(WEIGHT);
    }
    assert_eq!(turns.next(), None);
    turns.end(WEIGHT);
    assert_eq!(turns.next(), Some(5));
    assert_eq!(turns.next(), None);
}

#[test]
fn lighter_ones_begin_together() {
    let mut turns = Turns::new(1);
    (0..100).for_each(|stream| turns.wait(stream));
    let begun = std::iter::from_fn(|| turns.next().inspect(|_| turns.begin(WEIGHT / 10)));
    assert_eq!(begun.count(), 10);
}

#[test]
fn somebody_always_begins() {
    let mut turns = Turns::new(0);
    turns.wait(7);
    assert_eq!(turns.next(), Some(7));
}
