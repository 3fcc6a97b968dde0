//! Decides which endpoints are ejected because of their calls' results, and for how long
//! (gRFC A50). Pure: counts, time and random numbers are arguments.

use std::time::{Duration, Instant};

/// The largest rounding error of a mean of shares.
const ROUNDING: f64 = 1e-9;

/// When endpoints are ejected, and for how long.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct EjectionRules {
    pub(super) base_time: Duration,
    /// As set by the user.
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
    /// Whether results need to be counted.
    pub(super) fn are_on(&self) -> bool {
        self.success_rate.is_some() || self.failure_percentage.is_some()
    }

    fn longest(&self) -> Duration {
        const LONGEST: Duration = Duration::from_secs(300);
        self.max_time.unwrap_or(LONGEST).max(self.base_time)
    }
}

/// The settings that both algorithms share.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bounds {
    enforcement: u32,
    hosts: usize,
    volume: usize,
}

impl Bounds {
    /// Whether the endpoint had enough calls: at least one, even if 0 are required.
    fn are_met(self, counts: ResultCounts) -> bool {
        counts.all() >= self.volume.max(1)
    }
}

/// Ejects endpoints whose success rate is far below that of the others (gRFC A50): below
/// the mean by more than a number of standard deviations.
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
    /// The default settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// How far below the mean an endpoint's success rate may be, in thousandths of the
    /// standard deviation. 1,900 unless set.
    #[must_use]
    pub fn stdev_factor(mut self, thousandths: u32) -> Self {
        self.factor = thousandths;
        self
    }

    /// The chance that an outlier is ejected, in percent. 100 unless set; higher values are
    /// lowered to 100.
    #[must_use]
    pub fn enforcement_percentage(mut self, percent: u32) -> Self {
        self.bounds.enforcement = percent.min(100);
        self
    }

    /// The least number of endpoints with enough calls; with fewer, none is ejected. 5
    /// unless set.
    #[must_use]
    pub fn minimum_hosts(mut self, hosts: usize) -> Self {
        self.bounds.hosts = hosts;
        self
    }

    /// The least number of calls of an endpoint in an interval. 100 unless set.
    #[must_use]
    pub fn request_volume(mut self, calls: usize) -> Self {
        self.bounds.volume = calls;
        self
    }
}

/// Ejects endpoints of whose calls more than a given percentage fails (gRFC A50).
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
    /// The default settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// The highest percentage of an endpoint's calls that may fail. 85 unless set; higher
    /// values than 100 are lowered to 100, with which no endpoint is ejected.
    #[must_use]
    pub fn threshold(mut self, percent: u32) -> Self {
        self.threshold = percent.min(100);
        self
    }

    /// The chance that an outlier is ejected, in percent. 100 unless set; higher values are
    /// lowered to 100.
    #[must_use]
    pub fn enforcement_percentage(mut self, percent: u32) -> Self {
        self.bounds.enforcement = percent.min(100);
        self
    }

    /// The least number of endpoints with enough calls; with fewer, none is ejected. 5
    /// unless set.
    #[must_use]
    pub fn minimum_hosts(mut self, hosts: usize) -> Self {
        self.bounds.hosts = hosts;
        self
    }

    /// The least number of calls of an endpoint in an interval. 50 unless set.
    #[must_use]
    pub fn request_volume(mut self, calls: usize) -> Self {
        self.bounds.volume = calls;
        self
    }
}

/// The results of calls in an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ResultCounts {
    pub(super) good: usize,
    pub(super) bad: usize,
}

impl ResultCounts {
    fn all(self) -> usize {
        self.good.saturating_add(self.bad)
    }

    /// The success rate, from 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    fn success(self) -> f64 {
        self.good as f64 / self.all().max(1) as f64
    }
}

/// Whether and since when an endpoint is ejected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ejection {
    since: Option<Instant>,
    /// The factor of its ejection time: grows with each ejection and shrinks with each
    /// interval without one.
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

/// Ejects and readmits endpoints at the end of an interval, by the results of their calls
/// in it. `draw` returns random numbers of at least 0 and less than 1.
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
            // Rounding can put the mean of equal rates slightly above them.
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

/// The success rates of the endpoints with enough calls; `None` if these are too few.
fn rates(endpoints: &[(ResultCounts, Ejection)], bounds: Bounds) -> Option<Vec<f64>> {
    let counts = endpoints.iter().map(|(counts, _)| counts);
    let counts = counts.filter(|counts| bounds.are_met(**counts));
    let rates: Vec<_> = counts.map(|counts| counts.success()).collect();
    (rates.len() >= bounds.hosts.max(1)).then_some(rates)
}

/// The mean and the standard deviation of all of `rates`.
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
