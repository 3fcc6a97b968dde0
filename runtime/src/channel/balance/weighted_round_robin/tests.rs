//! Tests of `weighted_round_robin.rs`.

use std::collections::BTreeMap;

use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::channel::balance::bench::Bench;
use crate::channel::balance::round_robin::RoundRobin;
use crate::metadata::Metadata;
use crate::status::Code;

const SECOND: Duration = Duration::from_secs(1);

/// A policy, and the clock that its calls read.
struct Weighing {
    bench: Bench,
    clock: Runtime,
}

impl Weighing {
    fn of(balance: &WeightedRoundRobin) -> Self {
        let mut clock = Builder::new_current_thread();
        let clock = clock.enable_time().start_paused(true).build().unwrap();
        let within = clock.enter();
        let mut bench = Bench::new(balance);
        bench.now = crate::clock::now();
        drop(within);
        Self { bench, clock }
    }

    /// All endpoints are ready, and the schedule is known.
    fn ready(balance: &WeightedRoundRobin, endpoints: &str) -> Self {
        let mut it = Self::of(balance);
        it.found(endpoints);
        for name in endpoints.split_whitespace() {
            it.bench.ready(name);
        }
        it.bench.news();
        it
    }

    fn found(&mut self, endpoints: &str) {
        self.bench.found(endpoints).unwrap();
        self.bench.news();
    }

    fn pass(&mut self, time: Duration) -> String {
        self.clock.block_on(tokio::time::advance(time));
        self.bench.pass(time);
        self.bench.news()
    }

    /// A call to this endpoint ends with this report.
    fn report(&self, name: &str, report: &LoadReport) {
        let _within = self.clock.enter();
        let mut metadata = Metadata::new();
        report.write(&mut metadata);
        for _ in 0..1_000 {
            let (to, ticket) = self.bench.begin(Metadata::new());
            if to == name {
                return ticket.unwrap().end(&AttemptEnd {
                    code: Code::Ok,
                    trailing_metadata: Some(&metadata),
                });
            }
        }
        panic!("{name} has no turn");
    }

    /// The endpoint reports that it can handle this many calls per second.
    fn could_do(&self, name: &str, calls: f64) {
        let mut report = LoadReport::new();
        self.report(name, report.set_qps(calls / 2.0).set_cpu_utilization(0.5));
    }

    fn shares(&self, calls: usize) -> BTreeMap<String, usize> {
        self.bench.shares(calls)
    }

    /// What observers were told since the last time: the weights of each update.
    fn told(&mut self) -> Vec<String> {
        let word = |weight: &WeightState| match weight {
            WeightState::Usable(weight) => weight.to_string(),
            WeightState::NotYetUsable => "new".to_owned(),
            WeightState::Stale => "stale".to_owned(),
        };
        let of = |update: Weighed| {
            let mut weights: Vec<_> = update.weights.iter().map(word).collect();
            weights.sort();
            weights.join(" ")
        };
        self.bench.weighed().into_iter().map(of).collect()
    }
}

fn expect<const N: usize>(shares: [(&str, usize); N]) -> BTreeMap<String, usize> {
    shares.map(|(name, calls)| (name.to_owned(), calls)).into()
}

fn at_once() -> WeightedRoundRobin {
    WeightedRoundRobin::new().blackout_period(Duration::ZERO)
}

#[test]
fn without_reports_it_is_round_robin() {
    let mut it = Weighing::ready(&at_once(), "1 2 3");
    assert_eq!(it.pass(5 * SECOND), "", "nothing has changed");
    assert_eq!(it.shares(300), expect([("1", 100), ("2", 100), ("3", 100)]));
}

#[test]
fn calls_follow_the_weights_once_they_are_looked_at() {
    let mut it = Weighing::ready(&at_once(), "1 2 3");
    it.could_do("1", 100.0);
    it.could_do("2", 300.0);
    it.could_do("3", 200.0);
    assert_eq!(it.shares(300)["1"], 100, "not yet");
    assert_eq!(it.pass(SECOND), "READY");
    assert_eq!(it.shares(600), expect([("1", 100), ("2", 300), ("3", 200)]));
    assert_eq!(
        it.pass(SECOND),
        "",
        "the same turns are not published again"
    );
    it.could_do("1", 300.0);
    it.could_do("3", 300.0);
    assert_eq!(it.pass(SECOND), "READY");
    assert_eq!(it.shares(300), expect([("1", 100), ("2", 100), ("3", 100)]));
}

#[test]
fn one_that_does_not_report_has_the_mean_of_the_others() {
    let mut it = Weighing::ready(&at_once(), "1 2 3");
    it.could_do("1", 100.0);
    assert_eq!(it.pass(SECOND), "", "one report is none");
    it.could_do("2", 300.0);
    it.pass(SECOND);
    assert_eq!(it.shares(600), expect([("1", 100), ("2", 300), ("3", 200)]));
}

