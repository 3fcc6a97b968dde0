//! Each rule of gRFC A6 by itself, and the properties of any sequence of events.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::channel::call::plan::{AttemptLimits, Purse};
use crate::channel::config::method_config::RepeatPolicy;
use crate::channel::config::retry_policy::{HedgingPolicy, RetryPolicy, RetryThrottling};

const MS: Duration = Duration::from_millis(1);

fn plan(policy: RepeatPolicy) -> Plan {
    let purse = Purse::new(AttemptLimits::default());
    Plan::new(Arc::new(policy), Arc::new(purse))
}

fn retry(attempts: u32) -> Plan {
    let policy = RetryPolicy::new([Code::Unavailable]).max_attempts(attempts);
    plan(RepeatPolicy::Retry(policy))
}

fn hedging(attempts: u32, delay: Duration) -> Plan {
    let policy = HedgingPolicy::new(delay).max_attempts(attempts);
    let policy = policy.non_fatal_codes([Code::Unavailable]);
    plan(RepeatPolicy::Hedging(policy))
}

fn throttled(plan: RepeatPolicy, tokens: f64) -> Plan {
    let purse = Purse::new(AttemptLimits::default());
    purse.throttle(Some(RetryThrottling::new(tokens, 0.1)));
    Plan::new(Arc::new(plan), Arc::new(purse))
}

fn fail(course: &mut Course, plan: &Plan, number: u8, now: Instant) -> Verdict {
    course.fail(plan, number, Code::Unavailable, Pushback::None, now)
}

fn begins(verdict: Verdict) -> (u8, Instant) {
    match verdict {
        Verdict::Next(number, at) => (number, at),
        other => panic!("{other:?}"),
    }
}

#[test]
fn retry_each_code_and_max() {
    let (plan, now) = (retry(3), Instant::now());
    for number in 0..17 {
        let code = Code::from_i32(number);
        let mut course = Course::new();
        let verdict = course.fail(&plan, 0, code, Pushback::None, now);
        let is_next = matches!(verdict, Verdict::Next(1, _));
        assert_eq!(is_next, code == Code::Unavailable, "{code}");
        assert!(is_next || verdict == Verdict::Final, "{code}");
    }
    let mut course = Course::new();
    assert_eq!(begins(fail(&mut course, &plan, 0, now)).0, 1);
    assert_eq!(begins(fail(&mut course, &plan, 1, now)).0, 2);
    assert_eq!(fail(&mut course, &plan, 2, now), Verdict::Final);
}

#[test]
fn retry_more_than_five_attempts_are_five() {
    let (plan, now) = (retry(u32::MAX), Instant::now());
    let mut course = Course::new();
    for number in 0..4 {
        assert_eq!(begins(fail(&mut course, &plan, number, now)).0, number + 1);
    }
    assert_eq!(fail(&mut course, &plan, 4, now), Verdict::Final);
}

#[test]
fn retry_backoff_grows_within_its_spread() {
    let policy = RetryPolicy::new([Code::Unavailable])
        .max_attempts(5)
        .backoff(100 * MS, 2.0, 300 * MS);
    let plan = plan(RepeatPolicy::Retry(policy));
    for _ in 0..200 {
        let (mut course, now) = (Course::new(), Instant::now());
        for (number, nominal) in [(0, 100), (1, 200), (2, 300), (3, 300)] {
            let (_, at) = begins(fail(&mut course, &plan, number, now));
            let wait = (at - now).as_secs_f64() * 1_000.0;
            let nominal = f64::from(nominal);
            assert!((0.8 * nominal..=1.2 * nominal).contains(&wait), "{wait}");
        }
    }
}

#[test]
fn retry_pushback_names_the_time_and_restarts_the_backoff() {
    let (plan, now) = (retry(5), Instant::now());
    let mut course = Course::new();
    fail(&mut course, &plan, 0, now);
    fail(&mut course, &plan, 1, now);
    let pushback = Pushback::After(700 * MS);
    let verdict = course.fail(&plan, 2, Code::Unavailable, pushback, now);
    assert_eq!(verdict, Verdict::Next(3, now + 700 * MS));
    let (_, at) = begins(fail(&mut course, &plan, 3, now));
    assert!(at - now <= 120 * MS, "{:?}", at - now);
}

#[test]
fn retry_pushback_stops_and_a_code_without_retry_stays_so() {
    let (plan, now) = (retry(5), Instant::now());
    let stopped = Course::new().fail(&plan, 0, Code::Unavailable, Pushback::Stop, now);
    assert_eq!(stopped, Verdict::Final);
    let pushback = Pushback::After(MS);
    let other = Course::new().fail(&plan, 0, Code::NotFound, pushback, now);
    assert_eq!(other, Verdict::Final);
}

