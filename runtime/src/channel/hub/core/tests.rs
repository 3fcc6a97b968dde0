//! Tests of `core.rs`, with a policy that the test scripts.

mod around;
mod configured;

use std::sync::Mutex;
use std::time::Duration;

use self::around::{Around, code};
use super::*;
use crate::channel::address::Attributes;
use crate::channel::balance::bench::{endpoints, failure};
use crate::channel::call::trial::Trial;

// --- picks ------------------------------------------------------------------------------

#[test]
fn calls_wait_until_there_is_a_pick_and_go_in_their_order() {
    let mut around = Around::with("1");
    let calls: Vec<_> = (0..3).map(|_| around.call(false)).collect();
    around.ready("1");
    assert_eq!(around.asked("1").0, "", "nothing is published");
    let picks = Picks::one(&around.subchannel("1"));
    around.publish(picks);
    let (asked, opens) = around.asked("1");
    assert_eq!(asked, "open open open");
    for (open, trial) in opens.into_iter().zip(&calls) {
        open.fail(failure("the first"), around.now);
        assert!(trial.failure().is_some());
    }
    assert_eq!(around.published, [ConnectivityState::Ready]);
}

#[test]
fn a_failure_is_for_those_that_do_not_wait_for_readiness() {
    let mut around = Around::with("1");
    let (impatient, patient) = (around.call(false), around.call(true));
    around.publish(Picks::fail(failure("refused")));
    let status = impatient.failure().unwrap();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unavailable, "refused")
    );
    assert!(patient.failure().is_none());
    // Later calls fail too.
    let late = around.call(false);
    assert_eq!(code(&late), Some(Code::Unavailable));
    around.ready("1");
    let picks = Picks::one(&around.subchannel("1"));
    around.publish(picks);
    assert_eq!(around.asked("1").0, "open");
}

/// Picks as the closure says.
struct By<F>(F);

impl<F: for<'a> Fn(&'a Subchannels) -> Pick<'a> + Send + Sync + 'static> Picker
    for (Subchannels, By<F>)
{
    fn pick(&self, _args: &PickArgs<'_>) -> Pick<'_> {
        self.1.0(&self.0)
    }
}

type Subchannels = Vec<Subchannel>;

fn by<F>(subchannels: Subchannels, pick: F) -> Picks
where
    F: for<'a> Fn(&'a Subchannels) -> Pick<'a> + Send + Sync + 'static,
{
    Picks::by((subchannels, By(pick)))
}

#[test]
fn a_policy_is_woken_at_each_moment_that_it_asked_for() {
    let mut around = Around::new();
    let (first, second) = (
        around.now + Duration::from_secs(1),
        around.now + Duration::from_secs(2),
    );
    around.act(move |control| {
        control.wake_at(second);
        control.wake_at(first);
        control.wake_at(first);
    });
    around.heard();
    assert_eq!(around.core.next_timeout(), Some(first));
    around.core.on_timeout(around.now);
    assert_eq!(around.heard(), "", "it is too early");
    around.core.on_timeout(first);
    assert_eq!(around.heard(), "timer");
    assert_eq!(around.core.next_timeout(), Some(second));
    // The event is late, and the deadline is still the next one.
    let call = around.call_until(true, Some(first));
    assert_eq!(around.core.next_timeout(), Some(first));
    around.core.on_timeout(second + Duration::from_secs(1));
    assert_eq!(around.heard(), "timer");
    assert!(call.failure().is_some());
    assert_eq!(around.core.next_timeout(), None);
}

/// Its requests are carried out as after any other event.
#[test]
fn a_policy_that_is_woken_may_want_something() {
    let mut around = Around::new();
    let at = around.now + Duration::from_secs(1);
    around.act(move |control| control.wake_at(at));
    let act = Box::new(|control: &mut Control<'_>| {
        control.publish(ConnectivityState::Connecting, Picks::wait());
    });
    *around.script.act.lock().unwrap() = Some(act);
    around.core.on_timeout(at);
    around.turn();
    assert_eq!(around.published, [ConnectivityState::Connecting]);
}

#[test]
fn a_drop_is_for_all() {
    let mut around = Around::new();
    let calls = [around.call(false), around.call(true)];
    around.publish(by(Vec::new(), |_| Pick::Drop(failure("dropped"))));
    for call in calls {
        assert_eq!(call.failure().unwrap().message(), "dropped");
    }
}

