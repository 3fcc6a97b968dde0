//! Unit tests of `throttle`.

use super::*;

#[test]
fn it_blocks_at_half_and_recovers_by_the_ratio() {
    let throttle = Throttle::new(RetryThrottling::new(10.0, 0.5));
    for _ in 0..4 {
        throttle.failed();
    }
    assert!(throttle.allows());
    throttle.failed();
    assert!(!throttle.allows());
    throttle.succeeded();
    assert!(throttle.allows());
}

#[test]
fn tokens_stay_within_their_bounds() {
    let throttle = Throttle::new(RetryThrottling::new(1.0, 0.1239));
    for _ in 0..5 {
        throttle.failed();
    }
    assert_eq!(throttle.tokens.load(Ordering::Relaxed), 0);
    throttle.succeeded();
    assert_eq!(throttle.tokens.load(Ordering::Relaxed), 123);
    for _ in 0..50 {
        throttle.succeeded();
    }
    assert_eq!(throttle.tokens.load(Ordering::Relaxed), 1_000);
}

#[test]
fn three_decimal_places_count_and_no_more() {
    for number in 1..=1_000_000_u32 {
        assert_eq!(thousandths(f64::from(number) / 1e3), number);
    }
    assert_eq!(thousandths(0.123_999_9), 123);
}

#[test]
fn a_new_config_keeps_how_full_it_is() {
    let throttle = Throttle::new(RetryThrottling::new(10.0, 1.0));
    throttle.failed();
    let new = throttle.rescaled(RetryThrottling::new(1_000.0, 0.1));
    assert_eq!(new.tokens.load(Ordering::Relaxed), 900_000);
}
