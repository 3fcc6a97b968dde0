//! The policies that a service config in JSON can name, with their options. A new policy is
//! a line of the table.

use std::sync::Arc;
use std::time::Duration;

use super::content::Named;
use super::json::Json;
use crate::channel::balance::ejections::{FailurePercentageEjection, SuccessRateEjection};
use crate::channel::balance::least_request::LeastRequest;
use crate::channel::balance::outlier_detection::OutlierDetection;
use crate::channel::balance::pick_first::PickFirst;
use crate::channel::balance::policy::Balance;
#[cfg(feature = "ring-hash")]
use crate::channel::balance::random_subsetting::RandomSubsetting;
#[cfg(feature = "ring-hash")]
use crate::channel::balance::ring_hash::RingHash;
use crate::channel::balance::round_robin::RoundRobin;
use crate::channel::balance::weighted_round_robin::WeightedRoundRobin;
use crate::channel::config::error::ServiceConfigError;

type Read = fn(&Json<'_>) -> Result<Arc<dyn Balance>, ServiceConfigError>;

/// By name in `loadBalancingConfig`.
const POLICIES: &[(&str, Read)] = &[
    ("pick_first", pick_first),
    ("round_robin", round_robin),
    ("weighted_round_robin", weighted_round_robin),
    ("least_request_experimental", least_request),
    #[cfg(feature = "ring-hash")]
    ("ring_hash_experimental", ring_hash),
    #[cfg(feature = "ring-hash")]
    ("random_subsetting_experimental", random_subsetting),
    ("outlier_detection_experimental", outlier_detection),
];

/// The limit of gRFC A42 on a configured size, and the largest ring that is built for a
/// config.
#[cfg(feature = "ring-hash")]
const MOST_PLACES: usize = 8 << 20;
#[cfg(feature = "ring-hash")]
const PLACES_MADE: usize = 4_096;

/// The default interval of servers' load reports (A58).
const OOB_PERIOD: Duration = Duration::from_secs(10);

fn pick_first(options: &Json<'_>) -> Result<Arc<dyn Balance>, ServiceConfigError> {
    let shuffles = options.field("shuffleAddressList")?;
    let shuffles = shuffles.map(|it| it.switch()).transpose()?;
    let policy = PickFirst::new();
    Ok(Arc::new(if shuffles == Some(true) {
        policy.shuffled()
    } else {
        policy
    }))
}

fn round_robin(options: &Json<'_>) -> Result<Arc<dyn Balance>, ServiceConfigError> {
    // The policy has no options, but the value must be an object.
    options.field("")?;
    Ok(Arc::new(RoundRobin::new()))
}

fn weighted_round_robin(options: &Json<'_>) -> Result<Arc<dyn Balance>, ServiceConfigError> {
    let mut policy = WeightedRoundRobin::new();
    let is_out_of_band = options.field("enableOobLoadReport")?;
    let is_out_of_band = is_out_of_band.map(|it| it.switch()).transpose()?;
    let period = options.field("oobReportingPeriod")?;
    let period = period.map(|it| it.time()).transpose()?;
    if is_out_of_band == Some(true) {
        policy = policy.oob_reporting_period(period.unwrap_or(OOB_PERIOD));
    }
    if let Some(period) = options.field("blackoutPeriod")? {
        policy = policy.blackout_period(period.time()?);
    }
    if let Some(period) = options.field("weightExpirationPeriod")? {
        policy = policy.weight_expiration_period(period.time()?);
    }
    if let Some(period) = options.field("weightUpdatePeriod")? {
        policy = policy.weight_update_period(period.time()?);
    }
    if let Some(field) = options.field("errorUtilizationPenalty")? {
        let penalty = field.number()?;
        if penalty < 0.0 {
            return Err(field.wrong(format!("it is {penalty}; expected 0 or more")));
        }
        policy = policy.error_utilization_penalty(penalty);
    }
    if let Some(names) = options.field("metricNamesForComputingUtilization")? {
        let names = names.items()?;
        let names: Result<Vec<_>, _> = names.iter().map(Json::text).collect();
        policy = policy.metric_names(names?);
    }
    Ok(Arc::new(policy))
}

fn least_request(options: &Json<'_>) -> Result<Arc<dyn Balance>, ServiceConfigError> {
    let mut policy = LeastRequest::new();
    if let Some(field) = options.field("choiceCount")? {
        let choices: usize = field.whole()?;
        if choices < 2 {
            return Err(field.wrong(format!("it is {choices}; expected 2 or more")));
        }
        policy = policy.choice_count(choices);
    }
    Ok(Arc::new(policy))
}

#[cfg(feature = "ring-hash")]
fn ring_hash(options: &Json<'_>) -> Result<Arc<dyn Balance>, ServiceConfigError> {
    let size = |name, usual| {
        let Some(field) = options.field(name)? else {
            return Ok(usual);
        };
        match field.whole()? {
            0 => Ok(usual),
            places if places > MOST_PLACES => {
                Err(field.wrong(format!("it is {places}; expected {MOST_PLACES} or less")))
            }
            places => Ok(places),
        }
    };
    let (least, most) = (size("minRingSize", 1_024)?, size("maxRingSize", 4_096)?);
    if least > most {
        let text = format!("its minRingSize, {least}, is above its maxRingSize, {most}");
        return Err(options.wrong(text));
    }
    let mut policy = RingHash::new()
        .min_ring_size(least.min(PLACES_MADE))
        .max_ring_size(most.min(PLACES_MADE));
    if let Some(field) = options.field("requestHashHeader")? {
        let name = field.text()?;
        if !name.is_empty() {
            let wrong = |error| field.wrong(format!("it is not a text header: {error}"));
            policy = policy.request_hash_header(name).map_err(wrong)?;
        }
    }
    Ok(Arc::new(policy))
}

#[cfg(feature = "ring-hash")]
fn random_subsetting(options: &Json<'_>) -> Result<Arc<dyn Balance>, ServiceConfigError> {
    let field = options.required("subsetSize")?;
    let size = field.whole()?;
    if size == 0 {
        return Err(field.wrong("it is 0; expected 1 or more"));
    }
    Ok(Arc::new(RandomSubsetting::over(size, child(options)?)))
}

fn outlier_detection(options: &Json<'_>) -> Result<Arc<dyn Balance>, ServiceConfigError> {
    let mut policy = OutlierDetection::over(child(options)?);
    if let Some(interval) = options.field("interval")? {
        policy = policy.interval(interval.time()?);
    }
    if let Some(time) = options.field("baseEjectionTime")? {
        policy = policy.base_ejection_time(time.time()?);
    }
    if let Some(time) = options.field("maxEjectionTime")? {
        policy = policy.max_ejection_time(time.time()?);
    }
    if let Some(percent) = percent(options, "maxEjectionPercent")? {
        policy = policy.max_ejection_percent(percent);
    }
    if let Some(by) = options.field("successRateEjection")? {
        let mut way = SuccessRateEjection::new();
        if let Some(factor) = by.field("stdevFactor")? {
            way = way.stdev_factor(factor.whole()?);
        }
        if let Some(percent) = percent(&by, "enforcementPercentage")? {
            way = way.enforcement_percentage(percent);
        }
        if let Some(hosts) = by.field("minimumHosts")? {
            way = way.minimum_hosts(hosts.whole::<u32>()? as usize);
        }
        if let Some(calls) = by.field("requestVolume")? {
            way = way.request_volume(calls.whole::<u32>()? as usize);
        }
        policy = policy.success_rate(way);
    }
    if let Some(by) = options.field("failurePercentageEjection")? {
        let mut way = FailurePercentageEjection::new();
        if let Some(percent) = percent(&by, "threshold")? {
            way = way.threshold(percent);
        }
        if let Some(percent) = percent(&by, "enforcementPercentage")? {
            way = way.enforcement_percentage(percent);
        }
        if let Some(hosts) = by.field("minimumHosts")? {
            way = way.minimum_hosts(hosts.whole::<u32>()? as usize);
        }
        if let Some(calls) = by.field("requestVolume")? {
            way = way.request_volume(calls.whole::<u32>()? as usize);
        }
        policy = policy.failure_percentage(way);
    }
    Ok(Arc::new(policy))
}

fn percent(options: &Json<'_>, name: &str) -> Result<Option<u32>, ServiceConfigError> {
    let Some(field) = options.field(name)? else {
        return Ok(None);
    };
    match field.whole()? {
        percent @ 0..=100_u32 => Ok(Some(percent)),
        percent => Err(field.wrong(format!("it is {percent}; expected 100 or less"))),
    }
}

/// The policy that another one wraps.
fn child(options: &Json<'_>) -> Result<Arc<dyn Balance>, ServiceConfigError> {
    let list = options.required("childPolicy")?;
    match first_known(&list)? {
        Some(named) => Ok(named.balance),
        None => Err(list.wrong("it is empty; expected a policy")),
    }
}

/// The first policy of a list that the program has; `None` for an empty list. The list is
/// `loadBalancingConfig` or a policy's `childPolicy`.
pub(super) fn first_known(list: &Json<'_>) -> Result<Option<Named>, ServiceConfigError> {
    let mut unknown = Vec::new();
    for entry in list.items()? {
        let (name, options) = entry.only_field()?;
        if let Some(named) = named(name, &options) {
            return named.map(Some);
        }
        unknown.push(format!("'{}'", name.escape_debug()));
    }
    if unknown.is_empty() {
        return Ok(None);
    }
    let text = format!("none of its policies is known: {}", unknown.join(", "));
    Err(list.wrong(text))
}

/// The policy with this name, if the program has it.
pub(super) fn named(name: &str, options: &Json<'_>) -> Option<Result<Named, ServiceConfigError>> {
    if let Some(own) = options.own.iter().find(|it| it.name() == name) {
        // It has no options, so it is the same each time.
        let balance = Arc::clone(own);
        return Some(Ok(Named {
            balance,
            text: None,
        }));
    }
    let (_, read) = POLICIES.iter().find(|(known, _)| *known == name)?;
    Some(read(options).map(|balance| Named {
        balance,
        text: Some(format!("{name} {}", options.value)),
    }))
}

#[cfg(test)]
mod tests;