/// gRFC A54: only a server may use those codes.
#[test]
fn what_looks_like_a_servers_verdict_is_internal() {
    let all = (0..=16).map(Code::from_i32);
    let verdicts = [
        Code::Ok,
        Code::InvalidArgument,
        Code::NotFound,
        Code::AlreadyExists,
        Code::FailedPrecondition,
        Code::Aborted,
        Code::OutOfRange,
        Code::DataLoss,
    ];
    for picked in all {
        let mut around = Around::new();
        let (failed, dropped) = (around.call(false), around.call(false));
        around.publish(Picks::wait());
        let status = Status::new(picked, "picked");
        let failing = status.clone();
        around.publish(by(Vec::new(), move |_| Pick::Fail(failing.clone())));
        let seen = if verdicts.contains(&picked) {
            Code::Internal
        } else {
            picked
        };
        let told = failed.failure().unwrap();
        assert_eq!(told.code(), seen);
        assert!(told.message().contains("picked"), "{told}");
        assert_eq!(code(&dropped), Some(seen));
        let dropping = status.clone();
        around.publish(by(Vec::new(), move |_| Pick::Drop(dropping.clone())));
        let call = around.call(true);
        assert_eq!(code(&call), Some(seen));

        let verdict = around
            .core
            .resolved(Resolution::failed(status), around.now)
            .unwrap_err();
        assert_eq!(verdict.code(), seen);
        assert!(around.heard().contains(&format!("no list: {seen}")));
    }
}

#[test]
fn a_subchannel_that_has_no_connection_is_not_used() {
    let mut around = Around::with("1 2");
    let picks = Picks::one(&around.subchannel("1"));
    let call = around.call(false);
    around.publish(picks.clone());
    for state in [
        SubchannelState::Connecting,
        SubchannelState::TransientFailure(failure("refused")),
        SubchannelState::Idle,
    ] {
        around.says("1", state);
        around.publish(picks.clone());
        assert_eq!(around.asked("1").0, "");
        assert!(call.failure().is_none(), "it waits");
    }
    around.ready("1");
    around.publish(picks.clone());
    assert_eq!(around.asked("1").0, "open");

    // Nor to one that the policy has removed.
    let gone = around.subchannel("1");
    around.act(move |control| control.remove(gone));
    let _late = around.call(false);
    around.publish(picks);
    assert_eq!(around.asked("1").0, "remove");
}

#[test]
fn calls_wait_in_the_queue_of_a_sole_subchannel_unless_it_has_failed() {
    let mut around = Around::new();
    around.act(|control| {
        let sole = control.sole_subchannel(endpoints("1")[0].destinations().collect());
        control.publish(ConnectivityState::Idle, Picks::one(&sole));
    });
    let picks = Picks::one(&around.subchannel("1"));
    let _first = around.call(false);
    assert_eq!(around.asked("1").0, "open");
    around.says("1", SubchannelState::Connecting);
    let _second = around.call(false);
    assert_eq!(around.asked("1").0, "open");
    around.says("1", SubchannelState::TransientFailure(failure("refused")));
    let third = around.call(false);
    around.publish(picks.clone());
    assert_eq!(around.asked("1").0, "");
    assert!(third.failure().is_none(), "the policy has its say first");
    around.says("1", SubchannelState::Idle);
    around.publish(picks);
    assert_eq!(around.asked("1").0, "open");
}

#[test]
fn a_call_that_is_given_back_is_picked_for_anew() {
    let mut around = Around::with("1 2");
    around.ready("1");
    around.ready("2");
    let picks = ["1", "2"].map(|name| Picks::one(&around.subchannel(name)));
    let [first, second] = picks;
    around.publish(first);
    let call = around.call(false);
    let (_, mut opens) = around.asked("1");
    // It got no stream. The connection still exists, so the call goes there again.
    around.report(Report::Back(opens.remove(0)));
    let (asked, mut opens) = around.asked("1");
    assert_eq!(asked, "open");
    // The connection is lost, and the call comes back after that report.
    around.says("1", SubchannelState::Idle);
    around.report(Report::Back(opens.remove(0)));
    assert_eq!(around.asked("1").0, "");
    assert!(call.failure().is_none(), "a lost connection fails no call");
    around.publish(second);
    assert_eq!(around.asked("2").0, "open");
}

#[test]
fn a_picker_is_asked_about_a_call_once() {
    let mut around = Around::new();
    let asked = Arc::new(Mutex::new(0));
    let counter = Arc::clone(&asked);
    around.publish(by(Vec::new(), move |_| {
        *counter.lock().unwrap() += 1;
        Pick::Wait
    }));
    let calls: Vec<_> = (0..3).map(|_| around.call(false)).collect();
    around.turn();
    assert_eq!(*asked.lock().unwrap(), 3);
    around.publish(Picks::wait());
    assert!(calls.iter().all(|call| call.failure().is_none()));
}

// --- deadlines ----------------------------------------------------------------------------

