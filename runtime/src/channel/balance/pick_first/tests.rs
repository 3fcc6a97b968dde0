//! Tests of `pick_first.rs`.

use super::*;
use crate::channel::balance::bench::{Bench, address, failure, names_of};

/// A policy with this list, whose first attempt is running.
fn bench(endpoints: &str) -> Bench {
    let mut bench = Bench::new(&PickFirst::new());
    bench.found(endpoints).unwrap();
    bench.connecting(&joined(endpoints));
    bench.news();
    bench
}

/// A policy that is connected to the first address.
fn ready(endpoints: &str) -> Bench {
    let mut bench = bench(endpoints);
    bench.ready(&joined(endpoints));
    assert_eq!(bench.news(), "READY");
    bench
}

/// A policy whose first attempt has failed.
fn failing(endpoints: &str) -> Bench {
    let mut bench = bench(endpoints);
    bench.fails(&joined(endpoints), "refused");
    assert_eq!(bench.news(), "resolve, TRANSIENT_FAILURE");
    bench
}

/// The only subchannel has the addresses of all endpoints.
fn joined(endpoints: &str) -> String {
    endpoints.replace(' ', "+")
}

/// The addresses that the next attempt tries.
fn tried(bench: &Bench, name: &str) -> String {
    let list = bench.subchannel(name).destinations();
    let list = list.lock().unwrap();
    let addresses: Vec<_> = list.iter().map(|it| it.address.clone()).collect();
    names_of(&addresses)
}

#[test]
fn both_families_come_by_turns() {
    let order = |texts: &str| {
        let addresses = texts.split(' ').map(str::parse::<std::net::SocketAddr>);
        let endpoints: Vec<_> = addresses.map(|it| Endpoint::new(it.unwrap())).collect();
        let texts: Vec<_> = in_order(&endpoints)
            .iter()
            .map(|it| it.address.to_string())
            .collect();
        texts.join(" ")
    };
    for (resolved, tried) in [
        ("[::1]:1", "[::1]:1"),
        ("1.0.0.1:1 1.0.0.2:1", "1.0.0.1:1 1.0.0.2:1"),
        ("1.0.0.1:1 1.0.0.2:1 1.0.0.1:1", "1.0.0.1:1 1.0.0.2:1"),
        (
            "[::1]:1 [::2]:1 [::3]:1 1.0.0.1:1",
            "[::1]:1 1.0.0.1:1 [::2]:1 [::3]:1",
        ),
        (
            "1.0.0.1:1 1.0.0.2:1 [::1]:1 1.0.0.3:1",
            "1.0.0.1:1 [::1]:1 1.0.0.2:1 1.0.0.3:1",
        ),
    ] {
        assert_eq!(order(resolved), tried);
    }
    assert!(in_order(&[]).is_empty());
}

#[test]
fn all_addresses_are_one_attempt_and_all_calls_go_to_its_connection() {
    let mut bench = Bench::new(&PickFirst::new());
    bench.found("1+2 3").unwrap();
    assert_eq!(bench.news(), "begin 1+2+3, connect 1+2+3, CONNECTING");
    // Calls wait for it in the subchannel's queue.
    assert_eq!(bench.pick(), "1+2+3");
    bench.connecting("1+2+3");
    bench.ready("1+2+3");
    assert_eq!(bench.news(), "READY");
    assert_eq!(bench.shares(5), [("1+2+3".to_owned(), 5)].into());
}

#[test]
fn an_address_that_is_listed_twice_is_tried_once() {
    let mut bench = Bench::new(&PickFirst::new());
    bench.found("1 2 1+3 - 2").unwrap();
    assert_eq!(bench.news(), "begin 1+2+3, connect 1+2+3, CONNECTING");
}

