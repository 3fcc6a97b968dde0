//! Tests of `outlier_detection.rs`; the tests of the algorithms are those of
//! `ejections.rs`.

use std::collections::HashMap;

use super::*;
use crate::channel::balance::bench::{Bench, address};
use crate::channel::balance::least_request::LeastRequest;
use crate::channel::balance::pick_first::PickFirst;
use crate::channel::balance::round_robin::RoundRobin;
use crate::metadata::Metadata;

const SECOND: Duration = Duration::from_secs(1);

fn by_failures() -> FailurePercentageEjection {
    FailurePercentageEjection::new()
        .minimum_hosts(3)
        .request_volume(10)
}

/// Over round_robin, with failure percentage only.
fn detection() -> OutlierDetection {
    OutlierDetection::new(RoundRobin::new())
        .failure_percentage(by_failures())
        .max_ejection_percent(50)
}

fn found(balance: &OutlierDetection, endpoints: &str) -> Bench {
    let mut bench = Bench::new(balance);
    bench.found(endpoints).unwrap();
    for name in endpoints.split_whitespace() {
        bench.ready(name);
    }
    bench.news();
    bench
}

fn ready(endpoints: &str) -> Bench {
    found(&detection(), endpoints)
}

/// Makes calls, of which those to the endpoints in `bad` fail.
fn calls(bench: &Bench, calls: usize, bad: &[&str]) -> HashMap<String, usize> {
    let mut to = HashMap::new();
    for _ in 0..calls {
        let (name, ticket) = bench.begin(Metadata::new());
        let is_bad = bad.contains(&&*name);
        let code = if is_bad { Code::Internal } else { Code::Ok };
        if let Some(ticket) = ticket {
            ticket.end(&AttemptEnd {
                code,
                trailing_metadata: Some(&Metadata::new()),
            });
        }
        *to.entry(name).or_default() += 1;
    }
    to
}

#[test]
fn an_endpoint_that_fails_its_calls_is_left_out_and_comes_back() {
    let mut bench = ready("1 2 3 4");
    calls(&bench, 100, &["3"]);
    bench.pass(9 * SECOND);
    assert_eq!(bench.news(), "", "the interval is 10 s");
    bench.pass(SECOND);
    // Its connection stays: nothing is removed.
    assert_eq!(bench.news(), "resolve, READY");
    let to = calls(&bench, 90, &[]);
    assert_eq!(to.len(), 3);
    assert!(!to.contains_key("3"), "{to:?}");
    bench.pass(29 * SECOND);
    assert_eq!(bench.news(), "");
    bench.pass(SECOND);
    assert_eq!(bench.news(), "READY");
    assert_eq!(calls(&bench, 100, &[]).len(), 4);
}

#[test]
fn both_ways_find_endpoints() {
    let by_rate = SuccessRateEjection::new()
        .minimum_hosts(3)
        .request_volume(10)
        .stdev_factor(1_000);
    let detection = OutlierDetection::new(RoundRobin::new())
        .success_rate(by_rate)
        .max_ejection_percent(50);
    for detection in [
        detection.clone(),
        detection.failure_percentage(by_failures()),
    ] {
        let mut bench = found(&detection, "1 2 3 4");
        calls(&bench, 100, &["2"]);
        bench.pass(10 * SECOND);
        assert_eq!(bench.news(), "resolve, READY");
        assert!(!calls(&bench, 90, &[]).contains_key("2"));
    }
}

#[test]
fn never_are_more_left_out_than_so_many_percent() {
    let mut bench = found(&detection().max_ejection_percent(26), "1 2 3 4");
    calls(&bench, 100, &["1", "2", "3", "4"]);
    bench.pass(10 * SECOND);
    bench.news();
    assert_eq!(
        calls(&bench, 60, &[]).len(),
        2,
        "25 % is below, 50 % is not"
    );
}

#[test]
fn all_may_be_left_out_and_then_calls_fail() {
    let mut bench = found(&detection().max_ejection_percent(100), "1 2 3");
    calls(&bench, 60, &["1", "2", "3"]);
    bench.pass(10 * SECOND);
    assert_eq!(bench.news(), "resolve, TRANSIENT_FAILURE");
    assert!(bench.pick().contains("gets no calls"), "{}", bench.pick());
    bench.pass(30 * SECOND);
    assert_eq!(bench.news(), "READY");
    assert_eq!(calls(&bench, 60, &[]).len(), 3);
}

#[test]
fn what_becomes_of_the_connection_meanwhile_is_heard_at_the_end() {
    let mut bench = ready("1 2 3 4");
    calls(&bench, 100, &["3"]);
    bench.pass(10 * SECOND);
    bench.news();
    bench.idle("3");
    assert_eq!(bench.news(), "", "it is left out");
    bench.pass(30 * SECOND);
    assert_eq!(bench.news(), "connect 3");
    bench.ready("3");
    assert_eq!(bench.news(), "READY");
    assert_eq!(calls(&bench, 100, &[]).len(), 4);
}

