//! Tests of `ring_hash.rs`.

use std::collections::HashSet;

use super::super::ring::{EndpointWeight, HashKey};
use super::*;
use crate::channel::address::{Attributes, Endpoint};
use crate::channel::balance::bench::{Bench, endpoints, names_of};

const HEADER: &str = "x-key";

fn by_header() -> RingHash {
    RingHash::new().request_hash_header(HEADER).unwrap()
}

fn bench(endpoints: &str) -> Bench {
    let mut bench = Bench::new(&by_header());
    bench.found(endpoints).unwrap();
    bench.news();
    bench
}

fn ready(endpoints: &str) -> Bench {
    let mut bench = bench(endpoints);
    for name in endpoints.split_whitespace() {
        bench.connecting(name);
        bench.ready(name);
    }
    bench.news();
    bench
}

fn call(bench: &Bench, key: &str) -> String {
    bench
        .begin(Metadata::from_pairs([(HEADER, key)]).unwrap())
        .0
}

/// A call without a key.
fn any(bench: &Bench) -> String {
    bench.begin(Metadata::new()).0
}

/// The endpoints in a key's order on the ring.
fn order(names: &str, key: &str) -> Vec<String> {
    let all = endpoints(names);
    let seats: Vec<_> = all.iter().map(RingSeat::of).collect();
    let ring = Ring::new(&seats, RingHash::new().size);
    let mut known = HashSet::new();
    ring.from(hash(0, key.as_bytes()))
        .filter(|number| known.insert(*number))
        .map(|number| names_of(all[number].addresses()))
        .collect()
}

/// A key with the endpoints in this order.
fn key_of(names: &str) -> String {
    let wanted: Vec<_> = names.split_whitespace().collect();
    let mut keys = (0..).map(|number: u32| format!("key-{number}"));
    keys.find(|key| order(names, key) == wanted).unwrap()
}

#[test]
fn nobody_is_connected_to_before_a_call_comes() {
    let mut bench = Bench::new(&by_header());
    bench.found("1 2 3").unwrap();
    assert_eq!(bench.news(), "begin 1 2 3, IDLE");
    let key = key_of("2 1 3");
    assert_eq!(call(&bench, &key), "wait");
    assert_eq!(call(&bench, &key), "wait");
    assert_eq!(bench.news(), "connect 2", "once");
    bench.connecting("2");
    assert_eq!(bench.news(), "CONNECTING");
    assert_eq!(call(&bench, &key), "wait");
    bench.ready("2");
    assert_eq!(bench.news(), "READY");
    assert_eq!(call(&bench, &key), "2");
    // Another key has another endpoint, and waits for it.
    assert_eq!(call(&bench, &key_of("3 1 2")), "wait");
    assert_eq!(bench.news(), "connect 3");
}

#[test]
fn a_key_has_one_endpoint_and_keys_are_spread() {
    let bench = ready("1 2 3 4");
    let mut shares: HashMap<String, usize> = HashMap::new();
    for number in 0..4_000 {
        let key = format!("user-{number}");
        let to = call(&bench, &key);
        assert_eq!(to, call(&bench, &key));
        assert_eq!(to, order("1 2 3 4", &key)[0]);
        *shares.entry(to).or_default() += 1;
    }
    assert!(
        shares.values().all(|keys| (700..1_300).contains(keys)),
        "{shares:?}"
    );
}

#[test]
fn only_the_keys_of_one_that_leaves_move() {
    let mut bench = ready("1 2 3 4");
    let keys: Vec<_> = (0..500).map(|number| format!("user-{number}")).collect();
    let before: Vec<_> = keys.iter().map(|key| call(&bench, key)).collect();
    bench.found("1 3 4").unwrap();
    assert_eq!(bench.news(), "remove 2, READY");
    let after: Vec<_> = keys.iter().map(|key| call(&bench, key)).collect();
    let moved = before
        .iter()
        .zip(&after)
        .filter(|(a, b)| a != b && *a != "2")
        .count();
    assert!(!after.contains(&"2".to_owned()));
    // The ring has another size, so a few may move.
    assert!(moved < 100, "{moved}");
}

