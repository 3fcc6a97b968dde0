//! Which endpoints are left out because of how their calls ended, and for how long (gRFC
//! A50). Values: counts, the time and chance go in.

use std::time::{Duration, Instant};

/// What rounding does to a mean of shares, at most.
const ROUNDING: f64 = 1e-9;

/// When endpoints are left out, and for how long.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct EjectionRules {
    pub(super) base_time: Duration,
    /// As it was given.
    pub(super) max_time: Option<Duration>,
    pub(super) max_percent: u32,
    pub(super) success_rate: Option<SuccessRateEjection>,
    pub(super) failure_percentage: Option<FailurePercentageEjection>,
}

impl Default for EjectionRules {
    fn default() -> Self {
        Self {
            base_time: Duration::from_secs(30),
            max_time: None,
            max_percent: 10,
            success_rate: None,
            failure_percentage: None,
        }
    }
}

impl EjectionRules {
    /// Whether there is anything to be counted.
    pub(super) fn are_on(&self) -> bool {
        self.success_rate.is_some() || self.failure_percentage.is_some()
    }

    fn longest(&self) -> Duration {
        const LONGEST: Duration = Duration::from_secs(300);
        self.max_time.unwrap_or(LONGEST).max(self.base_time)
    }
}

/// What both ways of finding outliers have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bounds {
    enforcement: u32,
    hosts: usize,
    volume: usize,
}

impl Bounds {
    /// Whether these are calls enough: none tell nothing, however few are asked for.
    fn are_met(self, counts: ResultCounts) -> bool {
        counts.all() >= self.volume.max(1)
    }
}

/// Leaves out endpoints whose share of calls that end well is far below that of the
/// others (gRFC A50): below the mean by so many standard deviations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SuccessRateEjection {
    factor: u32,
    bounds: Bounds,
}

impl Default for SuccessRateEjection {
    fn default() -> Self {
        let bounds = Bounds {
            enforcement: 100,
            hosts: 5,
            volume: 100,
        };
        Self {
            factor: 1_900,
            bounds,
        }
    }
}

impl SuccessRateEjection {
    /// With the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// So many thousandths of the standard deviation below the mean an endpoint may be.
    /// 1,900 unless set.
    #[must_use]
    pub fn stdev_factor(mut self, thousandths: u32) -> Self {
        self.factor = thousandths;
        self
    }

    /// With which chance, in percent, an endpoint that is found is left out. 100 unless
    /// set; lowered to 100 where it is more.
    #[must_use]
    pub fn enforcement_percentage(mut self, percent: u32) -> Self {
        self.bounds.enforcement = percent.min(100);
        self
    }

    /// How many endpoints have to have had enough calls. 5 unless set.
    #[must_use]
    pub fn minimum_hosts(mut self, hosts: usize) -> Self {
        self.bounds.hosts = hosts;
        self
    }

    /// How many calls an endpoint has to have had in an interval. 100 unless set.
    #[must_use]
    pub fn request_volume(mut self, calls: usize) -> Self {
        self.bounds.volume = calls;
        self
    }
}

/// Leaves out endpoints of whose calls more than so many percent fail (gRFC A50).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FailurePercentageEjection {
    threshold: u32,
    bounds: Bounds,
}

impl Default for FailurePercentageEjection {
    fn default() -> Self {
        let bounds = Bounds {
            enforcement: 100,
            hosts: 5,
            volume: 50,
        };
        Self {
            threshold: 85,
            bounds,
        }
    }
}

impl FailurePercentageEjection {
    /// With the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many percent of an endpoint's calls may fail. 85 unless set; lowered to 100,
    /// which no endpoint is above, where it is more.
    #[must_use]
    pub fn threshold(mut self, percent: u32) -> Self {
        self.threshold = percent.min(100);
        self
    }

    /// With which chance, in percent, an endpoint that is found is left out. 100 unless
    /// set; lowered to 100 where it is more.
    #[must_use]
    pub fn enforcement_percentage(mut self, percent: u32) -> Self {
        self.bounds.enforcement = percent.min(100);
        self
    }

    /// How many endpoints have to have had enough calls. 5 unless set.
    #[must_use]
    pub fn minimum_hosts(mut self, hosts: usize) -> Self {
        self.bounds.hosts = hosts;
        self
    }

