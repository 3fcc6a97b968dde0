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
        base = (base * FACTOR).min(MAX.as_secs_f64());
    }
    backoff.reset();
    assert!(backoff.next() <= Duration::from_secs_f64(1.2));
}
