//! Tests of `call_gate.rs` and `places.rs`: who gets a place and who waits for it, and that
//! every place comes back.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;

use super::super::places::{Entrance, Gates, InLine, Places};
use super::{CallGate, CallLimit};
use crate::status::Code;

fn gate(most: usize, queue: usize) -> Arc<CallGate> {
    let limit = CallLimit::new(most).queue(queue);
    Arc::new(CallGate::new(&limit, "the shop"))
}

fn gates(all: &[&Arc<CallGate>]) -> Arc<Gates> {
    Gates::new(all.iter().map(|gate| Arc::clone(gate)).collect()).unwrap()
}

fn place(gates: &Arc<Gates>) -> Places {
    match gates.enter() {
        Ok(Entrance::Enters(places)) => places,
        other => panic!("{other:?}"),
    }
}

fn line(gates: &Arc<Gates>) -> InLine {
    match gates.enter() {
        Ok(Entrance::Waits(line)) => line,
        other => panic!("{other:?}"),
    }
}

fn refusal(gates: &Arc<Gates>) -> Code {
    assert!(gates.full().is_some());
    match gates.enter() {
        Err(status) => status.code(),
        other => panic!("{other:?}"),
    }
}

fn poll(line: &mut InLine) -> Poll<Places> {
    Pin::new(line).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn places_then_a_line_then_refusals() {
    let shop = gate(2, 2);
    let gates = gates(&[&shop]);
    let (first, second) = (place(&gates), place(&gates));
    let (mut third, mut fourth) = (line(&gates), line(&gates));
    assert_eq!(refusal(&gates), Code::ResourceExhausted);
    assert_eq!(shop.count(), (2, 2));
    assert!(poll(&mut fourth).is_pending() && poll(&mut third).is_pending());
    drop(first);
    // Nobody who comes now passes by those who wait.
    assert_eq!(shop.count(), (2, 1));
    assert!(poll(&mut fourth).is_pending());
    let Poll::Ready(third) = poll(&mut third) else {
        panic!("it is its turn");
    };
    let fifth = line(&gates);
    drop((second, third));
    assert_eq!(shop.count(), (2, 0));
    drop((fourth, fifth));
    assert_eq!(shop.count(), (0, 0));
    drop(place(&gates));
    assert_eq!(shop.count(), (0, 0));
}

#[test]
fn who_gives_up_in_the_line_leaves_it_to_the_others() {
    let shop = gate(1, 3);
    let gates = gates(&[&shop]);
    let held = place(&gates);
    let (gives_up, mut waits) = (line(&gates), line(&gates));
    // It has its turn, and is gone before it knows.
    let has_turn = gives_up;
    drop(held);
    assert!(poll(&mut waits).is_pending());
    drop(has_turn);
    assert!(poll(&mut waits).is_ready());
    assert_eq!(shop.count(), (0, 0));
}

#[test]
fn a_gate_that_lets_nobody_in_has_no_line() {
    let gates = gates(&[&gate(0, 10)]);
    assert_eq!(refusal(&gates), Code::ResourceExhausted);
}

#[test]
fn a_call_waits_for_each_of_its_gates_and_holds_none_of_those_behind() {
    let (method, server) = (gate(1, 1), gate(1, 0));
    let narrow = gates(&[&method, &server]);
    let wide = gates(&[&server]);
    let held = place(&narrow);
    let mut waits = line(&narrow);
    assert_eq!((method.count(), server.count()), ((1, 1), (1, 0)));
    assert_eq!(refusal(&wide), Code::ResourceExhausted);
    drop(held);
    // The server's place is another one's before it asks.
    let other = place(&wide);
    assert!(poll(&mut waits).is_pending());
    // It is not refused, although the server's line has no room for those who come.
    assert_eq!((method.count(), server.count()), ((1, 0), (1, 1)));
    drop(other);
    let Poll::Ready(places) = poll(&mut waits) else {
        panic!("both are free");
    };
    drop(waits);
    assert_eq!((method.count(), server.count()), ((1, 0), (1, 0)));
    drop(places);
    assert_eq!((method.count(), server.count()), ((0, 0), (0, 0)));
}

#[test]
fn what_is_said_to_who_is_refused_is_as_was_set() {
    use std::time::Duration;
    let limit = CallLimit::new(0)
        .unavailable()
        .retry_after(Duration::from_millis(1_500));
    let status = CallGate::new(&limit, "shop.Orders").refusal();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().starts_with("shop.Orders has"), "{status}");
    let pushback = status.metadata().get("grpc-retry-pushback-ms");
    assert_eq!(pushback, Some("1500"));
    let status = CallGate::new(&limit.retry_after(Duration::MAX), "").refusal();
    let pushback = status.metadata().get("grpc-retry-pushback-ms");
    assert_eq!(pushback, Some("2147483647"));
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Enter(bool),
    /// A call that runs or waits, of those that are there, ends.
    End(usize),
    /// One that waits looks.
    Look(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => any::<bool>().prop_map(Step::Enter),
        2 => any::<usize>().prop_map(Step::End),
        2 => any::<usize>().prop_map(Step::Look),
    ];
    proptest::collection::vec(step, 0..200)
}

