//! Tests of `policies.rs`: each field and its errors.

use serde_json::{Value, json};

use super::*;

/// The policy with this name and these options, as its debug text.
fn read(name: &str, options: &Value) -> Result<String, String> {
    let (_, read) = POLICIES.iter().find(|(known, _)| *known == name).unwrap();
    let found = read(&Json::new(options, &[]));
    let found = found.map_err(|error| error.to_string())?;
    assert_eq!(found.name(), name);
    let any = &*found as &dyn std::any::Any;
    let texts = [
        any.downcast_ref::<LeastRequest>()
            .map(|it| format!("{it:?}")),
        any.downcast_ref::<WeightedRoundRobin>()
            .map(|it| format!("{it:?}")),
        any.downcast_ref::<OutlierDetection>()
            .map(|it| format!("{it:?}")),
        #[cfg(feature = "ring-hash")]
        any.downcast_ref::<RingHash>().map(|it| format!("{it:?}")),
        #[cfg(feature = "ring-hash")]
        any.downcast_ref::<RandomSubsetting>()
            .map(|it| format!("{it:?}")),
    ];
    Ok(texts.into_iter().flatten().next().unwrap())
}

#[track_caller]
fn is(name: &str, options: &Value, expected: &impl std::fmt::Debug) {
    assert_eq!(read(name, options), Ok(format!("{expected:?}")));
}

/// Asserts the path and the text of the error.
#[track_caller]
fn wrong(name: &str, options: &Value, path: &str, text: &str) {
    let error = read(name, options).unwrap_err();
    assert!(error.contains(&format!(" {path}: ")), "{error}");
    assert!(error.contains(text), "{error}");
}

#[test]
fn least_request() {
    let name = "least_request_experimental";
    is(name, &json!({}), &LeastRequest::new());
    is(
        name,
        &json!({"choiceCount": 7, "other": 1}),
        &LeastRequest::new().choice_count(7),
    );
    is(
        name,
        &json!({"choiceCount": 11}),
        &LeastRequest::new().choice_count(10),
    );
    for choices in [0, 1] {
        wrong(
            name,
            &json!({"choiceCount": choices}),
            "choiceCount",
            "2 or more",
        );
    }
    wrong(
        name,
        &json!({"choiceCount": "x"}),
        "choiceCount",
        "whole number",
    );
    wrong(
        name,
        &json!({"choiceCount": 2.5}),
        "choiceCount",
        "whole number",
    );
}

#[test]
fn weighted_round_robin() {
    let name = "weighted_round_robin";
    is(name, &json!({}), &WeightedRoundRobin::new());
    let all = json!({
        "enableOobLoadReport": true,
        "oobReportingPeriod": "3s",
        "blackoutPeriod": "1.5s",
        "weightExpirationPeriod": "20s",
        "weightUpdatePeriod": "0.01s",
        "errorUtilizationPenalty": 2.5,
        "metricNamesForComputingUtilization": ["named_metrics.a"],
    });
    let seconds = std::time::Duration::from_secs_f64;
    let policy = WeightedRoundRobin::new()
        .oob_reporting_period(seconds(3.0))
        .blackout_period(seconds(1.5))
        .weight_expiration_period(seconds(20.0))
        .weight_update_period(seconds(0.1))
        .error_utilization_penalty(2.5)
        .metric_names(["named_metrics.a"]);
    is(name, &all, &policy);
    let off = json!({"enableOobLoadReport": false, "oobReportingPeriod": "3s"});
    is(name, &off, &WeightedRoundRobin::new());
    let usual = WeightedRoundRobin::new().oob_reporting_period(seconds(10.0));
    is(name, &json!({"enableOobLoadReport": true}), &usual);
    for field in [
        "oobReportingPeriod",
        "blackoutPeriod",
        "weightExpirationPeriod",
        "weightUpdatePeriod",
    ] {
        wrong(name, &json!({field: "-1s"}), field, "a time");
        wrong(name, &json!({field: 1}), field, "a time");
    }
    let field = "errorUtilizationPenalty";
    wrong(name, &json!({field: -0.1}), field, "0 or more");
    wrong(
        name,
        &json!({"enableOobLoadReport": 1}),
        "enableOobLoadReport",
        "true or false",
    );
    let field = "metricNamesForComputingUtilization";
    wrong(name, &json!({field: "a"}), field, "a list");
    wrong(
        name,
        &json!({field: ["a", 1]}),
        &format!("{field}[1]"),
        "a text",
    );
}