#[test]
fn one_endpoint_has_all_calls_and_no_timer() {
    let it = Weighing::ready(&at_once(), "1");
    it.could_do("1", 100.0);
    assert_eq!(it.shares(10), expect([("1", 10)]));
    assert!(!it.bench.waits_for_time());
}

#[test]
fn one_endpoint_that_is_joined_by_another_has_a_timer_again() {
    let mut it = Weighing::ready(&at_once(), "1");
    it.could_do("1", 100.0);
    it.found("1 2");
    it.bench.ready("2");
    it.bench.news();
    assert!(it.bench.waits_for_time());
    it.could_do("2", 300.0);
    assert_eq!(it.pass(SECOND), "READY");
    assert_eq!(it.shares(400), expect([("1", 100), ("2", 300)]));
}

#[test]
fn blackout_keeps_the_first_reports_out() {
    let mut it = Weighing::ready(&WeightedRoundRobin::new(), "1 2");
    it.could_do("1", 100.0);
    it.could_do("2", 300.0);
    for _ in 0..9 {
        assert_eq!(it.pass(SECOND), "");
    }
    assert_eq!(it.pass(SECOND), "READY");
    assert_eq!(it.shares(400), expect([("1", 100), ("2", 300)]));
    // A new connection starts the blackout period again.
    it.bench.idle("2");
    it.bench.ready("2");
    it.bench.news();
    assert_eq!(it.shares(400), expect([("1", 200), ("2", 200)]));
    it.could_do("2", 300.0);
    assert_eq!(it.pass(9 * SECOND), "");
    assert_eq!(it.pass(SECOND), "READY");
    assert_eq!(it.shares(400), expect([("1", 100), ("2", 300)]));
}

#[test]
fn expiry_makes_it_round_robin_again() {
    let mut it = Weighing::ready(&at_once(), "1 2");
    it.could_do("1", 100.0);
    it.could_do("2", 300.0);
    assert_eq!(it.pass(SECOND), "READY");
    assert_eq!(it.pass(178 * SECOND), "");
    assert_eq!(it.shares(400), expect([("1", 100), ("2", 300)]));
    assert_eq!(it.pass(SECOND), "READY");
    assert_eq!(it.shares(400), expect([("1", 200), ("2", 200)]));
}

#[test]
fn failures_are_a_penalty() {
    let mut it = Weighing::ready(&at_once(), "1 2");
    it.could_do("1", 200.0);
    let mut report = LoadReport::new();
    report.set_qps(100.0).set_cpu_utilization(0.5).set_eps(50.0);
    it.report("2", &report);
    it.pass(SECOND);
    assert_eq!(it.shares(300), expect([("1", 200), ("2", 100)]));
    let harsh = at_once().error_utilization_penalty(5.0);
    let mut it = Weighing::ready(&harsh, "1 2");
    it.could_do("1", 200.0);
    it.report("2", &report);
    it.pass(SECOND);
    let shares = it.shares(700);
    assert!(shares["1"].abs_diff(600) <= 1, "{shares:?}");
}

#[test]
fn the_metrics_that_count_may_be_named() {
    let mut it = Weighing::ready(&at_once().metric_names(["named_metrics.queue"]), "1 2");
    for (name, queue) in [("1", 3.0), ("2", 1.0)] {
        let mut report = LoadReport::new();
        report.set_qps(100.0).set_cpu_utilization(0.5);
        it.report(name, report.set_named_metric("queue", queue));
    }
    it.pass(SECOND);
    assert_eq!(it.shares(400), expect([("1", 100), ("2", 300)]));
}

#[test]
fn weights_survive_updates() {
    let mut it = Weighing::ready(&at_once(), "1 2+3");
    it.could_do("1", 100.0);
    it.could_do("2+3", 300.0);
    it.pass(SECOND);
    // The same set of addresses is the same endpoint.
    it.found("3+2 4 1");
    assert_eq!(it.shares(400), expect([("1", 100), ("2+3", 300)]));
    it.bench.ready("4");
    it.bench.news();
    assert_eq!(
        it.shares(600),
        expect([("1", 100), ("2+3", 300), ("4", 200)])
    );
    // Another set of addresses is another endpoint.
    it.found("2 4 1");
    it.bench.ready("2");
    it.bench.news();
    let even = expect([("1", 100), ("2", 100), ("4", 100)]);
    assert_eq!(it.shares(300), even);
}

#[test]
fn other_options_change_no_weight_and_count_at_once() {
    let mut it = Weighing::ready(&WeightedRoundRobin::new(), "1 2");
    it.could_do("1", 100.0);
    it.could_do("2", 300.0);
    assert_eq!(it.pass(2 * SECOND), "");
    let mut is_same = false;
    let mut reconfigure = |it: &mut Weighing, balance: &dyn Balance| {
        it.bench
            .tell(|policy, _| is_same = policy.reconfigure(balance));
        it.found("1 2");
        is_same
    };
    assert!(!reconfigure(&mut it, &RoundRobin::new()));
    let options = at_once().weight_update_period(5 * SECOND);
    assert!(reconfigure(&mut it, &options));
    assert_eq!(it.shares(400), expect([("1", 100), ("2", 300)]));
    it.could_do("2", 100.0);
    assert_eq!(it.pass(4 * SECOND), "");
    assert_eq!(it.pass(SECOND), "READY");
    assert_eq!(it.shares(400), expect([("1", 200), ("2", 200)]));
}