#[test]
fn a_call_that_waits_ends_at_its_deadline_and_says_why_it_waited() {
    let mut around = Around::new();
    let after = |seconds| around.now + Duration::from_secs(seconds);
    let (soon, later) = (after(1), after(2));
    let second = around.call_until(true, Some(later));
    let first = around.call_until(false, Some(soon));
    let endless = around.call(true);
    assert_eq!(around.core.next_timeout(), Some(soon));
    around.core.on_timeout(soon);
    let status = first.failure().unwrap();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(status.message().contains("the.target"), "{status}");
    assert!(second.failure().is_none());

    around.publish(Picks::fail(failure("refused")));
    assert_eq!(around.core.next_timeout(), Some(later));
    around.core.on_timeout(later);
    let status = second.failure().unwrap();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(status.message().contains("refused"), "{status}");
    assert!(endless.failure().is_none());
    assert_eq!(around.core.next_timeout(), None);
}

#[test]
fn a_call_that_has_gone_on_has_no_deadline_here() {
    let mut around = Around::with("1");
    around.ready("1");
    let deadline = around.now + Duration::from_secs(1);
    let _call = around.call_until(false, Some(deadline));
    assert_eq!(around.core.next_timeout(), Some(deadline));
    let picks = Picks::one(&around.subchannel("1"));
    around.publish(picks);
    assert_eq!(around.core.next_timeout(), None);
}

// --- the policy ---------------------------------------------------------------------------

#[test]
fn a_policy_that_panics_fails_calls_and_ends_nothing_else() {
    let mut around = Around::with("1");
    let (impatient, patient) = (around.call(false), around.call(true));
    around.act(|_| panic!("as the test wants it"));
    assert_eq!(around.published, [ConnectivityState::TransientFailure]);
    assert_eq!(code(&impatient), Some(Code::Internal));
    assert_eq!(
        code(&patient),
        Some(Code::Internal),
        "it would wait for ever"
    );
    // The policy is not asked any more.
    around.heard();
    around.ready("1");
    let resolution = Resolution::new(endpoints("1"));
    assert!(around.core.resolved(resolution, around.now).is_ok());
    assert_eq!(around.heard(), "");
    let late = around.call(true);
    assert_eq!(code(&late), Some(Code::Internal));
    around.leave();
    around.done("1");
    assert!(around.core.is_over());
}

#[test]
fn a_picker_that_panics_fails_the_call() {
    let mut around = Around::with("1");
    let calls = [around.call(false), around.call(true)];
    around.publish(by(Vec::new(), |_| panic!("as the test wants it")));
    for call in &calls {
        assert_eq!(code(call), Some(Code::Internal));
    }
    around.ready("1");
    let picks = Picks::one(&around.subchannel("1"));
    around.publish(picks);
    let _late = around.call(false);
    assert_eq!(
        around.asked("1").0,
        "open",
        "the next one is as good as any"
    );
}

#[test]
fn the_policy_hears_of_its_own_subchannels_alone() {
    let mut around = Around::with("1 2");
    around.says("1", SubchannelState::Connecting);
    around.ready("2");
    let gone = around.subchannel("1");
    around.act(move |control| control.remove(gone));
    assert_eq!(around.asked("1").0, "remove");
    around.says("1", SubchannelState::Idle);
    around.says("2", SubchannelState::Idle);
    assert_eq!(around.heard(), "1 connecting, 2 ready, 2 idle");
}

#[test]
fn one_that_is_begun_and_given_up_at_once_is_gone() {
    let mut around = Around::new();
    around.act(|control| {
        let gone = control.subchannel(endpoints("1").remove(0));
        control.remove(gone);
    });
    assert_eq!(around.asked("1").0, "remove");
    around.leave();
    assert!(around.core.is_over(), "nothing is waited for");
}

#[test]
fn of_two_words_in_one_event_the_last_counts() {
    let mut around = Around::new();
    around.act(|control| {
        control.publish(ConnectivityState::Connecting, Picks::wait());
        control.publish(ConnectivityState::Idle, Picks::wait());
        control.resolve_again();
        control.resolve_again();
    });
    assert_eq!(around.published, [ConnectivityState::Idle]);
    assert_eq!(around.resolves, 1);
    around.turn();
    assert_eq!((around.published.len(), around.resolves), (1, 1));
}

// --- the resolver, the program --------------------------------------------------------------

#[test]
fn the_resolver_hears_what_the_policy_says_of_its_list() {
    let mut around = Around::new();
    assert!(!around.core.is_resolved());
    let now = around.now;
    let list = |names| Resolution::new(endpoints(names)).attributes(Attributes::default());
    let verdict = around.core.resolved(list(""), now).unwrap_err();
    assert_eq!(verdict.message(), "of no use");
    assert!(around.core.resolved(list("1 2"), now).is_ok());
    let lost = Resolution::failed(failure("no such name"));
    assert_eq!(
        around.core.resolved(lost, now).unwrap_err().message(),
        "no such name"
    );
    assert_eq!(
        around.heard(),
        "list , list 1+2, no list: UNAVAILABLE".to_owned()
    );
    assert!(around.core.is_resolved());
}