#[test]
fn pushback_garbage_is_a_no() {
    let read = |values: &[&str]| {
        let mut trailing = Metadata::new();
        for value in values {
            let name = b"grpc-retry-pushback-ms";
            trailing.append_wire(name, value.as_bytes()).unwrap();
        }
        Pushback::read(&trailing)
    };
    assert_eq!(read(&[]), Pushback::None);
    assert_eq!(read(&["0"]), Pushback::After(Duration::ZERO));
    assert_eq!(read(&["1500"]), Pushback::After(1_500 * MS));
    let most = Duration::from_millis(2_147_483_647);
    assert_eq!(read(&["2147483647"]), Pushback::After(most));
    for garbage in [
        "-1",
        "+1",
        "1.5",
        "soon",
        "",
        "2147483648",
        "99999999999999999999",
    ] {
        assert_eq!(read(&[garbage]), Pushback::Stop, "{garbage}");
    }
    assert_eq!(read(&["1", "1"]), Pushback::Stop);
}

#[test]
fn retry_nothing_follows_on_a_commit() {
    let (plan, now) = (retry(5), Instant::now());
    let mut course = Course::new();
    assert!(course.commit(0));
    assert_eq!(fail(&mut course, &plan, 0, now), Verdict::Final);
}

#[test]
fn retry_throttle_blocks_recovers_and_lets_the_first_attempt_go() {
    let policy = RepeatPolicy::Retry(RetryPolicy::new([Code::Unavailable]));
    let (plan, now) = (throttled(policy, 4.0), Instant::now());
    let once = || fail(&mut Course::new(), &plan, 0, now);
    assert!(matches!(once(), Verdict::Next(..)));
    assert_eq!(once(), Verdict::Final);
    assert_eq!(once(), Verdict::Final);
    for _ in 0..30 {
        plan.succeeded();
    }
    assert!(matches!(once(), Verdict::Next(..)));
    // A pushback that forbids attempts takes a token whatever the code.
    for _ in 0..2 {
        Course::new().fail(&plan, 0, Code::NotFound, Pushback::Stop, now);
    }
    assert_eq!(once(), Verdict::Final);
}

#[test]
fn hedging_delay_0_begins_all_at_once() {
    let (plan, now) = (hedging(3, Duration::ZERO), Instant::now());
    let mut course = Course::new();
    assert!(course.plan_hedge(&plan, now));
    assert_eq!(course.hedge(&plan, now), Hedge::Begins(1, true));
    assert_eq!(course.hedge(&plan, now), Hedge::Begins(2, false));
    assert_eq!(course.hedge(&plan, now), Hedge::Never);
}

#[test]
fn hedging_one_start_per_delay() {
    let (plan, now) = (hedging(4, 10 * MS), Instant::now());
    let mut course = Course::new();
    course.plan_hedge(&plan, now);
    assert_eq!(
        course.hedge(&plan, now + 9 * MS),
        Hedge::Waits(now + 10 * MS)
    );
    assert_eq!(course.hedge(&plan, now + 10 * MS), Hedge::Begins(1, true));
    assert_eq!(
        course.hedge(&plan, now + 10 * MS),
        Hedge::Waits(now + 20 * MS)
    );
}

#[test]
fn hedging_headers_end_the_rest() {
    let (plan, now) = (hedging(3, MS), Instant::now());
    let mut course = Course::new();
    course.plan_hedge(&plan, now);
    course.hedge(&plan, now + MS);
    assert!(course.commit(1));
    assert!(!course.commit(0));
    assert!(course.is_lost(0) && course.is_lost(HEDGE) && !course.is_lost(1));
    assert_eq!(course.hedge(&plan, now + 9 * MS), Hedge::Never);
    assert_eq!(fail(&mut course, &plan, 0, now), Verdict::Others);
    assert_eq!(fail(&mut course, &plan, 1, now), Verdict::Final);
}

#[test]
fn hedging_a_fatal_code_ends_the_call() {
    let (plan, now) = (hedging(3, MS), Instant::now());
    let mut course = Course::new();
    course.plan_hedge(&plan, now);
    course.hedge(&plan, now + MS);
    let verdict = course.fail(&plan, 1, Code::Internal, Pushback::None, now);
    assert_eq!(verdict, Verdict::Final);
    assert!(course.is_lost(0) && !course.commit(0));
}

