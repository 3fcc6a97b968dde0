//! Tests of `account.rs` and `memory.rs`.

use std::sync::atomic::AtomicUsize;
use std::task::Wake;

use super::*;

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
    other.starve();
    assert!(other.wants_memory());
    assert!(other.wait(waker), "it may have been free meanwhile");
    other.starve();
    assert!(!other.wait(waker) && other.wants_memory());
    one.let_go(1 << 19);
    assert!(other.wait(waker));
    assert!(!other.wants_memory());
    drop(one);
    assert!(other.try_keep(1 << 20));
}

#[test]
fn responses_are_looked_at_where_memory_is_scarce_and_wanted() {
    let memory = Memory::new(0);
    let (mut one, mut other) = (Account::new(memory.clone()), Account::new(memory));
    let now = Instant::now();
    one.keep(3 << 20);
    assert!(one.is_scarce_for_calls());
    assert!(!other.is_scarce_for_calls(), "it holds nothing");
    one.look_at(now);
    assert_eq!(one.look(), Some(now));
    assert!(!one.end_look(), "nobody wants any");
    one.look_at(now);
    assert!(!other.try_keep(2 << 20));
    assert!(one.end_look());
    one.look_at(now);
    assert!(!one.end_look(), "that was before");
}