#[cfg(feature = "ring-hash")]
#[test]
fn ring_hash() {
    let name = "ring_hash_experimental";
    is(name, &json!({}), &RingHash::new());
    is(
        name,
        &json!({"minRingSize": 0, "maxRingSize": 0}),
        &RingHash::new(),
    );
    let all = json!({"minRingSize": "100", "maxRingSize": 200, "requestHashHeader": "x-user"});
    let policy = RingHash::new().min_ring_size(100).max_ring_size(200);
    is(name, &all, &policy.request_hash_header("x-user").unwrap());
    // The limit of this implementation.
    let large = json!({"minRingSize": 5_000, "maxRingSize": MOST_PLACES});
    is(name, &large, &RingHash::new().min_ring_size(4_096));
    for field in ["minRingSize", "maxRingSize"] {
        wrong(
            name,
            &json!({field: MOST_PLACES + 1}),
            field,
            "8388608 or less",
        );
        wrong(name, &json!({field: -1}), field, "whole number");
    }
    let error = read(name, &json!({"minRingSize": 3, "maxRingSize": 2})).unwrap_err();
    assert!(error.contains("above its maxRingSize"), "{error}");
    assert!(read(name, &json!({"minRingSize": 4_097})).is_err());
    for header in ["x-user-bin", "a b"] {
        wrong(
            name,
            &json!({"requestHashHeader": header}),
            "requestHashHeader",
            "header",
        );
    }
}

#[cfg(feature = "ring-hash")]
#[test]
fn random_subsetting() {
    let name = "random_subsetting_experimental";
    let of = |size: Value, child: Value| json!({"subsetSize": size, "childPolicy": child});
    let child = json!([{"nobody": {}}, {"round_robin": {}}]);
    let policy = RandomSubsetting::new(3, RoundRobin::new());
    is(name, &of(json!(3), child.clone()), &policy);
    wrong(
        name,
        &of(json!(0), child.clone()),
        "subsetSize",
        "1 or more",
    );
    wrong(
        name,
        &json!({"childPolicy": child}),
        "subsetSize",
        "missing",
    );
    wrong(name, &json!({"subsetSize": 3}), "childPolicy", "missing");
    wrong(name, &of(json!(3), json!([])), "childPolicy", "empty");
    wrong(
        name,
        &of(json!(3), json!([{"nobody": {}}])),
        "childPolicy",
        "'nobody'",
    );
    let inner = json!([{"least_request_experimental": {"choiceCount": 1}}]);
    let path = "childPolicy[0].least_request_experimental.choiceCount";
    wrong(name, &of(json!(3), inner), path, "2 or more");
}

#[test]
fn outlier_detection() {
    let name = "outlier_detection_experimental";
    let child = json!([{"round_robin": {}}]);
    let plain = || OutlierDetection::new(RoundRobin::new());
    is(name, &json!({"childPolicy": child}), &plain());
    let none = json!({
        "successRateEjection": {},
        "failurePercentageEjection": {},
        "childPolicy": child,
    });
    let usual = plain()
        .success_rate(SuccessRateEjection::new())
        .failure_percentage(FailurePercentageEjection::new());
    is(name, &none, &usual);
    let all = json!({
        "interval": "1s",
        "baseEjectionTime": "2s",
        "maxEjectionTime": "3s",
        "maxEjectionPercent": 4,
        "successRateEjection": {
            "stdevFactor": 5,
            "enforcementPercentage": 6,
            "minimumHosts": 7,
            "requestVolume": 8,
        },
        "failurePercentageEjection": {
            "threshold": 9,
            "enforcementPercentage": 10,
            "minimumHosts": 11,
            "requestVolume": 12,
        },
        "childPolicy": child,
    });
    let seconds = std::time::Duration::from_secs;
    let policy = plain()
        .interval(seconds(1))
        .base_ejection_time(seconds(2))
        .max_ejection_time(seconds(3))
        .max_ejection_percent(4)
        .success_rate(
            SuccessRateEjection::new()
                .stdev_factor(5)
                .enforcement_percentage(6)
                .minimum_hosts(7)
                .request_volume(8),
        )
        .failure_percentage(
            FailurePercentageEjection::new()
                .threshold(9)
                .enforcement_percentage(10)
                .minimum_hosts(11)
                .request_volume(12),
        );
    is(name, &all, &policy);

    let with = |field: &str, value: Value| json!({"childPolicy": child, field: value});
    for field in ["interval", "baseEjectionTime", "maxEjectionTime"] {
        wrong(name, &with(field, json!("-1s")), field, "a time");
    }
    let field = "maxEjectionPercent";
    wrong(name, &with(field, json!(101)), field, "100 or less");
    for (way, fields) in [
        ("successRateEjection", &["enforcementPercentage"][..]),
        (
            "failurePercentageEjection",
            &["threshold", "enforcementPercentage"],
        ),
    ] {
        for field in fields {
            let path = format!("{way}.{field}");
            wrong(name, &with(way, json!({*field: 101})), &path, "100 or less");
        }
        for field in ["minimumHosts", "requestVolume"] {
            let path = format!("{way}.{field}");
            wrong(name, &with(way, json!({field: -1})), &path, "whole number");
        }
        wrong(name, &with(way, json!(1)), way, "an object");
    }
    wrong(name, &json!({}), "childPolicy", "missing");
}
