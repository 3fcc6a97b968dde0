//! Unit tests of `ejections`.

use super::*;

fn counts(good: usize, bad: usize) -> (ResultCounts, Ejection) {
    (ResultCounts { good, bad }, Ejection::default())
}

/// Rules without a limit on how many are ejected.
fn rules() -> EjectionRules {
    EjectionRules {
        max_percent: 100,
        ..EjectionRules::default()
    }
}

fn by_rate(by: SuccessRateEjection) -> EjectionRules {
    EjectionRules {
        success_rate: Some(by),
        ..rules()
    }
}

fn by_failures(by: FailurePercentageEjection) -> EjectionRules {
    EjectionRules {
        failure_percentage: Some(by),
        ..rules()
    }
}

/// The endpoints that are ejected after an interval.
fn out(
    endpoints: &mut [(ResultCounts, Ejection)],
    rules: &EjectionRules,
    now: Instant,
) -> Vec<usize> {
    sweep(endpoints, rules, now, || 0.5);
    let places = endpoints.iter().enumerate();
    let places = places.filter(|(_, (_, ejection))| ejection.is_out());
    places.map(|(place, _)| place).collect()
}

#[test]
fn success_far_below_the_others_is_an_outlier() {
    let rules = by_rate(SuccessRateEjection::new());
    let now = Instant::now();
    let mut all = vec![counts(100, 0); 4];
    all.push(counts(50, 50));
    // Mean 0.9, deviation 0.2: below 0.52.
    assert_eq!(out(&mut all, &rules, now), [4]);
    let mut near = vec![counts(100, 0); 4];
    near.push(counts(100, 0));
    assert!(out(&mut near, &rules, now).is_empty(), "all are alike");
    let mut lax = vec![counts(100, 0); 4];
    lax.push(counts(50, 50));
    let rules = by_rate(SuccessRateEjection::new().stdev_factor(2_001));
    assert!(out(&mut lax, &rules, now).is_empty(), "just not below");
}

#[test]
fn equals_are_no_outliers_whatever_rounding_does() {
    let rules = by_rate(SuccessRateEjection::new().minimum_hosts(1).stdev_factor(0));
    for good in 0..=100 {
        for hosts in 1..12 {
            let mut all = vec![counts(good, 100 - good); hosts];
            assert!(out(&mut all, &rules, Instant::now()).is_empty());
        }
    }
}

#[test]
fn failures_above_the_threshold_are_an_outlier() {
    let rules = by_failures(FailurePercentageEjection::new());
    let now = Instant::now();
    let mut all = vec![counts(50, 0), counts(50, 0), counts(50, 0)];
    all.extend([counts(15, 85), counts(14, 86)]);
    assert_eq!(out(&mut all, &rules, now), [4], "strictly above");
    let none = by_failures(FailurePercentageEjection::new().threshold(500));
    let mut all = vec![counts(0, 100); 5];
    assert!(out(&mut all, &none, now).is_empty());
    let zero = by_failures(FailurePercentageEjection::new().threshold(0));
    let mut all = vec![counts(99, 1); 5];
    assert_eq!(out(&mut all, &zero, now).len(), 5);
}

#[test]
fn both_ways_are_looked_at() {
    let both = EjectionRules {
        failure_percentage: Some(FailurePercentageEjection::new()),
        ..by_rate(SuccessRateEjection::new())
    };
    let mut all = vec![counts(100, 0); 5];
    // Enough calls for only one of the two algorithms.
    all.push(counts(0, 60));
    all.push(counts(40, 60));
    assert_eq!(out(&mut all, &both, Instant::now()), [5, 6]);
}

