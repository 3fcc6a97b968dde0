//! Reads a service config in gRPC's JSON form (gRFC A2): its fields by name.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::builder::{Name, ServiceConfigBuilder};
use super::content::ServiceConfig;
use super::json::Json;
use super::policies::{first_known, named};
use crate::channel::balance::policy::Balance;
use crate::channel::config::error::{ConfigPath, ServiceConfigError};
use crate::channel::config::method_config::MethodConfig;
use crate::channel::config::retry_policy::{HedgingPolicy, RetryPolicy, RetryThrottling};
use crate::code::Code;

impl ServiceConfig {
    /// Reads a service config from its JSON form. Unknown fields are ignored; an error in a
    /// known field makes the whole config invalid.
    ///
    /// Needs the feature `service-config`.
    ///
    /// ```
    /// use grpc_runtime::ServiceConfig;
    ///
    /// let text = r#"{
    ///     "loadBalancingConfig": [{"round_robin": {}}],
    ///     "healthCheckConfig": {"serviceName": "shop.Orders"},
    ///     "connectionScaling": {"maxConnectionsPerSubchannel": 2},
    ///     "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
    ///     "methodConfig": [{
    ///         "name": [{"service": "shop.Orders", "method": "Get"}],
    ///         "timeout": "1.5s",
    ///         "retryPolicy": {
    ///             "maxAttempts": 3,
    ///             "initialBackoff": "0.1s",
    ///             "maxBackoff": "1s",
    ///             "backoffMultiplier": 2,
    ///             "retryableStatusCodes": ["UNAVAILABLE"]
    ///         }
    ///     }, {
    ///         "name": [{"service": "shop.Search"}],
    ///         "hedgingPolicy": {
    ///             "maxAttempts": 2,
    ///             "hedgingDelay": "0.02s",
    ///             "nonFatalStatusCodes": ["UNAVAILABLE"]
    ///         }
    ///     }, {
    ///         "name": [{}],
    ///         "timeout": "10s"
    ///     }]
    /// }"#;
    /// assert!(ServiceConfig::from_json(text).is_ok());
    ///
    /// let wrong = text.replace(r#""maxAttempts": 3"#, r#""maxAttempts": 1"#);
    /// let error = ServiceConfig::from_json(&wrong).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "the service config is invalid: methodConfig[0].retryPolicy.maxAttempts: \
    ///      it is 1; expected 2 or more"
    /// );
    /// ```
    ///
    /// The config of a method is the one with its name, else that of its service, else that
    /// of `{}`. Of `loadBalancingConfig` the first policy that the program has is used:
    ///
    /// | name | its type | options |
    /// |---|---|---|
    /// | `pick_first` | [`PickFirst`](crate::PickFirst) | `shuffleAddressList` |
    /// | `round_robin` | [`RoundRobin`](crate::RoundRobin) | |
    /// | `weighted_round_robin` | [`WeightedRoundRobin`](crate::WeightedRoundRobin) | `enableOobLoadReport`, `oobReportingPeriod` (10 s), `blackoutPeriod`, `weightExpirationPeriod`, `weightUpdatePeriod`, `errorUtilizationPenalty`, `metricNamesForComputingUtilization` |
    /// | `least_request_experimental` | [`LeastRequest`](crate::LeastRequest) | `choiceCount` |
    /// | `outlier_detection_experimental` | [`OutlierDetection`](crate::OutlierDetection) | as gRFC A50 has them, with `childPolicy` |
    /// | `ring_hash_experimental` | `RingHash`, feature `ring-hash` | `minRingSize`, `maxRingSize` (both 4,096 at most), `requestHashHeader` |
    /// | `random_subsetting_experimental` | `RandomSubsetting`, feature `ring-hash` | `subsetSize`, `childPolicy` |
    ///
    /// # Errors
    /// [`ServiceConfigError`] if the text is not JSON or a field is invalid: the error says
    /// what and where.
    pub fn from_json(json: &str) -> Result<Self, ServiceConfigError> {
        Self::from_json_with(json, &[])
    }

    /// Like [`from_json`](Self::from_json), for configs that may also name these policies;
    /// their options are ignored. They have precedence over the runtime's policies of the
    /// same name.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use grpc_runtime::{Balance, Policy, ServiceConfig};
    ///
    /// struct Nearest;
    ///
    /// impl Balance for Nearest {
    ///     fn name(&self) -> &'static str {
    ///         "nearest"
    ///     }
    ///
    ///     fn policy(&self) -> Box<dyn Policy> {
    ///         // …
    /// #       unimplemented!()
    ///     }
    /// }
    ///
    /// let own: [Arc<dyn Balance>; 1] = [Arc::new(Nearest)];
    /// let text = r#"{"loadBalancingConfig": [{"nearest": {}}]}"#;
    /// assert!(ServiceConfig::from_json_with(text, &own).is_ok());
    /// assert!(ServiceConfig::from_json(text).is_err());
    /// ```
    ///
    /// # Errors
    /// As [`from_json`](Self::from_json).
    pub fn from_json_with(
        json: &str,
        own: &[Arc<dyn Balance>],
    ) -> Result<Self, ServiceConfigError> {
        let value = parse(json.as_bytes())?;
        read(&Json::new(&value, own))?.build()
    }
}