#[test]
fn a_wish_for_a_connection_waits_for_the_resolver_and_ends_with_its_failure() {
    let mut around = Around::new();
    let ask = |around: &mut Around| {
        let users = around.users.as_ref().unwrap();
        assert!(users.send(Ask::Connect).is_ok());
        around.turn();
    };
    ask(&mut around);
    assert!(!around.core.take_wanted());
    let now = around.now;
    let list = Resolution::new(endpoints("1"));
    around.core.resolved(list, now).unwrap();
    assert!(around.core.take_wanted());
    assert!(!around.core.take_wanted(), "once");
    ask(&mut around);
    let lost = Resolution::failed(failure("no such name"));
    around.core.resolved(lost, now).unwrap_err();
    assert!(!around.core.take_wanted());
}

// --- the end --------------------------------------------------------------------------------

#[test]
fn a_channel_that_is_left_ends_once_every_subchannel_is_done() {
    let mut around = Around::with("1 2");
    around.ready("1");
    assert!(!around.core.is_over());
    around.leave();
    assert_eq!(around.asked("1").0, "retire");
    assert_eq!(around.asked("2").0, "retire");
    around.done("1");
    assert!(!around.core.is_over());
    around.done("2");
    assert!(around.core.is_over());
    // A subchannel that becomes active again must report once more.
    around.says("2", SubchannelState::Connecting);
    assert!(!around.core.is_over());
    around.done("2");
    assert!(around.core.is_over());
    assert!(!around.core.is_closing());
}

#[test]
fn a_call_that_waits_keeps_a_channel_that_is_left() {
    let mut around = Around::with("1");
    let calls = [around.call(true), around.call(true)];
    around.leave();
    around.done("1");
    assert!(!around.core.is_over());
    // A new subchannel is told at once that no more calls come.
    around.act(|control| {
        control.subchannel(endpoints("2").remove(0));
    });
    assert_eq!(around.asked("2").0, "retire");
    around.ready("2");
    around.done("2");
    let picks = Picks::one(&around.subchannel("2"));
    around.publish(picks);
    let (asked, opens) = around.asked("2");
    assert_eq!(asked, "open open");
    assert!(!around.core.is_over(), "it has calls now");
    around.says("2", SubchannelState::Idle);
    around.publish(Picks::wait());
    for open in opens {
        around.report(Report::Back(open));
    }
    around.done("2");
    assert!(!around.core.is_over());
    let [first, second] = calls;
    first.cancel();
    around.turn();
    assert!(!around.core.is_over());
    second.cancel();
    around.turn();
    assert!(around.core.is_over());
}

#[test]
fn a_subchannel_is_not_done_before_it_has_seen_every_call() {
    let mut around = Around::with("1");
    let _call = around.call(true);
    around.leave();
    around.ready("1");
    let picks = Picks::one(&around.subchannel("1"));
    around.publish(picks);
    // It reported that before the call had reached it.
    around.done_after("1", 0);
    assert!(!around.core.is_over());
    around.done_after("1", 1);
    assert!(around.core.is_over());
}

#[test]
fn closing_ends_what_waits_and_every_subchannel() {
    let mut around = Around::with("1 2");
    let calls = [around.call(true), around.call(false)];
    let users = around.users.clone().unwrap();
    assert!(users.send(Ask::Close).is_ok());
    around.turn();
    assert!(around.core.is_closing());
    // Some may still be in the queue.
    let (late, open) = Trial::call(true, None);
    assert!(users.send(Ask::Open(open)).is_ok());
    around.core.close(around.now);
    for call in calls.iter().chain([&late]) {
        assert_eq!(code(call), Some(Code::Cancelled));
    }
    for name in ["1", "2"] {
        assert!(around.asked(name).0.contains("close"));
    }
    let (_, open) = Trial::call(true, None);
    assert!(users.send(Ask::Open(open)).is_err(), "nobody takes it");
}

/// The handles were dropped and the connections are idle: the policy would make others.
#[test]
fn a_channel_that_is_left_tells_its_policy_who_rests_once_a_call_comes_back() {
    let mut around = Around::with("1 2");
    around.ready("1");
    around.ready("2");
    around.leave();
    around.heard();
    around.says("1", SubchannelState::Idle);
    assert_eq!(around.heard(), "");
    let (_caller, open) = Trial::call(true, None);
    around.report(Report::Back(open));
    assert_eq!(around.heard(), "1 idle");
    around.says("2", SubchannelState::Idle);
    assert_eq!(around.heard(), "2 idle");
}