#[test]
fn another_order_of_the_list_keeps_the_ring_and_the_connections() {
    let mut bench = ready("1 2 3");
    let keys: Vec<_> = (0..200).map(|number| format!("user-{number}")).collect();
    let before: Vec<_> = keys.iter().map(|key| call(&bench, key)).collect();
    bench.found("3 1 2 1").unwrap();
    assert_eq!(bench.news(), "READY");
    // An endpoint that is listed twice has twice the weight.
    bench.found("3 1 2").unwrap();
    bench.news();
    let after: Vec<_> = keys.iter().map(|key| call(&bench, key)).collect();
    assert_eq!(before, after);
}

#[test]
fn a_key_whose_endpoint_failed_has_the_next() {
    let mut bench = bench("1 2 3");
    let key = key_of("1 2 3");
    call(&bench, &key);
    bench.connecting("1");
    bench.fails("1", "refused");
    // Without a call no other endpoint would be tried.
    assert_eq!(bench.news(), "connect 1 2, resolve, CONNECTING");
    assert_eq!(call(&bench, &key), "wait");
    bench.connecting("2");
    bench.ready("2");
    assert_eq!(bench.news(), "READY");
    assert_eq!(call(&bench, &key), "2");
    // The key's own endpoint comes back.
    bench.idle("1");
    bench.connecting("1");
    assert_eq!(
        call(&bench, &key),
        "2",
        "it counts as failed until it is ready"
    );
    bench.ready("1");
    bench.news();
    assert_eq!(call(&bench, &key), "1");
}

/// gRFC A61: it does not matter which of its addresses an endpoint is reached by.
#[test]
fn an_endpoint_of_two_addresses_is_one_place() {
    let mut bench = ready("1+2 3");
    let key = key_of("1+2 3");
    assert_eq!(call(&bench, &key), "1+2");
    let at_second = bench.subchannel("1+2").endpoint().addresses()[1].clone();
    let subchannel = bench.subchannel("1+2");
    bench.idle("1+2");
    bench.changed(&subchannel, SubchannelState::Ready(at_second));
    bench.news();
    assert_eq!(call(&bench, &key), "1+2");
    bench.fails("1+2", "refused");
    bench.news();
    assert_eq!(call(&bench, &key), "3", "both addresses failed: the next");
}

#[test]
fn calls_fail_as_their_own_endpoint_did_once_all_have() {
    let mut bench = bench("1 2");
    let (first, second) = (key_of("1 2"), key_of("2 1"));
    call(&bench, &first);
    call(&bench, &second);
    for name in ["1", "2"] {
        bench.connecting(name);
        bench.fails(name, &format!("{name} refused"));
    }
    assert!(bench.news().ends_with("resolve, TRANSIENT_FAILURE"));
    assert_eq!(call(&bench, &first), "1 refused");
    assert_eq!(call(&bench, &second), "2 refused");
    assert!(["1 refused", "2 refused"].contains(&&*any(&bench)));
    // Each is tried again after its backoff, and no other endpoint connects.
    bench.idle("1");
    assert_eq!(bench.news(), "connect 1");
    bench.connecting("1");
    assert_eq!(bench.news(), "");
    bench.ready("1");
    assert_eq!(bench.news(), "READY");
    assert_eq!(call(&bench, &second), "1");
}

