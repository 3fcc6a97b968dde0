//! Unit tests of `waiting_calls`.

use std::time::Duration;

use super::*;
use crate::call::response_head::Coding;
use crate::channel::call::call_options::CallOptions;
use crate::channel::call::trial::Trial;
use crate::framing::Compression;
use crate::method::{Method, Shape};
use crate::status::Code;

const METHOD: Method = Method::new("/shop.Orders/Get", Shape::UNARY);

fn call() -> Box<OpenCall> {
    let state = CallState::new(1, Coding::default(), Compression::Identity, None);
    OpenCall::boxed(state, METHOD, CallOptions::default(), None)
}

fn end(state: &CallState) {
    state.deliver_end(Err(Status::new(Code::Cancelled, "over")));
}

#[test]
fn a_call_that_is_over_leaves_nothing_but_its_place_and_that_at_the_next_look() {
    let mut waiting = WaitingCalls::new();
    let states: Vec<_> = (0..3)
        .map(|_| {
            let open = call();
            let state = Arc::clone(&open.state);
            waiting.push(open);
            state
        })
        .collect();
    waiting.settle(Waker::noop());
    assert_eq!(waiting.queue.len(), 3);
    end(&states[0]);
    end(&states[2]);
    waiting.settle(Waker::noop());
    assert_eq!(waiting.queue.len(), 1);
    assert_eq!(Arc::strong_count(&states[0]), 1);
    assert!(Arc::ptr_eq(&waiting.pop(false).unwrap().state, &states[1]));
}

/// A distant deadline must not keep its call, and with it the channel, in memory.
#[test]
fn an_attempt_that_another_went_before_leaves_nothing() {
    let mut waiting = WaitingCalls::new();
    let deadline = Instant::now() + Duration::from_secs(3_600);
    let (_caller, mut first, hedge) = Trial::hedged(Duration::ZERO, Some(deadline));
    waiting.push(hedge);
    waiting.expire(Instant::now(), || unreachable!("no time is up"));
    waiting.settle(Waker::noop());
    assert_eq!(waiting.queue.len(), 1, "the second attempt");
    assert_eq!(waiting.next_timeout(), Some(deadline));
    assert!(first.commit());
    waiting.settle(Waker::noop());
    assert!(waiting.is_empty());
    assert_eq!(waiting.next_timeout(), None);
}

/// The attempts beside it report the end.
#[test]
fn a_hedge_that_waits_does_not_end_its_call() {
    let mut waiting = WaitingCalls::new();
    let (caller, first, hedge) = Trial::hedged(Duration::from_secs(1), None);
    waiting.push(hedge);
    let now = Instant::now();
    waiting.fail(&Status::new(Code::Internal, "a panic"), now);
    assert!(waiting.is_empty() && caller.failure().is_none());
    first.fail(Status::new(Code::Unavailable, "gone"), now);
    assert_eq!(caller.failure().unwrap().message(), "gone");
}

/// A search visits all deferred calls, and there is a turn for each call that comes.
#[test]
fn of_many_that_wait_for_their_time_those_that_ended_are_forgotten_once_a_second() {
    let now = Instant::now();
    let mut waiting = WaitingCalls::new();
    let expire = |waiting: &mut WaitingCalls, now| waiting.expire(now, || unreachable!());
    expire(&mut waiting, now);
    let hour = Duration::from_secs(3_600);
    let mut calls: Vec<_> = (0..300).map(|_| Trial::hedged(hour, None)).collect();
    let (caller, first, hedge) = calls.swap_remove(0);
    waiting.push(hedge);
    let _others: Vec<_> = calls
        .into_iter()
        .map(|(caller, first, hedge)| {
            waiting.push(hedge);
            (caller, first)
        })
        .collect();
    waiting.settle(Waker::noop());
    caller.cancel();
    let held = Arc::strong_count(&first.state);
    waiting.settle(Waker::noop());
    assert_eq!(Arc::strong_count(&first.state), held, "nobody has looked");
    let second = now + Duration::from_secs(1);
    assert_eq!(waiting.next_timeout(), Some(second));
    expire(&mut waiting, second);
    assert_eq!(Arc::strong_count(&first.state), held - 1);
}

#[test]
fn only_calls_that_came_since_are_shown_again() {
    let mut waiting = WaitingCalls::new();
    let mut states = Vec::new();
    let mut push = |waiting: &mut WaitingCalls| {
        let open = call();
        states.push(Arc::clone(&open.state));
        waiting.push(open);
    };
    let shown = |waiting: &mut WaitingCalls, after| {
        let mut shown = 0;
        let last = waiting.route(after, |open| {
            shown += 1;
            Routed::Stays(open)
        });
        (shown, last)
    };
    push(&mut waiting);
    push(&mut waiting);
    let (first, last) = shown(&mut waiting, None);
    push(&mut waiting);
    let (second, last) = shown(&mut waiting, last);
    let (third, _) = shown(&mut waiting, last);
    assert_eq!((first, second, third), (2, 1, 0));
    assert_eq!(shown(&mut waiting, None).0, 3);
    waiting.fail(&Status::new(Code::Unavailable, "gone"), Instant::now());
    assert!(waiting.is_empty() && states.iter().all(|state| state.is_over()));
}
