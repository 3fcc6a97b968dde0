//! Tests of `lifetime.rs`: a clock that the test moves.

use super::*;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn of(idle: Option<u64>, age: Option<u64>, grace: Option<u64>) -> (Lifetime, Instant) {
    let now = Instant::now();
    let options = LifetimeOptions {
        max_idle: idle.map(secs),
        max_age: age.map(secs),
        age_grace: grace.map(secs),
    };
    (Lifetime::new(&options, now).unwrap(), now)
}

const IDLE: Passing = Passing::Leave("max_idle");
const AGE: Passing = Passing::Leave("max_age");

#[test]
fn idleness_counts_from_the_end_of_the_last_call() {
    let (mut lifetime, start) = of(Some(60), None, None);
    // Two calls, one of which ran through a whole limit.
    lifetime.rest(true, 1, start + secs(10));
    assert_eq!(lifetime.on_timeout(true, start + secs(60)), Passing::Not);
    lifetime.rest(false, 1, start + secs(100));
    lifetime.rest(false, 1, start + secs(110));
    assert_eq!(lifetime.on_timeout(false, start + secs(120)), Passing::Not);
    assert_eq!(lifetime.next_timeout(), Some(start + secs(160)));
    // One that came and went between two rests.
    lifetime.rest(false, 2, start + secs(150));
    assert_eq!(lifetime.on_timeout(false, start + secs(160)), Passing::Not);
    assert_eq!(lifetime.on_timeout(false, start + secs(210)), IDLE);
    assert_eq!(lifetime.next_timeout(), None);
}

#[test]
fn calls_do_not_move_the_timer() {
    let (mut lifetime, start) = of(Some(60), None, None);
    let armed = lifetime.next_timeout();
    for calls in 1..30 {
        lifetime.rest(true, calls, start + secs(u64::from(calls)));
        lifetime.rest(false, calls, start + secs(u64::from(calls)));
        assert_eq!(lifetime.next_timeout(), armed);
    }
}

#[test]
fn age_leaves_then_cuts_then_drops() {
    let (mut lifetime, start) = of(Some(60), Some(100), Some(10));
    let mut passed = Vec::new();
    while let Some(now) = lifetime.next_timeout() {
        let passing = lifetime.on_timeout(true, now);
        if passing != Passing::Not {
            passed.push((passing, now - start));
        }
        if passing == Passing::Drop {
            break;
        }
    }
    let expected = [
        (AGE, secs(100)),
        (Passing::Cut, secs(110)),
        (Passing::Drop, secs(111)),
    ];
    assert_eq!(passed, expected);
}

#[test]
fn without_a_grace_calls_run_as_long_as_they_like() {
    let (mut lifetime, start) = of(None, Some(100), None);
    assert_eq!(lifetime.on_timeout(true, start + secs(100)), AGE);
    assert_eq!(lifetime.next_timeout(), None);
}

#[test]
fn chance_spreads_the_age_by_a_tenth() {
    let options = LifetimeOptions {
        max_age: Some(secs(100)),
        ..LifetimeOptions::default()
    };
    let ages = [0.0, 0.5, 1.0].map(|chance| options.spread(chance).max_age.unwrap().as_secs_f64());
    for (age, expected) in ages.into_iter().zip([90.0, 100.0, 110.0]) {
        assert!((age - expected).abs() < 1e-6, "{age} for {expected}");
    }
}
