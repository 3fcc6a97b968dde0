//! Tests of `account.rs` and `memory.rs`.

use std::sync::atomic::AtomicUsize;
use std::task::Wake;

use super::*;
use crate::transport::http2::call_memory::Reserve;

const MIB: u32 = 1 << 20;

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn messages_share_one_half_and_the_largest_passes_alone() {
    let memory = Memory::new(8 << 20);
    let (mut one, mut other) = (Account::new(memory.clone()), Account::new(memory));
    assert!(one.hold(9 * MIB), "there is no other");
    assert!(!other.hold(1));
    one.free(9 * MIB);
    assert!(one.hold(3 * MIB) && other.hold(MIB));
    assert!(!one.hold(1) && one.is_scarce());
    drop(other);
    assert!(one.hold(MIB));
}

#[test]
fn unread_bytes_make_it_tight_until_they_are_read_or_their_connection_is_gone() {
    let memory = Memory::new(16 << 20);
    let mut one = Account::new(memory.clone());
    let mut other = Account::new(memory);
    one.tell(3 << 20);
    other.tell(2 << 20);
    assert!(one.is_tight());
    one.tell(1 << 20);
    assert!(!one.is_tight());
    one.tell_roughly((1 << 20) + 100);
    other.tell(4 << 20);
    assert!(one.is_tight());
    drop(other);
    assert!(!one.is_tight());
}

#[test]
fn who_waits_is_woken_once_for_each_time_that_memory_is_free() {
    let memory = Memory::new(8 << 20);
    let (mut one, mut other) = (Account::new(memory.clone()), Account::new(memory));
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    assert!(one.hold(4 * MIB) && !other.hold(MIB));
    for _ in 0..10 {
        assert!(!other.wait(&waker));
    }
    assert!(one.is_wanted());
    one.free(MIB);
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert!(!one.is_wanted());
    one.free(MIB);
    assert_eq!(woken.0.load(Ordering::Relaxed), 1, "nobody waits");
    assert!(!other.hold(3 * MIB));
    assert!(!other.wait(&waker));
    drop(one);
    assert_eq!(woken.0.load(Ordering::Relaxed), 2);
}

#[test]
fn a_response_that_waits_is_told_once_for_each_time_that_memory_is_free() {
    let memory = Memory::new(0);
    let (mut one, mut other) = (Account::new(memory.clone()), Account::new(memory));
    let waker = Waker::noop();
    assert!(one.try_keep(4 << 20) && !other.try_keep(1 << 20));
    let starving = Reserve::new(other.calls()).starve(1 << 20);
    other.starve();
    assert!(other.wants_memory());
    assert!(other.wait(waker), "it may have been free meanwhile");
    other.starve();
    assert!(!other.wait(waker) && other.wants_memory());
    one.let_go(1 << 19);
    assert!(!other.wait(waker), "it wants more");
    one.let_go(1 << 19);
    assert!(other.wait(waker));
    assert!(!other.wants_memory());
    drop((one, starving));
    assert!(other.try_keep(1 << 20));
}

#[test]
fn who_waits_is_told_of_what_others_or_its_own_connection_give_back() {
    let memory = Memory::new(0);
    let (mut one, mut other) = (Account::new(memory.clone()), Account::new(memory));
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let count = || woken.0.swap(0, Ordering::Relaxed);
    assert!(one.try_keep(4 << 20) && other.try_keep(60 << 10));
    let starving = Reserve::new(one.calls()).starve(100 << 10);
    one.starve();
    assert!(one.wait(&waker));
    other.let_go(30 << 10);
    assert_eq!(count(), 0, "that was its own");
    one.let_go(20 << 10);
    assert_eq!(count(), 0, "nobody wants so little");
    one.let_go(20 << 10);
    assert_eq!(count(), 1);
    drop(starving);
    let _starving = Reserve::new(other.calls()).starve(1 << 20);
    other.starve();
    assert!(other.wait(&waker));
    other.starve();
    assert!(!other.wait(&waker));
    other.let_go(10 << 10);
    assert_eq!(count(), 1, "it waits for its own too");
    assert!(other.wait(&waker), "and finds it");
}

#[test]
fn what_is_a_connections_own_is_told_to_nobody_else() {
    let memory = Memory::new(0);
    let (mut one, mut other) = (Account::new(memory.clone()), Account::new(memory.clone()));
    let mut full = Account::new(memory);
    full.keep((4 << 20) + (64 << 10));
    let woken = [(); 2].map(|()| Arc::new(Woken::default()));
    let wakers = woken.each_ref().map(|woken| Waker::from(Arc::clone(woken)));
    assert!(one.try_keep(60 << 10) && other.try_keep(60 << 10));
    let _starving = [&one, &other].map(|it| Reserve::new(it.calls()).starve(10 << 10));
    for (it, waker) in [&mut one, &mut other].into_iter().zip(&wakers) {
        it.starve();
        assert!(it.wait(waker));
        it.starve();
        assert!(!it.wait(waker));
    }
    one.let_go(10 << 10);
    let counts = woken.map(|woken| woken.0.load(Ordering::Relaxed));
    assert_eq!(counts, [1, 0]);
}