#[test]
fn an_address_whose_authority_changes_is_connected_to_anew() {
    let mut bench = Bench::new(&PickFirst::new());
    bench.found("1@a 2@b").unwrap();
    bench.ready("1+2");
    bench.news();
    // Not the address of the present connection.
    bench.found("1@a 2@c").unwrap();
    assert_eq!(bench.news(), "");
    let list = bench.subchannel("1+2").destinations();
    let authorities: Vec<_> = list
        .lock()
        .unwrap()
        .iter()
        .map(|it| it.authority.clone())
        .collect();
    assert_eq!(authorities, [Some("a".into()), Some("c".into())]);
    bench.found("1@d 2@c").unwrap();
    assert_eq!(
        bench.news(),
        "begin 1+2, remove 1+2, connect 1+2, CONNECTING"
    );
}

/// node#2570, node#2090: calls hung until their deadlines while nothing answered.
#[test]
fn once_all_have_failed_calls_fail_until_there_is_a_connection() {
    let mut bench = failing("1 2");
    assert_eq!(bench.pick(), "refused");
    for text in ["second", "third"] {
        // After the backoff it tries again, even without a call.
        bench.idle("1+2");
        assert_eq!(bench.news(), "connect 1+2");
        bench.connecting("1+2");
        assert_eq!(bench.news(), "");
        bench.fails("1+2", text);
        assert_eq!(bench.news(), "resolve, TRANSIENT_FAILURE");
        assert_eq!(bench.pick(), text, "the last failure is told");
    }
    bench.idle("1+2");
    bench.connecting("1+2");
    bench.ready("1+2");
    assert_eq!(bench.news(), "connect 1+2, READY");
    assert_eq!(bench.pick(), "1+2");
}

/// grpc-java#8574, node#2602: all addresses were stale, and were tried for ever.
#[test]
fn each_failed_attempt_has_the_name_resolved_again() {
    let mut bench = bench("1 2");
    for _ in 0..3 {
        bench.fails("1+2", "refused");
        assert!(bench.news().contains("resolve"));
        bench.idle("1+2");
        bench.connecting("1+2");
        assert!(!bench.news().contains("resolve"));
    }
}

/// node#2824: no new addresses after a GOAWAY.
#[test]
fn a_lost_connection_is_made_again_by_the_next_call_alone() {
    let mut bench = ready("1 2");
    bench.idle("1+2");
    assert_eq!(bench.news(), "resolve, IDLE");
    // A call makes the subchannel connect.
    assert_eq!(bench.pick(), "1+2");
    bench.connecting("1+2");
    assert_eq!(bench.news(), "CONNECTING");
    assert_eq!(bench.pick(), "1+2");
    bench.idle("1+2");
    assert_eq!(bench.news(), "IDLE", "an attempt that was given up");
}

#[test]
fn a_connection_that_failed_before_it_was_of_use_is_a_failure() {
    let mut bench = ready("1");
    bench.fails("1", "it let go");
    assert_eq!(bench.news(), "resolve, TRANSIENT_FAILURE");
    assert_eq!(bench.pick(), "it let go");
    bench.idle("1");
    assert_eq!(bench.news(), "connect 1");
}

// --- lists ----------------------------------------------------------------------------

#[test]
fn the_same_list_changes_nothing() {
    for mut bench in [bench("1 2"), ready("1 2"), failing("1 2")] {
        bench.found("1 2").unwrap();
        assert_eq!(bench.news(), "");
    }
}

#[test]
fn a_list_that_has_the_address_of_the_connection_leaves_it_alone() {
    let mut bench = ready("1 2 3");
    bench.found("4 1").unwrap();
    assert_eq!(bench.news(), "");
    assert_eq!(tried(&bench, "1+2+3"), "4+1", "the next attempt has it");
    // The next connection must be to the new list.
    bench.found("4").unwrap();
    assert_eq!(bench.news(), "begin 4, remove 1+2+3, connect 4, CONNECTING");
}

