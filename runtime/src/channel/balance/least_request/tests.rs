//! Tests of `least_request.rs`.

use super::*;
use crate::channel::balance::bench::Bench;
use crate::metadata::Metadata;
use crate::status::Code;

fn ready(balance: LeastRequest, endpoints: &str) -> Bench {
    let mut bench = Bench::new(&balance);
    bench.found(endpoints).unwrap();
    bench.news();
    for name in endpoints.split_whitespace().filter(|name| *name != "-") {
        bench.ready(name);
    }
    bench.news();
    bench
}

/// Starts calls and returns their tickets, with the endpoint of each.
fn begin(bench: &Bench, calls: usize) -> Vec<(String, Ticket)> {
    let begun = (0..calls).map(|_| bench.begin(Metadata::new()));
    begun
        .map(|(name, ticket)| (name, ticket.unwrap()))
        .collect()
}

fn count(calls: &[(String, Ticket)], name: &str) -> usize {
    calls.iter().filter(|(to, _)| to == name).count()
}

#[test]
fn calls_go_where_the_fewest_are() {
    // With so many draws the endpoint with fewer calls is missed once in 2^10 times.
    let bench = ready(LeastRequest::new().choice_count(10), "1 2");
    let held = begin(&bench, 100);
    let (one, two) = (count(&held, "1"), count(&held, "2"));
    assert!(one.abs_diff(two) <= 20, "{one} and {two}");
    // All calls of one endpoint end: nearly all of the next calls go to it.
    let (ended, _held): (Vec<_>, Vec<_>) = held.into_iter().partition(|(to, _)| to == "1");
    drop(ended);
    let next = begin(&bench, 20);
    assert!(count(&next, "1") >= 17, "{}", count(&next, "1"));
}

#[test]
fn however_an_attempt_ends_it_counts_no_more() {
    let bench = ready(LeastRequest::new(), "1");
    let load = |held: &[Ticket]| held.len();
    let mut held: Vec<_> = begin(&bench, 3).into_iter().map(|(_, it)| it).collect();
    assert_eq!(load(&held), 3);
    let end = |code| AttemptEnd {
        code,
        trailing_metadata: None,
    };
    held.pop().unwrap().end(&end(Code::Ok));
    held.pop().unwrap().end(&end(Code::Unavailable));
    drop(held);

    let spread = EndpointCalls::default();
    spread.0.fetch_add(1, Ordering::Relaxed);
    spread.ended(0, &end(Code::Ok));
    assert_eq!(spread.0.load(Ordering::Relaxed), 0);
}

fn fewest(loads: &[usize], choices: usize) -> (Bench, Fewest) {
    let names: Vec<_> = (1..=loads.len()).map(|name| name.to_string()).collect();
    let bench = ready(LeastRequest::new(), &names.join(" "));
    let ready = names.iter().zip(loads).map(|(name, load)| {
        let load = Arc::new(EndpointCalls(AtomicUsize::new(*load)));
        (bench.subchannel(name), load)
    });
    let fewest = Fewest {
        ready: ready.collect(),
        choices,
        chance: Chance::default(),
    };
    (bench, fewest)
}

/// The endpoint chosen when these places are drawn.
#[expect(clippy::cast_precision_loss, reason = "they are few")]
fn choose(fewest: &Fewest, places: &[usize]) -> usize {
    let mut drawn = places.iter();
    let all = fewest.ready.len() as f64;
    let chosen = fewest.choose(|| (*drawn.next().unwrap() as f64 + 0.5) / all);
    let (subchannel, _) = chosen.unwrap();
    assert!(drawn.next().is_none(), "all are drawn");
    let mut places = fewest.ready.iter();
    places.position(|(it, _)| it == subchannel).unwrap()
}

#[test]
fn as_many_are_drawn_as_is_asked_for_with_replacement() {
    let (_bench, two) = fewest(&[5, 3, 0, 3], 2);
    assert_eq!(choose(&two, &[0, 1]), 1);
    assert_eq!(choose(&two, &[0, 0]), 0, "one may be drawn twice");
    assert_eq!(choose(&two, &[3, 1]), 3, "of two that are even the first");
    assert_eq!(choose(&two, &[1, 3]), 1);
    let (_bench, three) = fewest(&[5, 3, 0, 3], 3);
    assert_eq!(choose(&three, &[0, 1, 2]), 2);
}

#[test]
fn the_number_of_choices_is_between_two_and_ten() {
    let of = |choices| LeastRequest::new().choice_count(choices).choices;
    assert_eq!(LeastRequest::new().choices, 2);
    assert_eq!(
        [of(0), of(1), of(2), of(7), of(10), of(11)],
        [2, 2, 2, 7, 10, 10]
    );
    assert_eq!(of(usize::MAX), 10);
}

#[test]
fn counts_survive_updates() {
    let mut bench = ready(LeastRequest::new().choice_count(10), "1 2");
    let held = begin(&bench, 40);
    let (_kept, ended): (Vec<_>, Vec<_>) = held.into_iter().partition(|(to, _)| to == "1");
    drop(ended);
    // The endpoint 1 has some 20 calls, and its count is kept.
    bench.found("2 3 1").unwrap();
    bench.ready("3");
    assert_eq!(bench.news(), "begin 3, connect 3, READY");
    let next = begin(&bench, 20);
    assert!(count(&next, "1") <= 2, "{}", count(&next, "1"));
    assert!(count(&next, "2") > 5 && count(&next, "3") > 5);
}

#[test]
fn an_endpoint_without_an_address_is_skipped_and_one_listed_twice_is_one() {
    let mut bench = Bench::new(&LeastRequest::new());
    bench.found("- 1 2+3 3+2 1").unwrap();
    assert_eq!(bench.news(), "begin 1 2+3, connect 1 2+3, CONNECTING");
    assert!(bench.found("-").is_err());
}

#[test]
fn only_those_that_are_ready_have_calls() {
    let mut bench = ready(LeastRequest::new(), "1 2");
    bench.idle("1");
    assert_eq!(bench.news(), "connect 1, resolve, READY");
    assert_eq!(bench.shares(10), [("2".to_owned(), 10)].into());
    bench.fails("2", "refused");
    bench.fails("1", "refused too");
    assert_eq!(bench.news(), "resolve, TRANSIENT_FAILURE");
    assert_eq!(bench.pick(), "refused too");
}