#[test]
fn hedging_a_non_fatal_code_begins_the_next_now_and_the_last_is_the_calls() {
    let (plan, now) = (hedging(3, 10 * MS), Instant::now());
    let mut course = Course::new();
    course.plan_hedge(&plan, now);
    assert_eq!(
        fail(&mut course, &plan, 0, now + MS),
        Verdict::Next(1, now + MS)
    );
    // It took the place of the next hedge, and the delay starts again after it.
    assert_eq!(
        course.hedge(&plan, now + 10 * MS),
        Hedge::Waits(now + 11 * MS)
    );
    assert_eq!(course.hedge(&plan, now + 11 * MS), Hedge::Begins(2, false));
    assert_eq!(fail(&mut course, &plan, 1, now), Verdict::Others);
    assert_eq!(fail(&mut course, &plan, 2, now), Verdict::Final);
}

#[test]
fn hedging_pushback() {
    let (plan, now) = (hedging(4, 10 * MS), Instant::now());
    let mut course = Course::new();
    course.plan_hedge(&plan, now);
    let pushback = Pushback::After(50 * MS);
    let verdict = course.fail(&plan, 0, Code::Unavailable, pushback, now);
    assert_eq!(verdict, Verdict::Next(1, now + 50 * MS));
    assert_eq!(
        course.hedge(&plan, now + 10 * MS),
        Hedge::Waits(now + 60 * MS)
    );
    let verdict = course.fail(&plan, 1, Code::Unavailable, Pushback::Stop, now + 55 * MS);
    assert_eq!(verdict, Verdict::Final);

    let mut course = Course::new();
    course.plan_hedge(&plan, now);
    course.hedge(&plan, now + 10 * MS);
    let verdict = course.fail(&plan, 0, Code::Unavailable, Pushback::Stop, now);
    assert_eq!(verdict, Verdict::Others, "those that run go on");
    assert_eq!(course.hedge(&plan, now + 20 * MS), Hedge::Never);
}

#[test]
fn hedging_a_stop_withdraws_what_was_put_off() {
    for others in [0, 1] {
        let (plan, now) = (hedging(5, 10 * MS), Instant::now());
        let mut course = Course::new();
        course.plan_hedge(&plan, now);
        for begun in 1..=1 + others {
            course.hedge(&plan, now + u32::from(begun) * 10 * MS);
        }
        let (now, pushback) = (now + 25 * MS, Pushback::After(50 * MS));
        let verdict = course.fail(&plan, 0, Code::Unavailable, pushback, now);
        let next = 2 + others;
        assert_eq!(verdict, Verdict::Next(next, now + 50 * MS));
        let verdict = course.fail(&plan, 1, Code::Unavailable, Pushback::Stop, now + MS);
        let expected = [Verdict::Final, Verdict::Others][usize::from(others)];
        assert_eq!(verdict, expected, "those that run go on");
        assert!(course.is_lost(next));
        assert!(!course.vanish(next));
        let verdict = course.on_due(&plan, next, now + 50 * MS);
        assert_eq!(verdict, Verdict::Others);
        if others > 0 {
            assert_eq!(fail(&mut course, &plan, 2, now), Verdict::Final);
        }
    }
}

#[test]
fn hedging_throttled_by_other_calls_while_it_is_put_off() {
    let policy = HedgingPolicy::new(10 * MS).max_attempts(4);
    let policy = policy.non_fatal_codes([Code::Unavailable]);
    for others in [0, 1] {
        let plan = throttled(RepeatPolicy::Hedging(policy.clone()), 4.0);
        let now = Instant::now();
        let mut course = Course::new();
        course.plan_hedge(&plan, now);
        if others > 0 {
            course.hedge(&plan, now + 10 * MS);
        }
        let pushback = Pushback::After(50 * MS);
        let verdict = course.fail(&plan, 0, Code::Unavailable, pushback, now);
        let (next, due) = begins(verdict);
        fail(&mut Course::new(), &plan, 0, now);
        let expected = [Verdict::Final, Verdict::Others][others];
        assert_eq!(course.on_due(&plan, next, due), expected);
        assert!(course.is_lost(next));
    }
}

#[test]
fn hedging_tokens_that_are_back_when_it_is_sent() {
    let policy = HedgingPolicy::new(10 * MS).max_attempts(4);
    let policy = policy.non_fatal_codes([Code::Unavailable]);
    let plan = throttled(RepeatPolicy::Hedging(policy), 4.0);
    let now = Instant::now();
    let mut course = Course::new();
    course.plan_hedge(&plan, now);
    let pushback = Pushback::After(50 * MS);
    let verdict = course.fail(&plan, 0, Code::Unavailable, pushback, now);
    let (next, due) = begins(verdict);
    fail(&mut Course::new(), &plan, 0, now);
    let waits = Hedge::Waits(due + 10 * MS);
    assert_eq!(course.hedge(&plan, now + 10 * MS), waits);
    for _ in 0..10 {
        plan.succeeded();
    }
    assert_eq!(course.on_due(&plan, next, due), Verdict::Next(next, due));
}