/// gRFC A61: an endpoint is the set of its addresses, whichever is used, in any order.
#[test]
fn one_that_is_left_out_stays_so_on_another_address_and_in_other_lists() {
    let mut bench = ready("1 2 3+4 5");
    calls(&bench, 100, &["3+4"]);
    bench.pass(10 * SECOND);
    bench.news();
    let subchannel = bench.subchannel("3+4");
    bench.idle("3+4");
    bench.changed(&subchannel, SubchannelState::Ready(address("4")));
    assert_eq!(bench.news(), "");
    bench.found("4+3 5 2 1").unwrap();
    assert_eq!(bench.news(), "READY");
    assert!(!calls(&bench, 90, &[]).contains_key("3+4"));
    bench.pass(30 * SECOND);
    bench.news();
    assert!(calls(&bench, 100, &[]).contains_key("3+4"));
}

#[test]
fn another_set_of_addresses_is_another_endpoint() {
    let mut bench = ready("1 2 3+4 5");
    calls(&bench, 100, &["3+4"]);
    bench.pass(10 * SECOND);
    bench.news();
    bench.found("1 2 3 5").unwrap();
    bench.ready("3");
    assert_eq!(bench.news(), "begin 3, remove 3+4, connect 3, READY");
    assert_eq!(calls(&bench, 40, &[])["3"], 10);
    // An endpoint that is removed and listed again starts without a count.
    calls(&bench, 100, &["3"]);
    bench.pass(10 * SECOND);
    bench.found("1 2 5").unwrap();
    bench.found("1 2 5 3").unwrap();
    bench.ready("3");
    bench.news();
    assert_eq!(calls(&bench, 40, &[])["3"], 10);
}

#[test]
fn a_new_interval_keeps_the_time_that_has_passed() {
    let mut bench = ready("1 2 3 4");
    calls(&bench, 100, &["3"]);
    bench.pass(6 * SECOND);
    let set = |bench: &mut Bench, interval| {
        let detection = detection().interval(interval);
        bench.tell(|policy, _| assert!(policy.reconfigure(&detection)));
        bench.found("1 2 3 4").unwrap();
        assert_eq!(bench.news(), "READY");
    };
    set(&mut bench, 8 * SECOND);
    bench.pass(SECOND);
    assert_eq!(bench.news(), "");
    bench.pass(SECOND);
    assert_eq!(bench.news(), "resolve, READY", "8 s from the first begin");
    bench.pass(30 * SECOND);
    // An ejection whose new time has already passed ends at once.
    bench.pass(6 * SECOND);
    bench.news();
    calls(&bench, 100, &["2"]);
    set(&mut bench, SECOND);
    bench.pass(Duration::ZERO);
    assert_eq!(bench.news(), "resolve, READY");
}

#[test]
fn without_either_way_nothing_is_counted_and_all_are_back() {
    let plain = OutlierDetection::new(RoundRobin::new());
    let bench = found(&plain, "1 2 3");
    assert!(!bench.waits_for_time());
    assert!(bench.begin(Metadata::new()).1.is_none(), "no ticket");

    let mut bench = ready("1 2 3 4");
    calls(&bench, 100, &["3"]);
    bench.pass(10 * SECOND);
    bench.news();
    bench.tell(|policy, _| assert!(policy.reconfigure(&plain)));
    bench.found("1 2 3 4").unwrap();
    assert_eq!(bench.news(), "READY");
    let to = calls(&bench, 100, &["3"]);
    assert_eq!(to["3"], 25, "it is back");
    bench.pass(10 * SECOND);
    assert!(!bench.waits_for_time(), "the timer that ran has passed");
    // Turned on again, it counts from then on, and the first ejection lasts the base time.
    bench.tell(|policy, _| assert!(policy.reconfigure(&detection())));
    bench.found("1 2 3 4").unwrap();
    bench.news();
    calls(&bench, 100, &["3"]);
    bench.pass(10 * SECOND);
    assert_eq!(bench.news(), "resolve, READY");
    bench.pass(30 * SECOND);
    assert_eq!(bench.news(), "READY", "30 s, not 60 s");
}

#[test]
fn calls_that_were_given_up_or_never_looked_at_tell_nothing() {
    let mut bench = ready("1 2 3 4");
    calls(&bench, 100, &[]);
    for code in [Code::Cancelled, Code::Unavailable] {
        for _ in 0..1_000 {
            let (_, ticket) = bench.begin(Metadata::new());
            ticket.unwrap().end(&AttemptEnd {
                code,
                trailing_metadata: None,
            });
        }
    }
    bench.pass(10 * SECOND);
    assert_eq!(bench.news(), "");
    // The ends of calls because of their connection have metadata, if only empty ones.
    let counter = ResultCounter::default();
    for (code, metadata) in [
        (Code::Ok, None),
        (Code::DeadlineExceeded, None),
        (Code::Unavailable, Some(&Metadata::new())),
        (Code::Unavailable, None),
    ] {
        counter.ended(
            0,
            &AttemptEnd {
                code,
                trailing_metadata: metadata,
            },
        );
    }
    assert_eq!(counter.take(), ResultCounts { good: 1, bad: 2 });
}