    /// How many calls an endpoint has to have had in an interval. 50 unless set.
    #[must_use]
    pub fn request_volume(mut self, calls: usize) -> Self {
        self.bounds.volume = calls;
        self
    }
}

/// How calls ended in an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ResultCounts {
    pub(super) good: usize,
    pub(super) bad: usize,
}

impl ResultCounts {
    fn all(self) -> usize {
        self.good.saturating_add(self.bad)
    }

    /// From 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    fn success(self) -> f64 {
        self.good as f64 / self.all().max(1) as f64
    }
}

/// Whether an endpoint is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ejection {
    since: Option<Instant>,
    /// How often it was of late.
    multiplier: u32,
}

impl Ejection {
    pub(super) fn is_out(self) -> bool {
        self.since.is_some()
    }

    fn begin(&mut self, now: Instant) {
        self.since = Some(now);
        self.multiplier = self.multiplier.saturating_add(1);
    }

    fn is_over(self, rules: &EjectionRules, now: Instant) -> bool {
        let time = rules.base_time.saturating_mul(self.multiplier);
        let time = time.min(rules.longest());
        self.since
            .is_some_and(|since| now.saturating_duration_since(since) >= time)
    }
}

/// What becomes of the endpoints at the end of an interval, in which their calls ended
/// so. `draw` gives chance, from 0 up to, and without, 1.
pub(super) fn sweep(
    endpoints: &mut [(ResultCounts, Ejection)],
    rules: &EjectionRules,
    now: Instant,
    mut draw: impl FnMut() -> f64,
) {
    if let Some(by) = &rules.success_rate {
        let bounds = by.bounds;
        if let Some(rates) = rates(endpoints, bounds) {
            let (mean, deviation) = mean(&rates);
            let least = mean - deviation * f64::from(by.factor) / 1_000.0;
            // The mean of equals may be a little above them.
            let is_outlier = |counts: ResultCounts| counts.success() + ROUNDING < least;
            eject(endpoints, rules, bounds, is_outlier, now, &mut draw);
        }
    }
    if let Some(by) = &rules.failure_percentage {
        let bounds = by.bounds;
        if rates(endpoints, bounds).is_some() {
            let most = by.threshold as usize;
            let is_outlier = |counts: ResultCounts| {
                counts.bad.saturating_mul(100) > counts.all().saturating_mul(most)
            };
            eject(endpoints, rules, bounds, is_outlier, now, &mut draw);
        }
    }
    for (_, ejection) in endpoints {
        if ejection.is_over(rules, now) {
            ejection.since = None;
        } else if !ejection.is_out() {
            ejection.multiplier = ejection.multiplier.saturating_sub(1);
        }
    }
}

/// The success rates of those that had enough calls, where they are enough.
fn rates(endpoints: &[(ResultCounts, Ejection)], bounds: Bounds) -> Option<Vec<f64>> {
    let counts = endpoints.iter().map(|(counts, _)| counts);
    let counts = counts.filter(|counts| bounds.are_met(**counts));
    let rates: Vec<_> = counts.map(|counts| counts.success()).collect();
    (rates.len() >= bounds.hosts.max(1)).then_some(rates)
}

/// And the standard deviation, of these all there are.
#[expect(clippy::cast_precision_loss, reason = "they are few")]
fn mean(rates: &[f64]) -> (f64, f64) {
    let count = rates.len() as f64;
    let mean = rates.iter().sum::<f64>() / count;
    let squares = rates.iter().map(|rate| (rate - mean).powi(2));
    (mean, (squares.sum::<f64>() / count).sqrt())
}

fn eject(
    endpoints: &mut [(ResultCounts, Ejection)],
    rules: &EjectionRules,
    bounds: Bounds,
    is_outlier: impl Fn(ResultCounts) -> bool,
    now: Instant,
    draw: &mut impl FnMut() -> f64,
) {
    let all = endpoints.len();
    let is_out = |(_, ejection): &&(ResultCounts, Ejection)| ejection.is_out();
    let mut out = endpoints.iter().filter(is_out).count();
    for (counts, ejection) in endpoints {
        if out * 100 >= all.saturating_mul(rules.max_percent as usize) {
            return;
        }
        let is_found = bounds.are_met(*counts) && is_outlier(*counts);
        if is_found && !ejection.is_out() && draw() * 100.0 < f64::from(bounds.enforcement) {
            ejection.begin(now);
            out += 1;
        }
    }
}

#[cfg(test)]
mod tests;
