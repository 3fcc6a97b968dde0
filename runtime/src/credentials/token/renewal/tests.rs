//! Renewal in made-up time: what is fetched when, and who gets what.

use std::error::Error;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{PATIENCE, Renewal, TokenAnswer, TokenTurn};
use crate::status::{Code, Status};

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

const HOUR: Duration = Duration::from_secs(3_600);
/// In the middle of what is spread.
const MIDDLE: f64 = 0.5;

fn down() -> Status {
    let cause = std::io::Error::other("no route");
    Status::new(Code::Unavailable, "the token server is down").with_source(cause)
}

/// A renewal that holds token 1, which lives for `life` from `now` on.
fn holding(life: Duration, now: Instant) -> Renewal<u32> {
    let mut renewal = Renewal::new();
    let number = renewal.ask(now, MIDDLE).fetch.unwrap();
    assert!(renewal.land(number, 1, Some(now + life), now, MIDDLE));
    renewal
}

fn token<T>(turn: TokenTurn<T>) -> Option<T> {
    match turn.answer {
        TokenAnswer::Token(token) => Some(token),
        _ => None,
    }
}

#[test]
fn a_thousand_calls_are_one_fetch() {
    let now = Instant::now();
    let mut renewal = Renewal::<u32>::new();
    let fetches = (0..1_000).filter_map(|_| {
        let turn = renewal.ask(now, MIDDLE);
        assert!(matches!(turn.answer, TokenAnswer::Wait(until) if until == now + PATIENCE));
        turn.fetch
    });
    assert_eq!(fetches.count(), 1);
    assert!(renewal.land(1, 7, None, now, MIDDLE));
    // One without an expiry is kept.
    let turn = renewal.ask(now + 10_000 * HOUR, MIDDLE);
    assert_eq!((turn.fetch, token(turn)), (None, Some(7)));
    assert_eq!(renewal.view(), Some((7, None)));
}

#[test]
fn the_next_token_is_fetched_ahead_while_calls_go_on_with_this_one() {
    for (life, earliest, latest, last) in [
        // A tenth, and no more than five minutes, once or twice.
        (ms(10_000), ms(8_000), ms(9_000), ms(9_950)),
        (HOUR, ms(3_000_000), ms(3_300_000), ms(3_585_000)),
    ] {
        for (chance, at) in [(0.0, latest), (1.0, earliest)] {
            let begun = Instant::now();
            let mut renewal = Renewal::new();
            let number = renewal.ask(begun, MIDDLE).fetch.unwrap();
            renewal.land(number, 1, Some(begun + life), begun, chance);
            assert_eq!(renewal.view(), Some((1, Some(begun + at))));
            let before = renewal.ask(begun + at.saturating_sub(ms(1)), MIDDLE);
            assert_eq!((before.fetch, token(before)), (None, Some(1)));
            let turn = renewal.ask(begun + at, MIDDLE);
            assert_eq!((turn.fetch, token(turn)), (Some(2), Some(1)));
            // Nobody has to ask meanwhile, but that the token ends.
            let until = (begun + at + PATIENCE).min(begun + last);
            assert_eq!(renewal.view(), Some((1, Some(until))));
            assert_eq!(
                token(renewal.ask(begun + last.saturating_sub(ms(1)), MIDDLE)),
                Some(1)
            );
        }
    }
    let begun = Instant::now();
    let mut renewal = holding(ms(10_000), begun);
    assert_eq!(renewal.ask(begun + ms(9_000), MIDDLE).fetch, Some(2));
    let turn = renewal.ask(begun + ms(9_950), MIDDLE);
    assert!(matches!(turn.answer, TokenAnswer::Wait(_)) && turn.fetch.is_none());
    assert!(renewal.land(2, 2, None, begun + ms(9_960), MIDDLE));
    assert_eq!(token(renewal.ask(begun + ms(9_960), MIDDLE)), Some(2));
}

