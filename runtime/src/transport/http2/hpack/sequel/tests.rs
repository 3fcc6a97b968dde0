//! Tests of the guesses.

use super::{Guess, Sequel};

#[test]
fn guesses_what_came_last_time() {
    let mut sequel = Sequel::new();
    assert_eq!(sequel.guess(), Guess::Static(0));
    let block = [Guess::Static(8), Guess::Dynamic(0), Guess::Dynamic(7)];
    for field in block {
        sequel.correct(field);
    }
    sequel.correct(block[0]);
    for field in [block[1], block[2], block[0], block[1]] {
        assert_eq!(sequel.guess(), field);
        sequel.confirm();
    }
}

#[test]
fn goes_on_behind_a_field_of_no_table() {
    let mut sequel = Sequel::new();
    for _ in 0..2 {
        sequel.correct(Guess::Static(3));
        sequel.pass(u64::MAX);
        sequel.correct(Guess::Static(8));
    }
    sequel.correct(Guess::Static(3));
    sequel.pass(u64::MAX);
    assert_eq!(sequel.guess(), Guess::Static(8));
}

#[test]
fn takes_any_insertion_number() {
    let mut sequel = Sequel::new();
    for id in [0, 1, u32::MAX - 62, u32::MAX - 61, u32::MAX] {
        sequel.correct(Guess::Dynamic(id));
        let _ = sequel.guess();
        sequel.confirm();
    }
}