#[test]
fn a_list_without_the_address_of_the_connection_begins_anew() {
    let mut bench = ready("1 2");
    let gone = bench.subchannel("1+2");
    bench.found("2 3").unwrap();
    assert_eq!(
        bench.news(),
        "begin 2+3, remove 1+2, connect 2+3, CONNECTING"
    );
    assert_eq!(bench.pick(), "2+3");
    // Reports of the previous subchannel may still arrive.
    bench.changed(&gone, SubchannelState::TransientFailure(failure("gone")));
    bench.changed(&gone, SubchannelState::Idle);
    assert_eq!(bench.news(), "");
    bench.connecting("2+3");
    bench.fails("2+3", "refused");
    assert_eq!(bench.news(), "resolve, TRANSIENT_FAILURE");
}

#[test]
fn another_list_during_an_attempt_begins_anew_and_another_order_does_not() {
    let mut bench = bench("1 2");
    bench.found("2 1").unwrap();
    assert_eq!(bench.news(), "");
    assert_eq!(tried(&bench, "1+2"), "2+1");
    bench.found("1").unwrap();
    assert_eq!(bench.news(), "begin 1, remove 1+2, connect 1, CONNECTING");
    bench.found("1 2 3").unwrap();
    assert_eq!(
        bench.news(),
        "begin 1+2+3, remove 1, connect 1+2+3, CONNECTING"
    );
}

/// A name whose servers come in a new order each time would otherwise be dialled in a loop,
/// since each failure resolves it again.
#[test]
fn a_list_of_what_has_just_failed_waits_for_the_backoff() {
    let mut bench = failing("1 2 3");
    for list in ["3 2 1", "2 3"] {
        bench.found(list).unwrap();
        assert_eq!(bench.news(), "");
        assert_eq!(tried(&bench, "1+2+3"), joined(list));
    }
    // That address had been removed from the list.
    bench.found("2 1").unwrap();
    assert_eq!(bench.news(), "begin 2+1, remove 1+2+3, connect 2+1");
}

/// gRFC A62: a failure lasts until there is a connection, whatever the resolver finds.
#[test]
fn another_list_after_a_failure_is_tried_at_once_and_calls_fail_meanwhile() {
    let mut bench = failing("1 2");
    bench.found("1 3").unwrap();
    assert_eq!(bench.news(), "begin 1+3, remove 1+2, connect 1+3");
    assert_eq!(bench.pick(), "refused");
    bench.connecting("1+3");
    assert_eq!(bench.news(), "");
    bench.fails("1+3", "unreachable");
    assert_eq!(bench.news(), "resolve, TRANSIENT_FAILURE");
    assert_eq!(bench.pick(), "unreachable");
    bench.found("4").unwrap();
    bench.ready("4");
    assert_eq!(bench.news(), "begin 4, remove 1+3, connect 4, READY");
}

#[test]
fn another_list_for_a_channel_at_rest_wakes_nobody() {
    let mut bench = ready("1");
    bench.idle("1");
    bench.news();
    bench.found("1 2").unwrap();
    assert_eq!(bench.news(), "begin 1+2, remove 1, IDLE");
    assert_eq!(bench.pick(), "1+2");
}

/// grpc-go#8615, grpc-java#12395: a list that came just as the channel left IDLE left
/// it there.
#[test]
fn another_list_just_as_the_channel_is_asked_to_connect_connects() {
    let mut bench = ready("1");
    bench.idle("1");
    bench.news();
    bench.connect();
    assert_eq!(bench.news(), "connect 1");
    bench.found("2").unwrap();
    assert_eq!(bench.news(), "begin 2, remove 1, connect 2, CONNECTING");
    // The same before the first one has reported anything.
    bench.found("3").unwrap();
    assert_eq!(bench.news(), "begin 3, remove 2, connect 3, CONNECTING");
}

