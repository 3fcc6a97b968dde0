//! Unit tests of `reported_weight`.

use super::*;
use crate::observe::weights::WeightState::{NotYetUsable, Stale, Usable};

fn report(qps: f64, cpu: f64) -> LoadReport {
    let mut report = LoadReport::new();
    report.set_qps(qps).set_cpu_utilization(cpu);
    report
}

#[test]
fn a_weight_is_calls_over_use() {
    let rules = WeightRules::default();
    assert_eq!(rules.weight(&report(100.0, 0.5)), Some(200.0));
    for useless in [report(0.0, 0.5), report(100.0, 0.0), report(0.0, 0.0)] {
        assert_eq!(rules.weight(&useless), None);
    }
    assert_eq!(rules.weight(&report(f64::MAX, f64::MIN_POSITIVE)), None);
    // The application's utilization has precedence.
    let mut both = report(100.0, 0.5);
    both.set_application_utilization(2.0);
    assert_eq!(rules.weight(&both), Some(50.0));
}

#[test]
fn failures_are_a_penalty() {
    let mut failing = report(100.0, 0.5);
    failing.set_eps(50.0);
    let of = |penalty| WeightRules {
        penalty,
        ..WeightRules::default()
    };
    assert_eq!(of(1.0).weight(&failing), Some(100.0));
    assert_eq!(of(3.0).weight(&failing), Some(50.0));
    assert_eq!(of(0.0).weight(&failing), Some(200.0));
    assert_eq!(of(f64::INFINITY).weight(&failing), None);
}

#[test]
fn metrics_that_are_named_go_first_the_highest_of_them() {
    let rules = |names: &[&str]| WeightRules {
        metrics: names.iter().map(ToString::to_string).collect(),
        ..WeightRules::default()
    };
    let mut full = report(100.0, 0.5);
    full.set_application_utilization(0.8)
        .set_memory_utilization(0.2)
        .set_utilization("disk", 0.4)
        .set_named_metric("queue", 5.0)
        .set_named_metric("a.b", 10.0)
        .set_named_metric("below", -1.0)
        .set_named_metric("none", f64::NAN);
    let of = |names: &[&str]| format!("{:.1}", 100.0 / rules(names).weight(&full).unwrap());
    assert_eq!(of(&["mem_utilization"]), "0.2");
    assert_eq!(of(&["cpu_utilization"]), "0.5");
    assert_eq!(of(&["application_utilization"]), "0.8");
    assert_eq!(of(&["utilization.disk", "mem_utilization"]), "0.4");
    assert_eq!(of(&["named_metrics.queue", "utilization.disk"]), "5.0");
    assert_eq!(
        of(&["named_metrics.a.b"]),
        "10.0",
        "the first period counts"
    );
    // With metrics that are missing or invalid, the default ones count.
    let useless = [
        "named_metrics.below",
        "named_metrics.none",
        "utilization.queue",
    ];
    assert_eq!(of(&useless), "0.8");
    assert_eq!(of(&["rps", "request_cost.x", "queue", ""]), "0.8");
}

#[test]
fn blackout_is_from_the_first_report_and_again_after_a_new_connection() {
    let (rules, begin) = (WeightRules::default(), Instant::now());
    let at = |seconds| begin + Duration::from_secs(seconds);
    let mut weight = ReportedWeight::default();
    assert_eq!(weight.at(&rules, at(0)), NotYetUsable);
    weight.report(&report(0.0, 0.5), &rules, at(0));
    weight.report(&report(100.0, 0.5), &rules, at(5));
    weight.report(&report(100.0, 0.25), &rules, at(12));
    assert_eq!(weight.at(&rules, at(14)), NotYetUsable);
    assert_eq!(weight.at(&rules, at(15)), Usable(400.0));
    weight.connected();
    assert_eq!(
        weight.at(&rules, at(16)),
        NotYetUsable,
        "nothing has come on it"
    );
    weight.report(&report(100.0, 0.5), &rules, at(20));
    assert_eq!(weight.at(&rules, at(29)), NotYetUsable);
    assert_eq!(weight.at(&rules, at(30)), Usable(200.0));
    let none = WeightRules {
        blackout: Duration::ZERO,
        ..WeightRules::default()
    };
    let mut weight = ReportedWeight::default();
    weight.report(&report(100.0, 0.5), &none, at(0));
    assert_eq!(weight.at(&none, at(0)), Usable(200.0));
}

#[test]
fn a_weight_expires_and_blackout_begins_again() {
    let (rules, begin) = (WeightRules::default(), Instant::now());
    let at = |seconds| begin + Duration::from_secs(seconds);
    let mut weight = ReportedWeight::default();
    weight.report(&report(100.0, 0.5), &rules, at(0));
    // An unusable report does not prolong a weight.
    weight.report(&report(0.0, 0.5), &rules, at(100));
    assert_eq!(weight.at(&rules, at(179)), Usable(200.0));
    assert_eq!(weight.at(&rules, at(180)), Stale);
    weight.report(&report(100.0, 0.5), &rules, at(190));
    assert_eq!(weight.at(&rules, at(199)), NotYetUsable);
    assert_eq!(weight.at(&rules, at(200)), Usable(200.0));
}