#[test]
fn hedging_throttled_by_other_calls() {
    let policy = HedgingPolicy::new(MS).max_attempts(3);
    let policy = policy.non_fatal_codes([Code::Unavailable]);
    let plan = throttled(RepeatPolicy::Hedging(policy), 2.0);
    let now = Instant::now();
    let mut course = Course::new();
    course.plan_hedge(&plan, now);
    fail(&mut Course::new(), &plan, 0, now);
    assert_eq!(course.hedge(&plan, now + MS), Hedge::Never);
    assert_eq!(fail(&mut course, &plan, 0, now), Verdict::Final);
}

/// An event of a call.
#[derive(Clone, Debug)]
enum Event {
    /// The live attempt with this index fails.
    Fails(usize, Code, Pushback),
    Head(usize),
    Vanishes(usize),
    /// Time passes, in milliseconds.
    Passes(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let code = prop_oneof![Just(Code::Unavailable), Just(Code::Internal)];
    let pushback = prop_oneof![
        4 => Just(Pushback::None),
        1 => Just(Pushback::Stop),
        1 => (0..50_u64).prop_map(|wait| Pushback::After(Duration::from_millis(wait))),
    ];
    prop_oneof![
        4 => (0..8_usize, code, pushback).prop_map(|(a, b, c)| Event::Fails(a, b, c)),
        1 => (0..8_usize).prop_map(Event::Head),
        1 => (0..8_usize).prop_map(Event::Vanishes),
        4 => (0..30_u64).prop_map(Event::Passes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// At most one commit, no more attempts than allowed, one end, and no call that
    /// continues without an attempt.
    #[test]
    fn whatever_happens(
        is_hedged in any::<bool>(),
        attempts in 2..8_u32,
        delay in 0..20_u64,
        events in prop::collection::vec(event(), 0..60),
    ) {
        let plan = if is_hedged {
            hedging(attempts, Duration::from_millis(delay))
        } else {
            retry(attempts)
        };
        let mut now = Instant::now();
        let mut course = Course::new();
        let mut live = BTreeSet::from([0]);
        let mut put_off = Vec::new();
        let mut has_hedge = course.plan_hedge(&plan, now);
        let (mut begun, mut ends) = (1, 0);
        let mut winner = None;
        for event in events {
            let at = |place: usize, live: &BTreeSet<u8>| live.iter().nth(place).copied();
            match event {
                Event::Passes(wait) => {
                    now += Duration::from_millis(wait);
                    for (number, _) in put_off.extract_if(.., |(_, due)| *due <= now) {
                        if !live.contains(&number) {
                            continue;
                        }
                        match course.on_due(&plan, number, now) {
                            Verdict::Next(begins, _) => {
                                prop_assert!(begins == number && winner.is_none() && ends == 0);
                            }
                            verdict => {
                                live.remove(&number);
                                ends += usize::from(verdict == Verdict::Final);
                            }
                        }
                    }
                    while has_hedge {
                        match course.hedge(&plan, now) {
                            Hedge::Begins(number, follows) => {
                                prop_assert!(winner.is_none() && ends == 0);
                                begun += 1;
                                prop_assert!(live.insert(number));
                                has_hedge = follows;
                            }
                            Hedge::Waits(at) => { prop_assert!(at > now); break }
                            Hedge::Never => has_hedge = false,
                        }
                    }
                }
                Event::Head(place) => if let Some(number) = at(place, &live)
                    && put_off.iter().all(|(it, _)| *it != number)
                    && course.commit(number)
                {
                    prop_assert!(winner.is_none_or(|winner| winner == number) && ends == 0);
                    winner = Some(number);
                },
                Event::Fails(place, code, pushback) => if let Some(number) = at(place, &live) {
                    live.remove(&number);
                    match course.fail(&plan, number, code, pushback, now) {
                        Verdict::Final => {
                            prop_assert!(winner.is_none_or(|winner| winner == number));
                            ends += 1;
                        }
                        Verdict::Next(next, due) => {
                            prop_assert!(winner.is_none() && ends == 0 && due >= now);
                            begun += 1;
                            prop_assert!(live.insert(next));
                            if due > now {
                                put_off.push((next, due));
                            }
                        }
                        Verdict::Others => prop_assert!(ends > 0 || !live.is_empty()),
                    }
                },
                Event::Vanishes(place) => if let Some(number) = at(place, &live) {
                    live.remove(&number);
                    ends += usize::from(course.vanish(number));
                },
            }
            prop_assert!(begun <= attempts.min(5) && ends <= 1);
            prop_assert!(is_hedged || ends > 0 || live.len() == 1);
            prop_assert!(ends > 0 || !live.is_empty());
        }
    }
}