/// grpc#40162, grpc#30803: a channel whose first list was empty stopped for ever.
#[test]
fn an_empty_list_is_refused_and_fails_calls_until_another_comes() {
    for list in ["", "-"] {
        let mut fresh = Bench::new(&PickFirst::new());
        let status = fresh.found(list).unwrap_err();
        assert_eq!(fresh.news(), "TRANSIENT_FAILURE");
        assert_eq!(fresh.pick(), status.message());
        // There is nothing to connect to.
        fresh.connect();
        fresh.found("1").unwrap();
        assert_eq!(fresh.news(), "begin 1, connect 1, CONNECTING");
        assert_eq!(fresh.pick(), "1");
    }
    for mut bench in [bench("1 2"), ready("1 2"), failing("1 2")] {
        let status = bench.found("").unwrap_err();
        assert_eq!(bench.news(), "remove 1+2, TRANSIENT_FAILURE");
        assert_eq!(bench.pick(), status.message());
        bench.found("1 2").unwrap();
        assert_eq!(bench.news(), "begin 1+2, connect 1+2, CONNECTING");
    }
}

// --- the resolver, the program, chance --------------------------------------------------

#[test]
fn a_resolver_that_fails_is_heard_while_nothing_better_is_known() {
    let mut fresh = Bench::new(&PickFirst::new());
    fresh.lost_sight("no such name");
    assert_eq!(fresh.news(), "TRANSIENT_FAILURE");
    assert_eq!(fresh.pick(), "no such name");
    fresh.found("1").unwrap();
    assert_eq!(fresh.news(), "begin 1, connect 1, CONNECTING");

    let mut idle = ready("1");
    idle.idle("1");
    idle.news();
    for mut bench in [bench("1"), ready("1"), idle] {
        bench.lost_sight("no such name");
        assert_eq!(bench.news(), "", "the list that there is may be good");
        assert_eq!(bench.pick(), "1");
    }

    let mut bench = failing("1");
    bench.lost_sight("no such name");
    assert_eq!(bench.news(), "TRANSIENT_FAILURE");
    assert_eq!(bench.pick(), "no such name");
    bench.idle("1");
    bench.ready("1");
    assert_eq!(bench.news(), "connect 1, READY");
}

#[test]
fn the_program_may_cut_a_backoff_short() {
    let mut bench = failing("1");
    bench.connect();
    bench.connect();
    assert_eq!(bench.news(), "connect 1", "asked twice, told once");
    bench.connecting("1");
    bench.fails("1", "refused");
    bench.news();
    bench.connect();
    assert_eq!(bench.news(), "connect 1");
    bench.connecting("1");
    bench.ready("1");
    bench.news();
    bench.connect();
    assert_eq!(bench.news(), "", "there is a connection");
}

#[test]
fn endpoints_are_shuffled_if_asked_for_and_the_addresses_of_one_stay_together() {
    let order = |shuffled: bool| {
        let policy = PickFirst::new();
        let policy = if shuffled { policy.shuffled() } else { policy };
        let mut bench = Bench::new(&policy);
        bench.found("1+2 3 4+5").unwrap();
        let order = bench.first_begun();
        // The same list in any order is not a new one.
        bench.ready(&order);
        bench.news();
        bench.found("1+2 3 4+5").unwrap();
        assert_eq!(bench.news(), "");
        order
    };
    assert_eq!(order(false), "1+2+3+4+5");
    let orders: HashSet<String> = (0..400).map(|_| order(true)).collect();
    let all = [
        "1+2+3+4+5",
        "1+2+4+5+3",
        "3+1+2+4+5",
        "3+4+5+1+2",
        "4+5+1+2+3",
        "4+5+3+1+2",
    ];
    assert_eq!(orders, all.map(str::to_owned).into());
}

#[test]
fn the_address_that_answered_is_the_one_that_counts() {
    let mut bench = bench("1 2");
    let subchannel = bench.subchannel("1+2");
    bench.changed(&subchannel, SubchannelState::Ready(address("2")));
    assert_eq!(bench.news(), "READY");
    bench.found("2 3").unwrap();
    assert_eq!(bench.news(), "");
    bench.found("1 3").unwrap();
    assert_eq!(
        bench.news(),
        "begin 1+3, remove 1+2, connect 1+3, CONNECTING"
    );
}
