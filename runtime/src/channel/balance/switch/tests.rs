//! Tests of `switch.rs`, with the runtime's policies and one of the test's own.

use super::*;
use crate::channel::address::Attributes;
use crate::channel::balance::bench::Bench;
use crate::channel::balance::pick_first::PickFirst;
use crate::channel::balance::policy::Policy;
use crate::channel::balance::round_robin::RoundRobin;
use crate::channel::pick::Picks;

/// A switch as a policy, for the bench; the test sets the next policy.
struct Seat {
    switch: Switch,
    next: Next,
}

type Next = Arc<std::sync::Mutex<Arc<dyn Balance>>>;

impl Policy for Seat {
    fn update(&mut self, resolved: Resolved, control: &mut Control<'_>) -> Result<(), Status> {
        let next = Arc::clone(&self.next.lock().unwrap());
        self.switch.update(&next, resolved, control)
    }

    fn resolution_failed(&mut self, status: Status, control: &mut Control<'_>) {
        self.switch.resolution_failed(status, control);
    }

    fn changed(
        &mut self,
        subchannel: &Subchannel,
        state: SubchannelState,
        control: &mut Control<'_>,
    ) {
        self.switch.changed(subchannel, state, control);
    }

    fn connect(&mut self, control: &mut Control<'_>) {
        self.switch.connect(control);
    }

    fn settled(&mut self, control: &mut Control<'_>) {
        self.switch.settled(control);
    }
}

/// Like round_robin, under another name.
struct Other(&'static str);

impl Balance for Other {
    fn name(&self) -> &'static str {
        self.0
    }

    fn policy(&self) -> Box<dyn Policy> {
        RoundRobin::new().policy()
    }
}

/// A bench with a policy that is connected to the server 1.
fn with(first: impl Balance) -> (Bench, Next) {
    let first: Arc<dyn Balance> = Arc::new(first);
    let next = Arc::new(std::sync::Mutex::new(Arc::clone(&first)));
    let switch = Switch::new(first);
    let mut bench = Bench::of(Box::new(Seat {
        switch,
        next: Arc::clone(&next),
    }));
    bench.found("1").unwrap();
    bench.news();
    (bench, next)
}

fn ready(first: impl Balance) -> (Bench, Next) {
    let (mut bench, next) = with(first);
    bench.ready("1");
    assert_eq!(bench.news(), "READY");
    (bench, next)
}

fn turn_to(next: &Next, balance: impl Balance) {
    *next.lock().unwrap() = Arc::new(balance);
}

#[test]
fn switch_the_old_serves_until_the_new_is_ready() {
    let (mut bench, next) = ready(PickFirst::new());
    let old = bench.subchannel("1");
    turn_to(&next, RoundRobin::new());
    bench.found("1 2").unwrap();
    assert_eq!(bench.news(), "begin 1 2, connect 1 2");
    assert_eq!(bench.pick(), "1");
    bench.connecting("2");
    assert_eq!(bench.news(), "");
    bench.ready("2");
    assert_eq!(bench.news(), "remove 1, READY");
    assert_eq!(bench.pick(), "2");
    // Events of the old policy's subchannels are ignored.
    bench.changed(&old, SubchannelState::Idle);
    assert_eq!(bench.news(), "");
}

#[test]
fn switch_the_old_serves_until_the_new_has_failed() {
    let (mut bench, next) = ready(PickFirst::new());
    turn_to(&next, RoundRobin::new());
    bench.found("2").unwrap();
    bench.news();
    bench.fails("2", "refused");
    assert_eq!(bench.news(), "remove 1, resolve, TRANSIENT_FAILURE");
    assert_eq!(bench.pick(), "refused");
}

#[test]
fn switch_the_new_takes_over_once_the_old_has_no_connection() {
    let (mut bench, next) = ready(PickFirst::new());
    turn_to(&next, RoundRobin::new());
    bench.found("2").unwrap();
    bench.news();
    bench.idle("1");
    assert_eq!(bench.news(), "remove 1, resolve, CONNECTING");
    assert_eq!(bench.pick(), "wait");
    bench.ready("2");
    bench.news();
    assert_eq!(bench.pick(), "2");
}

/// A policy that connects on demand would otherwise never get calls or the new list.
#[cfg(feature = "ring-hash")]
#[test]
fn switch_one_that_rests_takes_over_at_once() {
    let (mut bench, next) = ready(RoundRobin::new());
    turn_to(&next, crate::channel::balance::ring_hash::RingHash::new());
    bench.found("2").unwrap();
    assert_eq!(bench.news(), "begin 2, remove 1, IDLE");
    assert_eq!(bench.pick(), "wait");
    assert_eq!(bench.news(), "connect 2");
}

