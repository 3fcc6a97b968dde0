//! Tests of `round_robin.rs`.

use std::collections::HashSet;

use super::*;
use crate::channel::balance::bench::{Bench, failure};
use crate::channel::subchannel::report::SubchannelState;

/// A policy whose endpoints have not connected yet.
fn bench(endpoints: &str) -> Bench {
    let mut bench = Bench::new(&RoundRobin::new());
    bench.found(endpoints).unwrap();
    bench.news();
    bench
}

/// A policy whose endpoints are all ready.
fn ready(endpoints: &str) -> Bench {
    let mut bench = bench(endpoints);
    for name in endpoints.split_whitespace() {
        bench.connecting(name);
        bench.ready(name);
    }
    bench.news();
    bench
}

#[test]
fn every_endpoint_is_connected_to_before_a_call_comes() {
    let mut bench = Bench::new(&RoundRobin::new());
    bench.found("1 2 3").unwrap();
    assert_eq!(
        bench.news(),
        "begin 1 2 3, connect 1 2 3, CONNECTING",
        "each once"
    );
    assert_eq!(bench.pick(), "wait");
}

#[test]
fn calls_go_to_each_as_often() {
    let bench = ready("1 2 3");
    let shares = bench.shares(300);
    assert_eq!(shares.len(), 3);
    assert!(shares.values().all(|calls| *calls == 100), "{shares:?}");
}

#[test]
fn the_first_that_is_ready_takes_calls_while_others_connect() {
    let mut bench = bench("1 2");
    bench.connecting("1");
    bench.connecting("2");
    assert_eq!(bench.news(), "", "it is CONNECTING already");
    bench.ready("2");
    assert_eq!(bench.news(), "READY");
    assert_eq!(bench.shares(4), [("2".to_owned(), 4)].into());
    bench.ready("1");
    assert_eq!(bench.news(), "READY");
    assert_eq!(bench.shares(4).len(), 2);
}

#[test]
fn one_that_is_down_fails_no_call() {
    let mut bench = ready("1 2 3");
    // Lost, dialled again, and not reachable.
    bench.idle("2");
    assert_eq!(bench.news(), "connect 2, resolve, READY");
    assert_eq!(
        bench.shares(4),
        [("1".to_owned(), 2), ("3".to_owned(), 2)].into()
    );
    bench.connecting("2");
    bench.fails("2", "refused");
    assert_eq!(bench.news(), "resolve, READY");
    assert_eq!(
        bench.shares(4),
        [("1".to_owned(), 2), ("3".to_owned(), 2)].into()
    );
    bench.idle("2");
    bench.connecting("2");
    bench.ready("2");
    assert_eq!(bench.news(), "connect 2, READY");
    assert_eq!(bench.shares(3).len(), 3);
}

/// grpc-go#3353, grpc#14097: the addresses of pods that have gone stayed for ever.
#[test]
fn any_loss_and_any_failure_has_the_name_resolved_again() {
    let mut bench = ready("1 2");
    bench.idle("1");
    assert!(bench.news().contains("resolve"), "a connection is lost");
    bench.connecting("1");
    assert!(!bench.news().contains("resolve"));
    for _ in 0..2 {
        bench.fails("1", "refused");
        assert!(bench.news().contains("resolve"), "an attempt failed");
        bench.idle("1");
        bench.connecting("1");
        assert!(!bench.news().contains("resolve"), "the backoff is over");
    }
    // Such as a connection that a server closed twice in a row.
    bench.fails("2", "it let go");
    assert!(bench.news().contains("resolve"));
}

#[test]
fn calls_fail_only_once_all_have_failed_and_until_one_is_ready() {
    let mut bench = bench("1 2");
    bench.connecting("1");
    bench.fails("1", "first");
    bench.connecting("2");
    assert_eq!(bench.news(), "resolve, CONNECTING");
    assert_eq!(bench.pick(), "wait");
    bench.fails("2", "second");
    assert_eq!(bench.news(), "resolve, TRANSIENT_FAILURE");
    assert_eq!(bench.pick(), "second");

    // A failure lasts until there is a connection; each endpoint is tried again by itself.
    bench.idle("1");
    bench.connecting("1");
    assert_eq!(bench.news(), "connect 1");
    bench.fails("1", "third");
    assert_eq!(bench.news(), "resolve, TRANSIENT_FAILURE");
    assert_eq!(bench.pick(), "third");
    bench.idle("2");
    bench.connecting("2");
    bench.ready("2");
    assert_eq!(bench.news(), "connect 2, READY");
    assert_eq!(bench.pick(), "2");
    // The ready endpoint that was lost connects; the one that failed before still counts as
    // failed.
    bench.idle("2");
    assert_eq!(bench.news(), "connect 2, resolve, CONNECTING");
    bench.fails("2", "fourth");
    assert_eq!(bench.news(), "resolve, TRANSIENT_FAILURE");
}

#[test]
fn a_new_list_keeps_the_connections_that_both_have() {
    let mut bench = ready("1 2 3");
    let kept = bench.subchannel("2");
    bench.found("4 3 2").unwrap();
    assert_eq!(bench.news(), "begin 4, remove 1, connect 4, READY");
    assert!(kept == bench.subchannel("2"));
    assert_eq!(
        bench.shares(4),
        [("2".to_owned(), 2), ("3".to_owned(), 2)].into()
    );
    bench.ready("4");
    assert_eq!(
        bench.shares(4).len(),
        2,
        "nothing is read before it is done"
    );
    bench.news();
    assert_eq!(bench.shares(3).len(), 3);
}