pub(super) fn parse(json: &[u8]) -> Result<Value, ServiceConfigError> {
    serde_json::from_slice(json).map_err(|error| {
        let text = format!("the text is not JSON: {error}");
        ServiceConfigError::new(&ConfigPath::default(), text).with_source(error)
    })
}

pub(super) fn read(root: &Json<'_>) -> Result<ServiceConfigBuilder, ServiceConfigError> {
    let mut config = ServiceConfig::builder();
    if let Some(list) = root.field("loadBalancingConfig")? {
        config.balance = first_known(&list)?;
    }
    if let Some(policy) = root.field("loadBalancingPolicy")? {
        let name = policy.text()?;
        if config.balance.is_none() && !name.is_empty() {
            let none = Value::Object(Map::new());
            let found = named(&name.to_ascii_lowercase(), &Json::new(&none, root.own));
            let unknown = || policy.wrong(format!("'{}' is not known", name.escape_debug()));
            // An error with empty options is an error of the name.
            let found = found.ok_or_else(unknown)?;
            config.balance = Some(found.map_err(|error| policy.wrong(error.to_string()))?);
        }
    }
    if let Some(entries) = root.field("methodConfig")? {
        for entry in entries.items()? {
            config = config.entry(names(&entry)?, method_config(&entry)?);
        }
    }
    if let Some(throttling) = root.field("retryThrottling")? {
        config = config.retry_throttling(RetryThrottling::new(
            throttling.required("maxTokens")?.number()?,
            throttling.required("tokenRatio")?.number()?,
        ));
    }
    if let Some(health) = root.field("healthCheckConfig")?
        && let Some(service) = health.field("serviceName")?
    {
        config = config.health_check_service(service.text()?);
    }
    if let Some(scaling) = root.field("connectionScaling")?
        && let Some(most) = scaling.field("maxConnectionsPerSubchannel")?
    {
        config = config.max_connections_per_subchannel(most.whole()?);
    }
    Ok(config)
}

fn names(entry: &Json<'_>) -> Result<Vec<Name>, ServiceConfigError> {
    let Some(names) = entry.field("name")? else {
        return Ok(Vec::new());
    };
    let text = |name: &Json<'_>, field| {
        let text = name.field(field)?.map(|it| it.text().map(str::to_owned));
        Ok(text.transpose()?.unwrap_or_default())
    };
    let names = names.items()?.into_iter().map(|name| {
        Ok(Name {
            service: text(&name, "service")?,
            method: text(&name, "method")?,
        })
    });
    names.collect()
}

fn method_config(entry: &Json<'_>) -> Result<MethodConfig, ServiceConfigError> {
    let mut config = MethodConfig::new();
    if let Some(wait) = entry.field("waitForReady")? {
        config = config.wait_for_ready(wait.switch()?);
    }
    if let Some(timeout) = entry.field("timeout")? {
        config = config.timeout(timeout.time()?);
    }
    if let Some(bytes) = entry.field("maxRequestMessageBytes")? {
        config = config.max_request_message_size(bytes.whole()?);
    }
    if let Some(bytes) = entry.field("maxResponseMessageBytes")? {
        config = config.max_response_message_size(bytes.whole()?);
    }
    match (entry.field("retryPolicy")?, entry.field("hedgingPolicy")?) {
        (Some(_), Some(hedging)) => Err(hedging.wrong("there is a retryPolicy too")),
        (Some(retry), None) => Ok(config.retry(retry_policy(&retry)?)),
        (None, Some(hedging)) => Ok(config.hedging(hedging_policy(&hedging)?)),
        (None, None) => Ok(config),
    }
}

fn codes(list: &Json<'_>) -> Result<Vec<Code>, ServiceConfigError> {
    list.items()?.iter().map(Json::code).collect()
}

fn retry_policy(policy: &Json<'_>) -> Result<RetryPolicy, ServiceConfigError> {
    let attempts = policy.required("maxAttempts")?.whole()?;
    let initial = policy.required("initialBackoff")?.time()?;
    let max = policy.required("maxBackoff")?.time()?;
    let multiplier = policy.required("backoffMultiplier")?.number()?;
    let codes = codes(&policy.required("retryableStatusCodes")?)?;
    let policy = RetryPolicy::new(codes).max_attempts(attempts);
    Ok(policy.backoff(initial, multiplier, max))
}

fn hedging_policy(policy: &Json<'_>) -> Result<HedgingPolicy, ServiceConfigError> {
    let attempts = policy.required("maxAttempts")?.whole()?;
    let delay = policy.field("hedgingDelay")?.map(|it| it.time());
    let fine = policy.field("nonFatalStatusCodes")?;
    let fine = fine.map(|it| codes(&it)).transpose()?;
    let delay = delay.transpose()?.unwrap_or_default();
    let policy = HedgingPolicy::new(delay).max_attempts(attempts);
    Ok(policy.non_fatal_codes(fine.unwrap_or_default()))
}

#[cfg(test)]
mod tests;