#[test]
fn too_few_endpoints_or_calls_tell_nothing() {
    let now = Instant::now();
    let rules = by_failures(FailurePercentageEjection::new());
    let mut few = vec![counts(50, 0), counts(50, 0), counts(50, 0), counts(0, 50)];
    assert!(out(&mut few, &rules, now).is_empty(), "four endpoints");
    few.push(counts(49, 0));
    assert!(
        out(&mut few, &rules, now).is_empty(),
        "four with enough calls"
    );
    few[4] = counts(50, 0);
    few.push(counts(0, 49));
    assert_eq!(
        out(&mut few, &rules, now),
        [3],
        "one of them has too few calls"
    );
    let rules = by_failures(
        FailurePercentageEjection::new()
            .minimum_hosts(0)
            .request_volume(0),
    );
    assert!(out(&mut [counts(0, 0)], &rules, now).is_empty());
    assert_eq!(out(&mut [counts(0, 1)], &rules, now), [0]);
    assert!(out(&mut [], &rules, now).is_empty());
    let rules = by_rate(SuccessRateEjection::new().request_volume(51));
    let mut few = vec![counts(50, 0); 5];
    few.push(counts(0, 50));
    assert!(out(&mut few, &rules, now).is_empty());
}

/// Its calls did not fail: there were none.
#[test]
fn an_endpoint_without_calls_is_no_outlier() {
    let rules = by_rate(SuccessRateEjection::new().request_volume(0));
    let mut all = vec![counts(100, 0); 5];
    all.push(counts(0, 0));
    assert!(out(&mut all, &rules, Instant::now()).is_empty());
    let mut all = vec![counts(0, 0); 6];
    all[0] = counts(100, 0);
    assert!(out(&mut all, &rules, Instant::now()).is_empty());
}

#[test]
fn only_so_many_are_out_and_one_at_least() {
    let now = Instant::now();
    let of = |percent| {
        let mut all = vec![counts(0, 100); 10];
        let rules = EjectionRules {
            max_percent: percent,
            ..by_failures(FailurePercentageEjection::new())
        };
        out(&mut all, &rules, now).len()
    };
    // The limit is checked before each ejection.
    assert_eq!([0, 1, 10, 11, 20, 100].map(of), [0, 1, 1, 2, 2, 10]);
}

#[test]
fn enforcement_is_by_chance() {
    let now = Instant::now();
    let of = |percent, drawn: f64| {
        let by = FailurePercentageEjection::new().enforcement_percentage(percent);
        let mut all = vec![counts(0, 100); 5];
        sweep(&mut all, &by_failures(by), now, || drawn);
        all.iter().any(|(_, ejection)| ejection.is_out())
    };
    assert!(of(50, 0.49) && !of(50, 0.5));
    assert!(!of(0, 0.0) && of(100, 0.999) && of(1_000, 0.999));
}

#[test]
fn each_time_is_longer_and_a_good_while_makes_them_shorter() {
    let rules = by_failures(FailurePercentageEjection::new());
    let begin = Instant::now();
    let at = |seconds| begin + Duration::from_secs(seconds);
    let mut all = vec![counts(100, 0); 5];
    let mut turn = |is_bad: bool, seconds| {
        all[4].0 = if is_bad {
            ResultCounts { good: 0, bad: 100 }
        } else {
            ResultCounts::default()
        };
        !out(&mut all, &rules, at(seconds)).is_empty()
    };
    assert!(turn(true, 0));
    assert!(turn(false, 10) && turn(false, 20));
    assert!(!turn(false, 30), "30 s");
    assert!(turn(true, 40));
    assert!(turn(false, 70) && turn(false, 90));
    assert!(!turn(false, 100), "60 s");
    // Two intervals without an ejection reduce the multiplier by two.
    assert!(!turn(false, 110) && !turn(false, 120));
    assert!(turn(true, 130));
    assert!(turn(false, 150) && !turn(false, 160), "30 s again");
}

#[test]
fn no_time_is_longer_than_the_longest() {
    let of = |base, max: Option<u64>| {
        let rules = EjectionRules {
            base_time: Duration::from_secs(base),
            max_time: max.map(Duration::from_secs),
            ..rules()
        };
        let begin = Instant::now();
        let ejection = Ejection {
            since: Some(begin),
            multiplier: 100,
        };
        let is_over =
            |seconds: &u64| ejection.is_over(&rules, begin + Duration::from_secs(*seconds));
        (0..4_000).find(is_over).unwrap()
    };
    assert_eq!(of(30, None), 300);
    assert_eq!(of(400, None), 400, "the base, where that is longer");
    assert_eq!(of(30, Some(60)), 60);
    assert_eq!(of(30, Some(10)), 30);
    assert_eq!(of(1, None), 100);
}
