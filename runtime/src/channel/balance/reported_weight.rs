//! What an endpoint weighs by the reports of its server, and how long that counts (gRFC
//! A58, A114). A value: reports and the time go in.

use std::time::{Duration, Instant};

use crate::call::load_report::LoadReport;
use crate::observe::weights::WeightState;

/// How reports become weights.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rules {
    pub(super) blackout: Duration,
    pub(super) expiration: Duration,
    pub(super) penalty: f64,
    /// By which metrics a server's use is told, if not by the usual ones.
    pub(super) metrics: Vec<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            blackout: Duration::from_secs(10),
            expiration: Duration::from_secs(180),
            penalty: 1.0,
            metrics: Vec::new(),
        }
    }
}

impl Rules {
    /// What a report makes of a server; `None` where it is of no use.
    fn weight(&self, report: &LoadReport) -> Option<f64> {
        let (qps, eps) = (report.qps(), report.eps());
        let mut utilization = self.utilization(report);
        if !(qps > 0.0 && utilization > 0.0) {
            return None;
        }
        if eps > 0.0 {
            utilization += eps / qps * self.penalty;
        }
        let weight = qps / utilization;
        (weight > 0.0 && weight.is_finite()).then_some(weight)
    }

    fn utilization(&self, report: &LoadReport) -> f64 {
        let metrics = self.metrics.iter();
        let named = metrics
            .filter_map(|name| metric(report, name))
            .fold(0.0, f64::max);
        let all = [
            named,
            report.application_utilization(),
            report.cpu_utilization(),
        ];
        all.into_iter().find(|value| *value > 0.0).unwrap_or(0.0)
    }
}

fn metric(report: &LoadReport, name: &str) -> Option<f64> {
    match name.split_once('.') {
        Some(("named_metrics", key)) => report.named_metrics().get(key).copied(),
        Some(("utilization", key)) => report.utilizations().get(key).copied(),
        Some(_) => None,
        None => match name {
            "application_utilization" => Some(report.application_utilization()),
            "cpu_utilization" => Some(report.cpu_utilization()),
            "mem_utilization" => Some(report.memory_utilization()),
            _ => None,
        },
    }
}

/// What an endpoint weighs.
#[derive(Debug, Default)]
pub(super) struct ReportedWeight {
    weight: f64,
    /// When the last report came that was of use.
    reported: Option<Instant>,
    /// When the first one came since the connection was made, or since a weight was
    /// forgotten.
    since: Option<Instant>,
}

impl ReportedWeight {
    /// There is a new connection: what it reports at first says little.
    pub(super) fn connected(&mut self) {
        self.since = None;
    }

    pub(super) fn report(&mut self, report: &LoadReport, rules: &Rules, now: Instant) {
        if let Some(weight) = rules.weight(report) {
            self.weight = weight;
            self.reported = Some(now);
            self.since.get_or_insert(now);
        }
    }

    /// What it weighs now.
    pub(super) fn at(&mut self, rules: &Rules, now: Instant) -> WeightState {
        let Some(reported) = self.reported else {
            return WeightState::NotYetUsable;
        };
        if now.saturating_duration_since(reported) >= rules.expiration {
            self.since = None;
            return WeightState::Stale;
        }
        let is_known = |since| now.saturating_duration_since(since) >= rules.blackout;
        if self.since.is_some_and(is_known) {
            WeightState::Usable(self.weight)
        } else {
            WeightState::NotYetUsable
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::weights::WeightState::{NotYetUsable, Stale, Usable};

    fn report(qps: f64, cpu: f64) -> LoadReport {
        let mut report = LoadReport::new();
        report.set_qps(qps).set_cpu_utilization(cpu);
        report
    }

    #[test]
    fn a_weight_is_calls_over_use() {
        let rules = Rules::default();
        assert_eq!(rules.weight(&report(100.0, 0.5)), Some(200.0));
        for useless in [report(0.0, 0.5), report(100.0, 0.0), report(0.0, 0.0)] {
            assert_eq!(rules.weight(&useless), None);
        }
        assert_eq!(rules.weight(&report(f64::MAX, f64::MIN_POSITIVE)), None);
        // The application's own measure goes first.
        let mut both = report(100.0, 0.5);
        both.set_application_utilization(2.0);
        assert_eq!(rules.weight(&both), Some(50.0));
    }

    #[test]
    fn failures_are_a_penalty() {
        let mut failing = report(100.0, 0.5);
        failing.set_eps(50.0);
        let of = |penalty| Rules {
            penalty,
            ..Rules::default()
        };
        assert_eq!(of(1.0).weight(&failing), Some(100.0));
        assert_eq!(of(3.0).weight(&failing), Some(50.0));
        assert_eq!(of(0.0).weight(&failing), Some(200.0));
        assert_eq!(of(f64::INFINITY).weight(&failing), None);
    }

    #[test]
    fn metrics_that_are_named_go_first_the_highest_of_them() {
        let rules = |names: &[&str]| Rules {
            metrics: names.iter().map(ToString::to_string).collect(),
            ..Rules::default()
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
        // What is not there, or cannot be, leaves the usual ones.
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
        let (rules, begin) = (Rules::default(), Instant::now());
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
        let none = Rules {
            blackout: Duration::ZERO,
            ..Rules::default()
        };
        let mut weight = ReportedWeight::default();
        weight.report(&report(100.0, 0.5), &none, at(0));
        assert_eq!(weight.at(&none, at(0)), Usable(200.0));
    }

    #[test]
    fn a_weight_expires_and_blackout_begins_again() {
        let (rules, begin) = (Rules::default(), Instant::now());
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut weight = ReportedWeight::default();
        weight.report(&report(100.0, 0.5), &rules, at(0));
        // What is of no use keeps no weight alive.
        weight.report(&report(0.0, 0.5), &rules, at(100));
        assert_eq!(weight.at(&rules, at(179)), Usable(200.0));
        assert_eq!(weight.at(&rules, at(180)), Stale);
        weight.report(&report(100.0, 0.5), &rules, at(190));
        assert_eq!(weight.at(&rules, at(199)), NotYetUsable);
        assert_eq!(weight.at(&rules, at(200)), Usable(200.0));
    }
}