#[test]
fn after_a_failure_calls_fail_at_once_with_what_the_source_said() {
    let mut now = Instant::now();
    let mut renewal = Renewal::<u32>::new();
    for seconds in [1.0, 1.6, 2.56, 4.096_f64] {
        let turn = renewal.ask(now, MIDDLE);
        assert!(renewal.fail(turn.fetch.unwrap(), down(), now, MIDDLE));
        let turn = renewal.ask(now + Duration::from_secs_f64(seconds * 0.99), MIDDLE);
        assert_eq!(turn.fetch, None);
        let TokenAnswer::Failed(status) = turn.answer else {
            panic!("{turn:?}");
        };
        assert_eq!(status.message(), "the token server is down");
        assert_eq!(status.source().unwrap().to_string(), "no route");
        now += Duration::from_secs_f64(seconds * 1.01);
    }
    // A success ends the row.
    let number = renewal.ask(now, MIDDLE).fetch.unwrap();
    renewal.land(number, 1, Some(now + ms(1_000)), now, MIDDLE);
    now += ms(1_000);
    let number = renewal.ask(now, MIDDLE).fetch.unwrap();
    renewal.fail(number, down(), now, MIDDLE);
    assert!(renewal.ask(now + ms(1_010), MIDDLE).fetch.is_some());
}

#[test]
fn waits_are_spread_and_end_at_two_minutes() {
    for (chance, seconds) in [(0.0, 96), (MIDDLE, 120), (1.0, 144)] {
        let wait = super::wait(u32::MAX, chance) + ms(500);
        assert_eq!(wait.as_secs(), seconds);
    }
}

#[test]
fn a_failure_leaves_the_old_token_in_use() {
    let begun = Instant::now();
    let mut renewal = holding(ms(100_000), begun);
    let now = begun + ms(90_000);
    let number = renewal.ask(now, MIDDLE).fetch.unwrap();
    renewal.fail(number, down(), now, MIDDLE);
    let turn = renewal.ask(now + ms(500), MIDDLE);
    assert_eq!((turn.fetch, token(turn)), (None, Some(1)));
    assert_eq!(renewal.view(), Some((1, Some(now + ms(1_000)))));
    let turn = renewal.ask(now + ms(1_000), MIDDLE);
    assert_eq!((turn.fetch, token(turn)), (Some(3), Some(1)));
    renewal.fail(3, down(), begun + ms(99_400), MIDDLE);
    let turn = renewal.ask(begun + ms(99_600), MIDDLE);
    assert!(matches!(turn.answer, TokenAnswer::Failed(_)) && turn.fetch.is_none());
}

#[test]
fn a_source_that_hangs_is_given_up() {
    let begun = Instant::now();
    let mut renewal = Renewal::<u32>::new();
    renewal.ask(begun, MIDDLE);
    let now = begun + PATIENCE;
    let turn = renewal.ask(now, MIDDLE);
    let TokenAnswer::Failed(status) = turn.answer else {
        panic!("{turn:?}");
    };
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("30s"), "{status}");
    // What it brings after all comes too late.
    assert!(!renewal.land(1, 1, None, now, MIDDLE));
    assert!(!renewal.fail(1, down(), now, MIDDLE));
    assert_eq!(renewal.ask(now + ms(1_000), MIDDLE).fetch, Some(2));
}

#[test]
fn a_fetch_that_is_lost_is_begun_anew_at_once() {
    let now = Instant::now();
    let mut renewal = Renewal::<u32>::new();
    renewal.ask(now, MIDDLE);
    renewal.lose(1);
    assert_eq!(renewal.ask(now, MIDDLE).fetch, Some(2));
    renewal.lose(1);
    assert_eq!(renewal.ask(now, MIDDLE).fetch, None);
}

#[test]
fn a_token_that_comes_expired_is_a_failure() {
    let now = Instant::now();
    let mut renewal = Renewal::<u32>::new();
    renewal.ask(now, MIDDLE);
    assert!(renewal.land(1, 1, Some(now), now, MIDDLE));
    let turn = renewal.ask(now, MIDDLE);
    let TokenAnswer::Failed(status) = turn.answer else {
        panic!("{turn:?}");
    };
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("expired already"), "{status}");
}

#[test]
fn a_refused_token_is_dropped_once_in_a_while() {
    let now = Instant::now();
    let mut renewal = holding(HOUR, now);
    renewal.refuse(|token| *token == 9, now);
    assert_eq!(token(renewal.ask(now, MIDDLE)), Some(1));
    renewal.refuse(|token| *token == 1, now);
    assert_eq!(renewal.view(), None);
    let number = renewal.ask(now, MIDDLE).fetch.unwrap();
    renewal.land(number, 2, Some(now + HOUR), now, MIDDLE);
    renewal.refuse(|_| true, now + ms(59_999));
    assert_eq!(token(renewal.ask(now + ms(59_999), MIDDLE)), Some(2));
    renewal.refuse(|_| true, now + ms(60_000));
    assert!(renewal.ask(now + ms(60_000), MIDDLE).fetch.is_some());
}

