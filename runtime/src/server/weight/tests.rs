//! What methods weigh after simulated turns, and when the clock is looked at.

use std::iter::repeat_n;

use super::*;

const CHEAP: Duration = Duration::from_micros(1);
const BURN: Duration = Duration::from_millis(10);

fn after(weight: Weight, turns: impl IntoIterator<Item = Duration>) -> Weight {
    turns.into_iter().fold(weight, Weight::after)
}

#[test]
fn a_method_that_burns_is_heavy_after_its_first_turn() {
    let unknown = Weight::default();
    assert!(!unknown.is_known() && !unknown.is_heavy());
    let weight = unknown.after(BURN);
    assert!(weight.is_known() && weight.is_heavy());
}

#[test]
fn a_cold_first_turn_makes_nothing_heavy() {
    let weight = Weight::default().after(7 * HEAVY);
    assert!(weight.is_known() && !weight.is_heavy());
    assert_eq!(after(weight, repeat_n(CHEAP, 1_000)).nanos(), 0);
}

#[test]
fn a_method_that_is_just_heavy_is_found_within_a_few_turns() {
    let heavy = |turns| after(Weight::default(), repeat_n(2 * HEAVY, turns)).is_heavy();
    assert!(!heavy(1));
    assert!(heavy(8));
}

#[test]
fn a_method_that_became_cheap_comes_back() {
    let weight = after(Weight::default(), repeat_n(Duration::from_secs(9), 100));
    assert_eq!(u128::from(weight.nanos()), HEAVIEST.as_nanos());
    assert!(after(weight, repeat_n(CHEAP, 50)).is_heavy());
    assert!(!after(weight, repeat_n(CHEAP, 400)).is_heavy());
}

#[test]
fn between_the_borders_a_method_stays_what_it_is() {
    let between = (HEAVY + LIGHT) / 2;
    let light = after(Weight::default(), repeat_n(between, 10_000));
    assert!(!light.is_heavy());
    let heavy = after(Weight::default().after(BURN), repeat_n(between, 10_000));
    assert!(heavy.is_heavy());
    assert!(light.nanos().abs_diff(heavy.nanos()) < 1_000);
}

#[test]
fn a_method_that_burns_on_few_inputs_is_caught() {
    let mut weight = Weight::default();
    let mut in_place = 0;
    for call in 1..=10_000 {
        let turn = if call % 100 == 0 { BURN } else { CHEAP };
        in_place += u32::from(turn == BURN && !weight.is_heavy());
        weight = weight.after(turn);
    }
    assert_eq!(in_place, 1, "later burns must find the method heavy");
}

#[test]
fn one_outlier_costs_the_method_little() {
    let mut weight = Weight::default().after(BURN);
    let mut apart = 0;
    while weight.is_heavy() {
        weight = weight.after(CHEAP);
        apart += 1;
    }
    // At 1 µs each that is a fortieth of the outlier.
    assert!(
        (1..300).contains(&apart),
        "{apart} calls began apart after one outlier"
    );
}

#[test]
fn a_light_weight_comes_to_rest() {
    let shared = SharedWeight::default();
    shared.add(HEAVY);
    for _ in 0..1_000 {
        shared.add(CHEAP);
    }
    let rest = shared.get();
    assert_eq!((rest.nanos(), rest.after(CHEAP)), (0, rest));
}

/// A watch in turns of a connection that begin at multiples of a second.
struct Clock(Watch, Instant);

impl Clock {
    fn new() -> Self {
        let now = Instant::now();
        Self(Watch::new(now), now)
    }

    /// One turn in which each of `handlers` takes its time; returns how often
    /// the clock was read.
    fn turn(&mut self, handlers: impl IntoIterator<Item = Duration>) -> u32 {
        let Self(watch, now) = self;
        *now += Duration::from_secs(1);
        let turn = *now;
        let mut reads = 0;
        for handler in handlers {
            let close = watch.is_close();
            *now += handler;
            if close {
                reads += 2;
                watch.timed(*now);
            } else if watch.ran(turn) {
                reads += 1;
                watch.lap(*now);
            }
        }
        if watch.in_lap() {
            reads += 1;
            watch.lap(*now);
        }
        reads
    }
}

#[test]
fn the_clock_is_read_once_for_several_light_calls() {
    let mut clock = Clock::new();
    assert_eq!(clock.turn(repeat_n(CHEAP, 100)), 100_u32.div_ceil(LAP));
    assert_eq!(clock.turn([CHEAP]), 1);
    assert_eq!(clock.turn([]), 0);
    // What passes between turns is nobody's.
    assert!(!clock.0.is_close());
}

#[test]
fn after_a_long_lap_calls_are_timed_one_by_one_for_a_while() {
    let mut clock = Clock::new();
    clock.turn([CHEAP, BURN, CHEAP]);
    assert!(clock.0.is_close());
    assert_eq!(clock.turn(repeat_n(CHEAP, CLOSE as usize)), 2 * CLOSE);
    assert!(!clock.0.is_close());
}

#[test]
fn a_burner_among_many_is_noticed_within_a_lap() {
    let mut clock = Clock::new();
    let Clock(watch, now) = &mut clock;
    let turn = *now;
    let mut burnt = 0;
    while !watch.is_close() {
        *now += BURN;
        burnt += 1;
        if watch.ran(turn) {
            watch.lap(*now);
        }
    }
    assert_eq!(burnt, LAP);
}