/// The other policy's own counts continue.
#[test]
fn tickets_of_the_other_policy_are_told_as_well() {
    let fewest = LeastRequest::new().choice_count(10);
    let detection = OutlierDetection::new(fewest).failure_percentage(by_failures());
    let bench = found(&detection, "1 2");
    let mut held: Vec<_> = (0..40).map(|_| bench.begin(Metadata::new())).collect();
    held.retain(|(name, _)| name == "1");
    assert!((15..=25).contains(&held.len()), "{}", held.len());
    let next: Vec<_> = (0..10).map(|_| bench.begin(Metadata::new())).collect();
    let to_two = next.iter().filter(|(name, _)| name == "2").count();
    assert!(to_two >= 8, "what ended counts no more: {to_two}");
}

/// grpc#32967: it crashed. pick_first has one endpoint and keeps it (gRFC A61).
#[test]
fn pick_first_keeps_its_endpoint() {
    let detection = OutlierDetection::new(PickFirst::new())
        .failure_percentage(by_failures().minimum_hosts(1))
        .max_ejection_percent(100);
    for (list, name) in [("1", "1"), ("1 2", "1+2")] {
        let mut bench = Bench::new(&detection);
        bench.found(list).unwrap();
        bench.ready(name);
        bench.news();
        calls(&bench, 100, &[name]);
        bench.pass(10 * SECOND);
        assert_eq!(bench.news(), "");
        assert_eq!(bench.pick(), name);
        bench.found("").unwrap_err();
        assert_eq!(bench.news(), format!("remove {name}, TRANSIENT_FAILURE"));
        calls(&bench, 10, &[]);
        bench.pass(10 * SECOND);
    }
}

/// While the other policy is replaced, the endpoints are those of the latest list.
#[test]
fn the_other_policy_may_change() {
    let mut bench = ready("1 2 3 4");
    calls(&bench, 100, &["3"]);
    bench.pass(10 * SECOND);
    bench.news();
    let other = OutlierDetection {
        child: Arc::new(LeastRequest::new()),
        ..detection()
    };
    bench.tell(|policy, _| assert!(policy.reconfigure(&other)));
    let old = bench.subchannel("1");
    bench.found("1 2 3 4").unwrap();
    // The old policy serves until the new one has a connection.
    assert_eq!(
        bench.news(),
        "begin 1 2 3 4, connect 1 2 3 4, resolve, READY"
    );
    assert!(old != bench.subchannel("1"));
    assert_eq!(calls(&bench, 90, &[]).len(), 3);
    bench.ready("3");
    assert_eq!(bench.news(), "", "it is left out for the new one as well");
    bench.ready("2");
    assert_eq!(bench.news(), "remove 1 2 3 4, READY");
    assert_eq!(calls(&bench, 10, &[]).len(), 1);
    bench.pass(30 * SECOND);
    bench.news();
    assert!(calls(&bench, 100, &[]).contains_key("3"));
}

#[test]
fn what_its_policy_says_of_a_list_is_said() {
    let mut bench = Bench::new(&detection());
    assert!(bench.found("-").is_err());
    assert_eq!(bench.news(), "TRANSIENT_FAILURE");
    bench.lost_sight("no such name");
    assert_eq!(bench.news(), "TRANSIENT_FAILURE");
    assert_eq!(bench.pick(), "no such name");
    bench.found("1 2").unwrap();
    assert_eq!(bench.news(), "begin 1 2, connect 1 2, CONNECTING");
    bench.connect();
    assert_eq!(bench.news(), "connect 1 2");
}

/// Publishes nothing, and counts the calls of `settled`.
struct Settles(Arc<AtomicUsize>);

impl Balance for Settles {
    fn name(&self) -> &'static str {
        "settles"
    }

    fn policy(&self) -> Box<dyn Policy> {
        Box::new(Self(Arc::clone(&self.0)))
    }
}

impl Policy for Settles {
    fn update(&mut self, _: Resolved, _: &mut Control<'_>) -> Result<(), Status> {
        Ok(())
    }

    fn resolution_failed(&mut self, _: Status, _: &mut Control<'_>) {}

    fn changed(&mut self, _: &Subchannel, _: SubchannelState, _: &mut Control<'_>) {}

    fn connect(&mut self, _: &mut Control<'_>) {}

    fn settled(&mut self, _: &mut Control<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A config can nest 40 of them: with two calls for each level that would not end.
#[test]
fn the_innermost_of_many_is_told_once_that_there_is_no_more() {
    let settled = Arc::new(AtomicUsize::new(0));
    let mut balance: Arc<dyn Balance> = Arc::new(Settles(Arc::clone(&settled)));
    for _ in 0..10 {
        balance = Arc::new(OutlierDetection::over(balance));
    }
    let mut bench = Bench::new(&*balance);
    bench.found("1").unwrap();
    assert_eq!(settled.load(Ordering::Relaxed), 1);
}