/// gRFC A42's rules, in order.
#[test]
fn the_state_is_that_of_the_rules() {
    let mut bench = bench("1 2 3");
    bench.connecting("1");
    assert_eq!(bench.news(), "CONNECTING");
    bench.fails("1", "refused");
    assert_eq!(
        bench.news(),
        "connect 2, resolve, CONNECTING",
        "one failed of several"
    );
    bench.connecting("2");
    assert_eq!(bench.news(), "CONNECTING");
    bench.fails("2", "refused");
    assert_eq!(
        bench.news(),
        "connect 3, resolve, TRANSIENT_FAILURE",
        "two failed"
    );
    bench.connecting("3");
    assert_eq!(bench.news(), "TRANSIENT_FAILURE");
    bench.ready("3");
    assert_eq!(bench.news(), "READY");
    bench.idle("3");
    assert_eq!(bench.news(), "connect 3, resolve, TRANSIENT_FAILURE");

    let mut lone = self::bench("1");
    lone.connecting("1");
    lone.fails("1", "refused");
    assert_eq!(lone.news(), "resolve, TRANSIENT_FAILURE", "all have");
    let mut ready = ready("1 2");
    ready.idle("1");
    ready.idle("2");
    assert_eq!(ready.news(), "resolve, IDLE");
    assert_eq!(call(&ready, &key_of("2 1")), "wait");
    assert_eq!(
        ready.news(),
        "connect 2",
        "a connection that was lost is made when needed"
    );
}

/// grpc-go#7363, #8085: the connecting endpoint was removed or failed, and no other one
/// connected.
#[test]
fn another_connects_where_the_one_that_did_leaves_or_rests() {
    let failing = || {
        let mut bench = bench("1 2 3 4");
        bench.connecting("1");
        bench.fails("1", "refused");
        bench.connecting("2");
        bench.fails("2", "refused");
        bench.connecting("3");
        bench.news();
        bench
    };
    let mut leaves = failing();
    leaves.found("1 2 4").unwrap();
    assert_eq!(leaves.news(), "remove 3, connect 4, TRANSIENT_FAILURE");
    let mut rests = failing();
    rests.idle("3");
    assert_eq!(rests.news(), "connect 3, TRANSIENT_FAILURE");
    let mut joins = failing();
    joins.found("1 2").unwrap();
    assert_eq!(joins.news(), "remove 3 4, TRANSIENT_FAILURE");
    joins.found("1 2 5").unwrap();
    assert_eq!(joins.news(), "begin 5, connect 5, TRANSIENT_FAILURE");
}

/// grpc-go#5602: waiting calls must not make every endpoint connect, nor shorten a backoff.
#[test]
fn a_crowd_of_calls_asks_each_endpoint_once() {
    let mut bench = bench("1 2 3");
    let key = key_of("1 2 3");
    for _ in 0..100 {
        call(&bench, &key);
    }
    assert_eq!(bench.news(), "connect 1");
    // An outdated picker.
    let subchannel = bench.subchannel("1");
    bench.tell(|policy, control| {
        policy.changed(&subchannel, SubchannelState::Connecting, control);
    });
    for _ in 0..100 {
        call(&bench, &key);
    }
    assert_eq!(bench.news(), "CONNECTING");
    for _ in 0..100 {
        call(&bench, &key);
    }
    assert_eq!(bench.news(), "");
}

#[test]
fn a_call_without_a_key_has_one_connect_at_most_and_goes_to_any_that_is_ready() {
    let mut bench = bench("1 2 3 4 5");
    for _ in 0..50 {
        assert_eq!(any(&bench), "wait");
    }
    let asked = bench.news();
    let name = asked.strip_prefix("connect ").unwrap().to_owned();
    assert_eq!(name.len(), 1, "one: {asked}");
    bench.connecting(&name);
    for _ in 0..50 {
        assert_eq!(any(&bench), "wait");
    }
    assert_eq!(bench.news(), "CONNECTING", "one connects already");
    bench.ready(&name);
    bench.news();
    // It is ready, so it gets the calls. Some of them make another endpoint connect, one
    // for each picker.
    for _ in 0..50 {
        assert_eq!(any(&bench), name);
    }
    let asked = bench.news();
    assert_eq!(asked.len(), "connect 1".len(), "{asked}");
}