proptest! {
    #[test]
    fn limits_hold_and_all_places_come_back(
        steps in steps(),
        most in 1_usize..4,
        queue in 0_usize..4,
        server_most in 1_usize..4,
    ) {
        let (method, server) = (gate(most, queue), gate(server_most, queue));
        let (narrow, wide) = (gates(&[&method, &server]), gates(&[&server]));
        let mut places = Vec::new();
        let mut lines = Vec::new();
        for step in steps {
            match step {
                Step::Enter(is_narrow) => {
                    let gates = if is_narrow { &narrow } else { &wide };
                    match gates.enter() {
                        Ok(Entrance::Enters(entered)) => places.push(entered),
                        Ok(Entrance::Waits(line)) => lines.push(line),
                        Err(_) => {}
                    }
                }
                Step::End(of) if of < usize::MAX / 2 && !places.is_empty() => {
                    let of = of % places.len();
                    drop(places.swap_remove(of));
                }
                Step::End(of) if !lines.is_empty() => {
                    let of = of % lines.len();
                    drop(lines.swap_remove(of));
                }
                Step::Look(of) if !lines.is_empty() => {
                    let of = of % lines.len();
                    if let Poll::Ready(entered) = poll(&mut lines[of]) {
                        places.push(entered);
                        drop(lines.swap_remove(of));
                    }
                }
                Step::End(_) | Step::Look(_) => {}
            }
            prop_assert!(method.count().0 <= most as u64 && server.count().0 <= server_most as u64);
            prop_assert!(places.len() <= server_most);
        }
        drop(places);
        // Whoever waits gets on when nobody is before it.
        while !lines.is_empty() {
            let before = lines.len();
            lines.retain_mut(|line| poll(line).is_pending());
            prop_assert!(lines.len() < before, "{lines:?}");
        }
        prop_assert_eq!((method.count(), server.count()), ((0, 0), (0, 0)));
    }
}

/// Threads that come, wait and leave at once: no place is lost, and nobody sleeps on.
#[test]
fn threads_share_a_gate_without_losing_a_place() {
    let shop = gate(2, 64);
    let all = gates(&[&shop]);
    std::thread::scope(|scope| {
        for turn in 0..8_u32 {
            let all = Arc::clone(&all);
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .build()
                    .unwrap();
                for round in 0..2_000_u32 {
                    match all.enter() {
                        Ok(Entrance::Enters(places)) => drop(places),
                        Ok(Entrance::Waits(line)) if (round + turn).is_multiple_of(3) => drop(line),
                        Ok(Entrance::Waits(line)) => drop(runtime.block_on(async {
                            let line = pin!(line);
                            line.await
                        })),
                        Err(status) => panic!("the line has room for all: {status}"),
                    }
                }
            });
        }
    });
    assert_eq!(shop.count(), (0, 0));
}
