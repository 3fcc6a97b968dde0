//! An endpoint's weight from the load reports of its server, and how long it is valid (gRFC
//! A58, A114). Values: reports and time are arguments.

use std::time::{Duration, Instant};

use crate::call::load_report::LoadReport;
use crate::observe::weights::WeightState;

/// How reports are turned into weights.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct WeightRules {
    pub(super) blackout: Duration,
    pub(super) expiration: Duration,
    pub(super) penalty: f64,
    /// The metrics that give a server's utilization, instead of the default ones.
    pub(super) metrics: Vec<String>,
}

impl Default for WeightRules {
    fn default() -> Self {
        Self {
            blackout: Duration::from_secs(10),
            expiration: Duration::from_secs(180),
            penalty: 1.0,
            metrics: Vec::new(),
        }
    }
}

impl WeightRules {
    /// The weight by a report; `None` if the report is not usable.
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

/// The weight of an endpoint.
#[derive(Debug, Default)]
pub(super) struct ReportedWeight {
    weight: f64,
    /// When the last usable report came.
    reported: Option<Instant>,
    /// When the first usable report came since the connection was established or the weight
    /// expired.
    since: Option<Instant>,
}

impl ReportedWeight {
    /// There is a new connection: its first reports are not representative.
    pub(super) fn connected(&mut self) {
        self.since = None;
    }

    pub(super) fn report(&mut self, report: &LoadReport, rules: &WeightRules, now: Instant) {
        if let Some(weight) = rules.weight(report) {
            self.weight = weight;
            self.reported = Some(now);
            self.since.get_or_insert(now);
        }
    }

    /// The weight at `now`.
    pub(super) fn at(&mut self, rules: &WeightRules, now: Instant) -> WeightState {
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
mod tests;