#[test]
fn switch_an_old_one_that_is_not_ready_is_replaced_at_once() {
    for state in ["connecting", "failed"] {
        let (mut bench, next) = with(PickFirst::new());
        if state == "failed" {
            bench.fails("1", "refused");
            assert!(bench.news().contains("TRANSIENT_FAILURE"));
        }
        turn_to(&next, RoundRobin::new());
        bench.found("1 2").unwrap();
        assert_eq!(bench.news(), "begin 1 2, remove 1, connect 1 2, CONNECTING");
    }
}

#[test]
fn switch_a_pending_one_is_replaced_by_a_third() {
    let (mut bench, next) = ready(PickFirst::new());
    turn_to(&next, RoundRobin::new());
    bench.found("2").unwrap();
    bench.news();
    let second = bench.subchannel("2");
    turn_to(&next, Other("third"));
    bench.found("3").unwrap();
    assert_eq!(bench.news(), "begin 3, remove 2, connect 3");
    assert_eq!(bench.pick(), "1");
    // It is closed, so its state no longer matters.
    let address = second.endpoint().addresses()[0].clone();
    bench.changed(&second, SubchannelState::Ready(address));
    assert_eq!(bench.news(), "");
    bench.ready("3");
    assert_eq!(bench.news(), "remove 1, READY");
    assert_eq!(bench.pick(), "3");
}

#[test]
fn switch_back_before_the_new_is_ready_costs_nothing() {
    let (mut bench, next) = ready(PickFirst::new());
    turn_to(&next, RoundRobin::new());
    bench.found("1 2").unwrap();
    bench.news();
    turn_to(&next, PickFirst::new());
    bench.found("1 2").unwrap();
    assert_eq!(bench.news(), "remove 1 2");
    assert_eq!(bench.pick(), "1");
}

#[test]
fn switch_the_same_name_is_updated_in_place() {
    let (mut bench, next) = ready(RoundRobin::new());
    turn_to(&next, RoundRobin::new());
    bench.found("1 2").unwrap();
    assert_eq!(bench.news(), "begin 2, connect 2, READY");
    // The same applies to a pending policy.
    turn_to(&next, PickFirst::new());
    bench.found("1 3").unwrap();
    assert_eq!(bench.news(), "begin 1+3, connect 1+3");
    turn_to(&next, PickFirst::new().shuffled());
    bench.found("3 1").unwrap();
    assert_eq!(bench.news(), "");
}

/// A policy without `reconfigure` is replaced by a new one.
#[test]
fn switch_other_options_under_the_same_name_take_effect() {
    let (mut bench, next) = ready(Other("other"));
    bench.found("1").unwrap();
    assert_eq!(bench.news(), "READY", "the very same is no other");
    turn_to(&next, Other("other"));
    bench.found("1").unwrap();
    assert_eq!(bench.news(), "begin 1, connect 1");
    bench.ready("1");
    assert_eq!(bench.news(), "remove 1, READY");
}

#[test]
fn switch_a_failed_resolution_is_the_latest_policys() {
    let (mut bench, next) = ready(PickFirst::new());
    turn_to(&next, RoundRobin::new());
    assert!(bench.found("").is_err(), "the verdict is the new one's");
    assert_eq!(bench.news(), "remove 1, TRANSIENT_FAILURE");
    bench.lost_sight("no such name");
    assert_eq!(bench.news(), "TRANSIENT_FAILURE");
    assert_eq!(bench.pick(), "no such name");
}

/// What a child publishes goes only to its parent.
#[test]
fn a_child_is_caught() {
    use crate::chance::Chance;
    use crate::channel::balance::bench::endpoints;
    use crate::channel::balance::control::Wishes;

    let (mut wishes, chance) = (Wishes::default(), Chance::default());
    let mut control = Control::new(&mut wishes, &chance, std::time::Instant::now());
    let mut child = Child::new(Arc::new(PickFirst::new()));
    control.publish(ConnectivityState::Idle, Picks::wait());
    let stranger = control.subchannel(endpoints("7").remove(0));
    let resolved = Resolved::new(endpoints("1 2"), Attributes::default());
    child.update(resolved, &mut control).unwrap();
    assert_eq!(child.take_news().unwrap().0, ConnectivityState::Connecting);
    assert!(child.take_news().is_none());
    let own: Vec<_> = child.subchannels().cloned().collect();
    assert_eq!(own.len(), 1);
    assert!(!child.changed(&stranger, SubchannelState::Idle, &mut control));
    assert!(child.changed(&own[0], SubchannelState::Connecting, &mut control));
    child.connect(&mut control);
    child.close(&mut control);
    let published = wishes.publish.map(|(state, _)| state);
    assert_eq!(published, Some(ConnectivityState::Idle));
    assert_eq!(wishes.remove, own);
}