#[test]
fn endpoints_that_share_an_address_have_each_a_weight() {
    let mut it = Weighing::ready(&at_once(), "1+2 2+3");
    it.could_do("1+2", 100.0);
    it.could_do("2+3", 300.0);
    it.pass(SECOND);
    assert_eq!(it.shares(400), expect([("1+2", 100), ("2+3", 300)]));
}

#[test]
fn turns_are_made_anew_as_often_as_is_asked_for() {
    let often = at_once().weight_update_period(Duration::ZERO);
    let mut it = Weighing::ready(&often, "1 2");
    it.could_do("1", 100.0);
    it.could_do("2", 300.0);
    assert_eq!(it.pass(Duration::from_millis(99)), "");
    assert_eq!(
        it.pass(Duration::from_millis(1)),
        "READY",
        "100 ms at least"
    );
    let never = at_once().weight_update_period(Duration::MAX);
    let it = Weighing::ready(&never, "1 2");
    assert!(!it.bench.waits_for_time());
}

#[test]
fn calls_that_report_nothing_change_nothing() {
    let mut it = Weighing::ready(&at_once(), "1 2");
    for _ in 0..10 {
        let (_, ticket) = it.bench.begin(Metadata::new());
        ticket.unwrap().end(&AttemptEnd {
            code: Code::Unavailable,
            trailing_metadata: None,
        });
        let (_, ticket) = it.bench.begin(Metadata::new());
        let mut garbage = Metadata::new();
        garbage
            .insert_bin("endpoint-load-metrics-bin", [0xff])
            .unwrap();
        ticket.unwrap().end(&AttemptEnd {
            code: Code::Ok,
            trailing_metadata: Some(&garbage),
        });
    }
    assert_eq!(it.pass(SECOND), "");
}

/// Weights stay with the endpoints that are ready, whatever happens to the others.
#[test]
fn one_that_is_lost_leaves_its_turns_to_the_others() {
    let mut it = Weighing::ready(&at_once(), "1 2 3");
    for (name, calls) in [("1", 100.0), ("2", 300.0), ("3", 200.0)] {
        it.could_do(name, calls);
    }
    it.pass(SECOND);
    it.bench.idle("3");
    assert_eq!(it.bench.news(), "connect 3, resolve, READY");
    assert_eq!(it.shares(400), expect([("1", 100), ("2", 300)]));
    it.bench.idle("1");
    it.bench.idle("2");
    assert_eq!(it.bench.news(), "connect 1 2, resolve, CONNECTING");
    it.pass(5 * SECOND);
    it.bench.ready("1");
    it.bench.ready("2");
    it.bench.news();
    it.could_do("1", 300.0);
    it.could_do("2", 100.0);
    assert_eq!(it.pass(SECOND), "READY", "the timer goes on");
    assert_eq!(it.shares(400), expect([("1", 300), ("2", 100)]));
}

#[test]
fn each_time_that_turns_are_made_is_told_once() {
    let options = WeightedRoundRobin::new().blackout_period(2 * SECOND);
    let mut it = Weighing::ready(&options.weight_expiration_period(5 * SECOND), "1 2");
    assert_eq!(it.told(), ["new", "new new"]);
    it.could_do("1", 100.0);
    it.could_do("2", 300.0);
    it.pass(SECOND);
    assert_eq!(it.told(), ["new new"], "it is blackout");
    // This is a different schedule, so it is published.
    assert_eq!(it.pass(SECOND), "READY");
    assert_eq!(it.told(), ["100 300"]);
    assert_eq!(it.pass(2 * SECOND), "", "the same turns");
    assert_eq!(it.told(), ["100 300", "100 300"]);
    it.could_do("1", 100.0);
    it.pass(SECOND);
    assert_eq!(it.told(), ["100 stale"]);
    it.bench.idle("2");
    it.bench.news();
    assert_eq!(it.told(), ["100"]);
    it.pass(2 * SECOND);
    assert!(it.told().is_empty(), "one endpoint needs no weight");
}

#[test]
fn nothing_is_told_while_no_endpoint_is_ready() {
    let mut it = Weighing::ready(&at_once(), "1 2");
    it.pass(SECOND);
    it.bench.idle("1");
    it.bench.idle("2");
    it.told();
    assert_eq!(it.pass(5 * SECOND), "connect 1 2, resolve, CONNECTING");
    assert!(it.told().is_empty());
    it.bench.ready("1");
    it.bench.ready("2");
    it.pass(SECOND);
    assert_eq!(it.told(), ["new", "new new", "new new"]);
}
