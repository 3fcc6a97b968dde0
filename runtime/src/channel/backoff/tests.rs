//! Tests of `backoff.rs`.

use super::*;

#[test]
fn waits_grow_by_the_factor_within_the_jitter_and_start_again_after_a_reset() {
    let mut backoff = Backoff::default();
    let mut base = 1.0;
    for _ in 0..20 {
        let wait = backoff.next().as_secs_f64();
        assert!(
            (base * 0.8..=base * 1.2).contains(&wait),
            "{wait} around {base}"
        );
        base = (base * FACTOR).min(120.0);
    }
    backoff.reset();
    assert!(backoff.next() <= Duration::from_secs_f64(1.2));
}

#[test]
fn waits_are_those_that_are_set() {
    let mut backoff = Backoff::new(Waits {
        first: Duration::from_millis(100),
        longest: Duration::from_millis(200),
    });
    let waits: Vec<_> = (0..5).map(|_| backoff.next().as_secs_f64()).collect();
    assert!((0.08..=0.12).contains(&waits[0]), "{waits:?}");
    assert!((0.16..=0.24).contains(&waits[4]), "{waits:?}");
}
