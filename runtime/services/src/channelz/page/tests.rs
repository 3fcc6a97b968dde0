//! Unit tests of `page`.

use super::*;

fn page(start: i64, most: i64, ids: std::ops::Range<u64>) -> (Vec<u64>, bool) {
    Page::new(start, most).of(ids.rev(), |id| *id)
}

#[test]
fn pages_follow_on_each_other_and_the_last_one_says_so() {
    assert_eq!(page(0, 3, 1..8), (vec![1, 2, 3], false));
    assert_eq!(page(4, 3, 1..8), (vec![4, 5, 6], false));
    assert_eq!(page(7, 3, 1..8), (vec![7], true));
    assert_eq!(page(8, 3, 1..8), (vec![], true));
    assert_eq!(page(5, 3, 1..8), (vec![5, 6, 7], true));
}

#[test]
fn no_page_is_larger_than_a_hundred_and_nonsense_is_no_limit() {
    for most in [0, -1, i64::MIN, 100, 101, i64::MAX] {
        let (ids, is_last) = page(0, most, 1..151);
        assert_eq!((ids.len(), is_last), (100, false), "{most}");
    }
    for start in [0, -1, i64::MIN] {
        assert_eq!(page(start, 1, 1..3), (vec![1], false));
    }
    assert_eq!(page(i64::MAX, 1, 1..3), (vec![], true));
}