#[test]
fn what_is_no_key_is_none() {
    let bench = ready("1 2 3");
    let spread = |metadata: Metadata| {
        let to: HashSet<_> = (0..200).map(|_| bench.begin(metadata.clone()).0).collect();
        to.len()
    };
    assert_eq!(spread(Metadata::new()), 3);
    assert_eq!(spread(Metadata::from_pairs([(HEADER, "")]).unwrap()), 3);
    assert_eq!(spread(Metadata::from_pairs([("other", "a")]).unwrap()), 3);
    assert_eq!(spread(Metadata::from_pairs([(HEADER, "a")]).unwrap()), 1);
    // Without a header every call goes to a random endpoint.
    let mut plain = Bench::new(&RingHash::new());
    plain.found("1 2").unwrap();
    plain.ready("1");
    plain.ready("2");
    plain.news();
    let to: HashSet<_> = (0..200).map(|_| call(&plain, "a")).collect();
    assert_eq!(to.len(), 2);
}

#[test]
fn several_values_are_joined_by_commas() {
    let bench = ready("1 2 3");
    for number in 0..50 {
        let (a, b) = (format!("a{number}"), format!("b{number}"));
        let both = Metadata::from_pairs([(HEADER, &a), (HEADER, &b)]).unwrap();
        assert_eq!(bench.begin(both).0, call(&bench, &format!("{a},{b}")));
    }
}

#[test]
fn a_header_has_to_be_one() {
    for name in ["x-key-bin", "a b", "grpc-x", "ü"] {
        assert!(RingHash::new().request_hash_header(name).is_err(), "{name}");
    }
    assert!(RingHash::new().request_hash_header("X-User").is_ok());
}

#[test]
fn a_resolver_may_say_what_is_hashed_and_what_it_weighs() {
    let list = |first: &str, weight| {
        let named = |endpoint: Endpoint, name: &str| endpoint.with(HashKey(name.to_owned()));
        let mut all = endpoints(&format!("{first} 2"));
        let second = named(all.remove(1), "pod-b");
        vec![
            named(all.remove(0), "pod-a").with(EndpointWeight(weight)),
            second,
        ]
    };
    let mut bench = Bench::new(&by_header());
    let found = |bench: &mut Bench, list: Vec<Endpoint>| {
        bench.tell(|policy, control| {
            let resolved = Resolved::new(list, Attributes::default());
            policy.update(resolved, control).unwrap();
        });
    };
    found(&mut bench, list("1", 1));
    bench.ready("1");
    bench.ready("2");
    bench.news();
    let keys: Vec<_> = (0..300).map(|number| format!("user-{number}")).collect();
    let firsts =
        |bench: &Bench| -> Vec<bool> { keys.iter().map(|key| call(bench, key) != "2").collect() };
    let before = firsts(&bench);
    // Another address of the same pod.
    found(&mut bench, list("7", 1));
    bench.ready("7");
    bench.news();
    assert_eq!(firsts(&bench), before);
    found(&mut bench, list("7", 4));
    bench.news();
    let share = firsts(&bench)
        .into_iter()
        .filter(|is_first| *is_first)
        .count();
    assert!((210..270).contains(&share), "{share} of 300");
}

#[test]
fn an_empty_list_is_refused_and_fails_calls_until_another_comes() {
    let mut bench = ready("1 2");
    let status = bench.found("- -").unwrap_err();
    assert_eq!(bench.news(), "remove 1 2, TRANSIENT_FAILURE");
    assert_eq!(call(&bench, "a"), status.message());
    bench.lost_sight("no such name");
    assert_eq!(bench.news(), "TRANSIENT_FAILURE");
    assert_eq!(any(&bench), "no such name");
    bench.found("3").unwrap();
    assert_eq!(bench.news(), "begin 3, IDLE");
    bench.lost_sight("no such name");
    assert_eq!(bench.news(), "");
}

#[test]
fn the_program_may_want_a_connection() {
    let mut bench = bench("1 2 3");
    bench.connect();
    bench.connect();
    assert_eq!(bench.news(), "connect 1", "one");
    bench.connecting("1");
    bench.fails("1", "refused");
    bench.news();
    bench.connect();
    assert_eq!(bench.news(), "connect 1", "the backoff is cut short");
}