#[test]
fn what_has_neither_token_nor_fetch_nor_failure_is_idle() {
    let now = Instant::now();
    assert!(Renewal::<u32>::new().is_idle(now));
    let mut renewal = holding(HOUR, now);
    assert!(!renewal.is_idle(now));
    assert!(renewal.is_idle(now + HOUR));
    let number = renewal.ask(now + HOUR, MIDDLE).fetch.unwrap();
    assert!(!renewal.is_idle(now + HOUR));
    renewal.fail(number, down(), now + HOUR, MIDDLE);
    assert!(!renewal.is_idle(now + HOUR + ms(999)));
    assert!(renewal.is_idle(now + HOUR + ms(1_000)));
}

#[derive(Debug, Clone)]
enum Event {
    Passes(u64),
    Ask(f64),
    /// The fetch under way brings a token that lives so long, or for ever.
    Land(Option<u64>, f64),
    Fail(f64),
    Lose,
    Refuse,
    /// One that was given up says something after all.
    Late(bool),
}

fn event() -> impl Strategy<Value = Event> {
    let chance = || 0.0..1.0_f64;
    prop_oneof![
        4 => prop_oneof![0..2_000_u64, 0..100_000_u64].prop_map(Event::Passes),
        6 => chance().prop_map(Event::Ask),
        3 => (prop::option::weighted(0.9, 0..300_000_u64), chance())
            .prop_map(|(life, chance)| Event::Land(life, chance)),
        2 => chance().prop_map(Event::Fail),
        1 => Just(Event::Lose),
        1 => Just(Event::Refuse),
        1 => any::<bool>().prop_map(Event::Late),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Never two fetches at once, never an expired token, by asking or by the view;
    /// no fetch within a second of a failure's first wait, and no call that waits for
    /// nothing.
    #[test]
    fn whatever_happens(events in prop::collection::vec(event(), 0..80)) {
        let mut now = Instant::now();
        let mut renewal = Renewal::<Option<Instant>>::new();
        // The fetch that the shell has under way, as it sees it.
        let mut flight: Option<(u64, Instant)> = None;
        let mut given_up = Vec::new();
        let mut failed_at: Option<Instant> = None;
        for event in events {
            match event {
                Event::Passes(wait) => now += ms(wait),
                Event::Ask(chance) => {
                    if let Some((number, _)) = flight.take_if(|(_, began)| now >= *began + PATIENCE) {
                        given_up.push(number);
                        failed_at = Some(now);
                    }
                    let turn = renewal.ask(now, chance);
                    if let Some(number) = turn.fetch {
                        prop_assert!(flight.is_none());
                        prop_assert!(failed_at.is_none_or(|at| now >= at + ms(800)));
                        flight = Some((number, now));
                    }
                    match turn.answer {
                        TokenAnswer::Token(expires) => {
                            prop_assert!(expires.is_none_or(|at| now < at));
                        }
                        TokenAnswer::Wait(until) => {
                            prop_assert!(flight.is_some_and(|(_, began)| until == began + PATIENCE));
                        }
                        TokenAnswer::Failed(_) => prop_assert!(failed_at.is_some() && flight.is_none()),
                    }
                }
                Event::Land(life, chance) => {
                    if let Some((number, _)) = flight.take() {
                        let expires = life.map(|life| now + ms(life));
                        prop_assert!(renewal.land(number, expires, expires, now, chance));
                        failed_at = (life == Some(0)).then_some(now);
                    }
                }
                Event::Fail(chance) => {
                    if let Some((number, _)) = flight.take() {
                        prop_assert!(renewal.fail(number, down(), now, chance));
                        failed_at = Some(now);
                    }
                }
                Event::Lose => {
                    if let Some((number, _)) = flight.take() {
                        renewal.lose(number);
                    }
                }
                Event::Refuse => renewal.refuse(|_| true, now),
                Event::Late(brings) => {
                    if let Some(number) = given_up.pop() {
                        let is_heard = if brings {
                            renewal.land(number, None, None, now, MIDDLE)
                        } else {
                            renewal.fail(number, down(), now, MIDDLE)
                        };
                        prop_assert!(!is_heard);
                    }
                }
            }
            if let Some((expires, until)) = renewal.view() {
                let ends_before = |at| until.is_some_and(|until| until < at);
                prop_assert!(expires.is_none_or(ends_before));
            }
        }
    }
}