#[test]
fn the_same_list_changes_no_connection() {
    let mut bench = ready("1 2");
    bench.found("2 1").unwrap();
    assert_eq!(bench.news(), "READY");
    assert_eq!(bench.shares(4).len(), 2);
}

#[test]
fn a_list_with_nothing_in_common_begins_anew() {
    let mut bench = ready("1 2");
    let gone = bench.subchannel("1");
    bench.found("3 4").unwrap();
    assert_eq!(
        bench.news(),
        "begin 3 4, remove 1 2, connect 3 4, CONNECTING"
    );
    assert_eq!(bench.pick(), "wait");
    // Reports of a removed subchannel may still arrive.
    let state = SubchannelState::TransientFailure(failure("gone"));
    bench.changed(&gone, state);
    assert_eq!(bench.news(), "");
}

/// kubernetes#121231: one endpoint may be in two slices.
#[test]
fn an_endpoint_that_is_listed_twice_is_one() {
    let mut bench = Bench::new(&RoundRobin::new());
    bench.found("1 2+3 1 3+2 1").unwrap();
    assert_eq!(bench.news(), "begin 1 2+3, connect 1 2+3, CONNECTING");
}

/// Any of its addresses may answer: the endpoint's calls are one share.
#[test]
fn an_endpoint_whose_authority_changes_is_another_one() {
    let mut bench = bench("1@a");
    bench.ready("1");
    bench.news();
    bench.found("1@a").unwrap();
    assert_eq!(bench.news(), "READY");
    bench.found("1@b").unwrap();
    assert_eq!(bench.news(), "begin 1, remove 1, connect 1, CONNECTING");
}

#[test]
fn an_endpoint_of_two_addresses_has_one_share() {
    let mut bench = ready("1+2 3");
    assert_eq!(
        bench.shares(4),
        [("1+2".to_owned(), 2), ("3".to_owned(), 2)].into()
    );
    let kept = bench.subchannel("1+2");
    bench.found("3 2+1").unwrap();
    assert_eq!(bench.news(), "READY");
    // Another set of addresses is another endpoint.
    bench.found("3 1").unwrap();
    assert_eq!(bench.news(), "begin 1, remove 1+2, connect 1, READY");
    assert!(kept != bench.subchannel("1"));
}

#[test]
fn an_endpoint_without_an_address_is_passed_over() {
    let mut bench = Bench::new(&RoundRobin::new());
    bench.found("- 1 -").unwrap();
    assert_eq!(bench.news(), "begin 1, connect 1, CONNECTING");
    assert!(bench.found("- -").is_err(), "there is none");
}

/// grpc#40162: a channel whose first list was empty stopped for ever.
#[test]
fn an_empty_list_is_refused_and_fails_calls_until_another_comes() {
    let mut fresh = Bench::new(&RoundRobin::new());
    let status = fresh.found("").unwrap_err();
    assert_eq!(fresh.news(), "TRANSIENT_FAILURE");
    assert_eq!(fresh.pick(), status.message());
    fresh.found("1").unwrap();
    assert_eq!(fresh.news(), "begin 1, connect 1, CONNECTING");

    let mut bench = ready("1 2");
    bench.found("").unwrap_err();
    assert_eq!(bench.news(), "remove 1 2, TRANSIENT_FAILURE");
    bench.found("2").unwrap();
    assert_eq!(bench.news(), "begin 2, connect 2, CONNECTING");
}

#[test]
fn a_resolver_that_fails_is_heard_only_while_no_list_is_known() {
    let mut fresh = Bench::new(&RoundRobin::new());
    fresh.lost_sight("no such name");
    assert_eq!(fresh.news(), "TRANSIENT_FAILURE");
    assert_eq!(fresh.pick(), "no such name");
    fresh.found("1").unwrap();
    assert_eq!(fresh.news(), "begin 1, connect 1, CONNECTING");
    fresh.lost_sight("no such name");
    assert_eq!(fresh.news(), "");
    fresh.ready("1");
    fresh.lost_sight("no such name");
    assert_eq!(fresh.news(), "READY");
    assert_eq!(fresh.pick(), "1");
}

/// grpc-go#2580, grpc-java#4462: clients that began together all began with the first.
#[test]
fn where_calls_begin_and_who_is_dialled_first_is_left_to_chance() {
    let first_pick = |_| {
        let mut bench = ready("1 2 3");
        // In the list's order, whichever was dialled first.
        bench.found("1 2 3").unwrap();
        bench.news();
        bench.pick()
    };
    let first_picks: HashSet<_> = (0..200).map(first_pick).collect();
    assert_eq!(first_picks.len(), 3);
    let first_dialled = |_| {
        let mut bench = Bench::new(&RoundRobin::new());
        bench.found("1 2 3").unwrap();
        bench.first_begun()
    };
    let first_dialled: HashSet<_> = (0..200).map(first_dialled).collect();
    assert_eq!(first_dialled.len(), 3);
}

#[test]
fn the_program_may_cut_a_backoff_short() {
    let mut bench = ready("1 2");
    bench.idle("1");
    bench.connecting("1");
    bench.fails("1", "refused");
    bench.news();
    bench.connect();
    assert_eq!(bench.news(), "connect 1", "what is ready needs none");
}
