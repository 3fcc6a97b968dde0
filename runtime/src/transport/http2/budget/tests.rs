//! Tests of `budget.rs`.

use super::*;

#[test]
fn a_burst_is_allowed_and_time_earns_it_back() {
    let start = Instant::now();
    let mut budget = Budget::new(3, Duration::from_millis(10), start);
    assert!((0..3).all(|_| budget.spend(start)));
    assert!(!budget.spend(start));
    let later = start + Duration::from_millis(20);
    assert!(budget.spend(later) && budget.spend(later));
    assert!(!budget.spend(later));
    budget.earn(1);
    assert!(budget.spend(later));
}
