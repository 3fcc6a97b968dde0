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
        max_calls: None,
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

/// As a connection tells it.
fn had(calls: u32) -> u32 {
    (2 * calls).max(1)
}

fn by_calls(most: u32, age: Option<u64>, grace: Option<u64>) -> (Lifetime, Instant) {
    let now = Instant::now();
    let options = LifetimeOptions {
        max_calls: Some(most),
        max_age: age.map(secs),
        age_grace: grace.map(secs),
        ..LifetimeOptions::default()
    };
    (Lifetime::new(&options, now).unwrap(), now)
}

#[test]
fn it_leaves_once_after_as_many_calls() {
    const CALLS: Passing = Passing::Leave("max_calls");
    let (mut lifetime, start) = by_calls(3, None, Some(5));
    for calls in 0..3 {
        lifetime.rest(false, had(calls), start);
        assert_eq!(lifetime.next_timeout(), None, "{calls}");
    }
    lifetime.rest(true, had(3), start + secs(1));
    assert_eq!(lifetime.next_timeout(), Some(start + secs(1)));
    assert_eq!(lifetime.on_timeout(true, start + secs(1)), CALLS);
    // The grace is that of an age.
    lifetime.rest(true, had(7), start + secs(2));
    assert_eq!(lifetime.next_timeout(), Some(start + secs(6)));
    assert_eq!(lifetime.on_timeout(true, start + secs(6)), Passing::Cut);
}

#[test]
fn of_age_and_calls_the_first_counts() {
    let (mut lifetime, start) = by_calls(2, Some(10), None);
    lifetime.rest(true, had(1), start);
    assert_eq!(lifetime.on_timeout(true, start + secs(10)), AGE);
    lifetime.rest(true, had(2), start + secs(11));
    assert_eq!(lifetime.on_timeout(true, start + secs(11)), Passing::Not);
    assert_eq!(lifetime.next_timeout(), None);
}

#[test]
fn chance_spreads_the_calls_by_a_tenth() {
    for (most, chance, expected) in [
        (1_000, 0.0, 900),
        (1_000, 0.5, 1_000),
        (1_000, 1.0, 1_100),
        (1, 0.0, 1),
    ] {
        let options = LifetimeOptions {
            max_calls: Some(most),
            ..LifetimeOptions::default()
        };
        assert_eq!(options.spread(chance).max_calls, Some(expected));
    }
}
