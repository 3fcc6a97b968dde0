//! Unit tests of `random_subsetting`.

use std::collections::BTreeMap;

use super::*;
use crate::channel::balance::bench::{Bench, endpoints, names_of};
use crate::channel::balance::pick_first::PickFirst;
use crate::channel::balance::round_robin::RoundRobin;

fn names(count: u8) -> String {
    let names: Vec<_> = (1..=count).map(|name| name.to_string()).collect();
    names.join(" ")
}

fn few(list: &str, size: usize, seed: u64) -> Vec<String> {
    let mut all = endpoints(list);
    subset(&mut all, size, seed);
    all.iter().map(|it| names_of(it.addresses())).collect()
}

fn begun(news: &str) -> usize {
    let names = news
        .strip_prefix("begin ")
        .unwrap()
        .split(',')
        .next()
        .unwrap();
    names.split(' ').count()
}

#[test]
fn a_few_are_used_and_the_same_ones_each_time() {
    let mut bench = Bench::new(&RandomSubsetting::new(3, RoundRobin::new()));
    bench.found(&names(20)).unwrap();
    let news = bench.news();
    assert_eq!(begun(&news), 3, "{news}");
    bench.found(&names(20)).unwrap();
    assert_eq!(bench.news(), "CONNECTING");
}

#[test]
fn one_that_comes_or_goes_changes_one_at_most() {
    for seed in 0..50 {
        let before = few(&names(20), 5, seed);
        let without: Vec<_> = (1..=20)
            .filter(|name| *name != 7)
            .map(|it| it.to_string())
            .collect();
        let after = few(&without.join(" "), 5, seed);
        let kept = before.iter().filter(|name| after.contains(name)).count();
        assert!(kept >= 4, "{before:?} {after:?}");
        assert_eq!(kept == 5, !before.contains(&"7".to_owned()));
    }
}

#[test]
fn channels_have_other_ones_and_servers_about_as_many_channels() {
    let mut clients = BTreeMap::<String, usize>::new();
    for seed in 0..1_000 {
        for name in few(&names(10), 3, seed) {
            *clients.entry(name).or_default() += 1;
        }
    }
    assert!(
        clients.values().all(|count| (230..370).contains(count)),
        "{clients:?}"
    );
    let first = |_| {
        let mut bench = Bench::new(&RandomSubsetting::new(1, PickFirst::new()));
        bench.found(&names(10)).unwrap();
        bench.first_begun()
    };
    let firsts: HashSet<_> = (0..100).map(first).collect();
    assert!(
        firsts.len() > 5,
        "each channel draws its own seed: {firsts:?}"
    );
}

#[test]
fn where_there_are_no_more_all_are_used_in_their_order() {
    assert_eq!(few("3 1 2", 3, 7), ["3", "1", "2"]);
    assert_eq!(few("3 1 2", usize::MAX, 7), ["3", "1", "2"]);
    assert_eq!(few("3", 1, 7), ["3"]);
}

#[test]
fn one_without_an_address_is_skipped_and_one_listed_twice_is_one() {
    assert_eq!(few("- 1 - 2", 2, 7), ["1", "2"]);
    let mut twice = few("1 1 2 2 3 3 4 4", 2, 7);
    assert_eq!(twice.len(), 4);
    twice.dedup();
    assert_eq!(twice.len(), 2);
}

/// An endpoint's place is the hash of its first address (gRFC A68).
#[test]
fn the_first_address_tells() {
    let one = few(&names(20), 5, 3);
    let more: Vec<_> = (1..=20)
        .map(|name| format!("{name}+{}", name + 100))
        .collect();
    let with: Vec<_> = one
        .iter()
        .map(|name| format!("{name}+{}", name.parse::<u8>().unwrap() + 100))
        .collect();
    assert_eq!(few(&more.join(" "), 5, 3), with);
}

#[test]
fn its_policy_may_change_with_its_options() {
    let mut bench = Bench::new(&RandomSubsetting::new(2, PickFirst::new()));
    bench.found("1 2").unwrap();
    bench.news();
    bench.ready("1+2");
    assert_eq!(bench.news(), "READY");
    let other = RandomSubsetting::new(1, RoundRobin::new());
    bench.tell(|policy, _| assert!(policy.reconfigure(&other)));
    bench.found("1 2").unwrap();
    let news = bench.news();
    assert!(
        news == "begin 1, connect 1" || news == "begin 2, connect 2",
        "{news}"
    );
    let name = news.chars().last().unwrap().to_string();
    assert_eq!(bench.pick(), "1+2", "the old one serves");
    bench.ready(&name);
    assert_eq!(bench.news(), "remove 1+2, READY");
    assert_eq!(bench.pick(), name);
    bench.tell(|policy, _| assert!(!policy.reconfigure(&RoundRobin::new())));
}

#[test]
fn what_its_policy_says_of_a_list_is_said() {
    let mut bench = Bench::new(&RandomSubsetting::new(0, RoundRobin::new()));
    assert!(bench.found("-").is_err());
    assert_eq!(bench.news(), "TRANSIENT_FAILURE");
    bench.lost_sight("no such name");
    assert_eq!(bench.news(), "TRANSIENT_FAILURE");
    assert_eq!(bench.pick(), "no such name");
    bench.found("1 2").unwrap();
    assert_eq!(begun(&bench.news()), 1, "one at least");
    bench.connect();
    assert!(bench.news().starts_with("connect "));
}