#[test]
fn what_is_wanted_no_more_wakes_nobody() {
    let memory = Memory::new(0);
    let (mut one, mut other) = (Account::new(memory.clone()), Account::new(memory));
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    one.keep((4 << 20) + (64 << 10));
    other.keep(64 << 10);
    let starving = Reserve::new(other.calls()).starve(70 << 10);
    other.starve();
    assert!(other.wait(&waker));
    one.let_go(80 << 10);
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    drop(starving);
    let _starving = Reserve::new(other.calls()).starve(1 << 20);
    other.starve();
    assert!(other.wait(&waker));
    one.let_go(80 << 10);
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
}

/// What is too little for a wake-up is not lost.
#[test]
fn the_little_that_is_wanted_is_told_of_at_a_look() {
    let memory = Memory::new(0);
    let (mut one, mut other) = (Account::new(memory.clone()), Account::new(memory));
    let woken = Arc::new(Woken::default());
    one.keep((4 << 20) + (64 << 10));
    other.keep(64 << 10);
    let _starving = Reserve::new(other.calls()).starve(10 << 10);
    other.starve();
    assert!(other.wait(&Waker::from(Arc::clone(&woken))));
    one.let_go(20 << 10);
    assert_eq!(woken.0.load(Ordering::Relaxed), 0);
    one.look_at(Instant::now());
    one.end_look();
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
}

#[test]
fn a_connection_that_is_gone_is_not_waited_for() {
    let memory = Memory::new(0);
    let (mut one, mut other) = (Account::new(memory.clone()), Account::new(memory));
    one.keep((4 << 20) + (64 << 10));
    assert!(one.hold(MIB) && !other.hold(MIB));
    let starving = Reserve::new(other.calls()).starve(1 << 20);
    other.starve();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    assert!(other.wait(&waker));
    assert!(one.is_wanted());
    drop((other, starving, waker));
    assert_eq!(Arc::strong_count(&woken), 1);
    assert!(!one.is_wanted());
}

#[test]
fn a_call_that_waited_and_ended_is_waited_for_no_more() {
    let memory = Memory::new(0);
    let (mut one, mut other) = (Account::new(memory.clone()), Account::new(memory));
    one.keep(3 << 20);
    let starving = Reserve::new(other.calls()).starve(1 << 20);
    other.starve();
    assert!(other.wait(Waker::noop()));
    one.look_at(Instant::now());
    assert!(one.end_look());
    drop(starving);
    other.starve();
    assert!(!other.wait(Waker::noop()) && !other.wants_memory());
    one.look_at(Instant::now());
    assert!(!one.end_look());
}

#[test]
fn messages_and_responses_wait_apart() {
    let memory = Memory::new(8 << 20);
    let (mut one, mut other) = (Account::new(memory.clone()), Account::new(memory));
    let starving = Reserve::new(other.calls()).starve(1 << 20);
    other.starve();
    assert!(other.wait(Waker::noop()));
    assert!(!one.is_wanted(), "no message waits");
    drop(starving);
    assert!(one.hold(4 * MIB) && !other.hold(MIB));
    assert!(!other.wait(Waker::noop()));
    one.look_at(Instant::now());
    assert!(one.is_wanted() && !one.end_look(), "no response waits");
}

#[test]
fn what_goes_with_the_output_goes_once_that_is_written() {
    let mut one = Account::new(Memory::new(0));
    one.keep(1_000);
    one.let_go_behind(0, 100);
    assert_eq!(one.calls().held(), 900, "there is none");
    one.let_go_behind(50, 100);
    one.written(20);
    one.let_go_behind(30, 100);
    one.let_go_behind(90, 300);
    assert_eq!(one.calls().held(), 900);
    one.written(29);
    assert_eq!(one.calls().held(), 900);
    one.written(1);
    assert_eq!(one.calls().held(), 700);
    one.written(60);
    assert_eq!(one.calls().held(), 400);
    one.let_go_behind(10, 400);
    let calls = Arc::clone(one.calls());
    drop(one);
    assert_eq!(calls.held(), 0);
}

#[test]
fn responses_are_looked_at_where_memory_is_held_and_wanted() {
    let memory = Memory::new(0);
    let (mut one, mut other) = (Account::new(memory.clone()), Account::new(memory));
    let now = Instant::now();
    one.keep(1 << 20);
    assert!(one.has_more_than_its_own());
    assert!(!other.has_more_than_its_own());
    one.look_at(now);
    assert_eq!(one.look(), Some(now));
    assert!(!one.end_look(), "nobody wants any");
    one.look_at(now);
    assert!(!other.try_keep(4 << 20));
    assert!(one.end_look());
    one.look_at(now);
    assert!(!one.end_look(), "that was before");
}
