//! Tests of `text.rs` and `json.rs`.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::channel::config::method_config::RepeatPolicy;
use crate::method::Method;

fn error(json: &str) -> String {
    let error = ServiceConfig::from_json(json).expect_err(json);
    let text = error.to_string();
    let text = text.strip_prefix("the service config is invalid: ");
    text.expect("every error says so").to_owned()
}

fn good(json: &str) -> ServiceConfig {
    ServiceConfig::from_json(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

fn method(fields: &str) -> String {
    format!(r#"{{"methodConfig":[{{"name":[{{}}],{fields}}}]}}"#)
}

fn of(config: &ServiceConfig, path: &'static str) -> Option<MethodConfig> {
    config.of(&Method::unary(path)).cloned()
}

fn all(config: &ServiceConfig) -> MethodConfig {
    of(config, "/any.Service/Method").unwrap()
}

fn policy(config: &ServiceConfig) -> Option<String> {
    let named = config.named()?;
    Some(
        named
            .text
            .clone()
            .unwrap_or(named.balance.name().to_owned()),
    )
}

#[test]
fn every_field_is_read() {
    let config = good(
        r#"{
            "loadBalancingConfig": [{"unheard_of": {"a": 1}}, {"round_robin": {}}],
            "methodConfig": [{
                "name": [{"service": "a.B", "method": "C"}, {"service": "a.B"}],
                "waitForReady": true,
                "timeout": "1.000000001s",
                "maxRequestMessageBytes": 5,
                "maxResponseMessageBytes": "6",
                "retryPolicy": {
                    "maxAttempts": 3.0,
                    "initialBackoff": "0.25s",
                    "maxBackoff": "4s",
                    "backoffMultiplier": 1.5,
                    "retryableStatusCodes": [14, "aborted", "DATA_LOSS"]
                }
            }, {
                "name": [{"service": "a.Hedged"}],
                "hedgingPolicy": {
                    "maxAttempts": 4,
                    "hedgingDelay": "0.5s",
                    "nonFatalStatusCodes": ["UNAVAILABLE"]
                }
            }],
            "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
            "healthCheckConfig": {"serviceName": "shop"},
            "connectionScaling": {"maxConnectionsPerSubchannel": 12}
        }"#,
    );
    assert_eq!(policy(&config).unwrap(), "round_robin {}");
    let codes = [Code::Unavailable, Code::Aborted, Code::DataLoss];
    let retry = RetryPolicy::new(codes).max_attempts(3).backoff(
        Duration::from_millis(250),
        1.5,
        Duration::from_secs(4),
    );
    let expected = MethodConfig::new()
        .wait_for_ready(true)
        .timeout(Duration::new(1, 1))
        .max_request_message_size(5)
        .max_response_message_size(6)
        .retry(retry);
    assert_eq!(of(&config, "/a.B/C"), Some(expected));
    let hedging = HedgingPolicy::new(Duration::from_millis(500))
        .max_attempts(4)
        .non_fatal_codes([Code::Unavailable]);
    let expected = MethodConfig::new().hedging(hedging);
    assert_eq!(of(&config, "/a.Hedged/Any"), Some(expected));
    assert_eq!(of(&config, "/a.Other/Any"), None);
    let throttling = Some(RetryThrottling::new(10.0, 0.1));
    assert_eq!(config.retry_throttling(), throttling);
    assert_eq!(config.health_check_service(), Some("shop"));
    assert_eq!(config.max_connections_per_subchannel(), 10);
}

#[test]
fn what_is_left_out_null_or_unknown_says_nothing() {
    for json in [
        "{}",
        r#"{"unknown": [1], "methodConfig": null, "loadBalancingConfig": []}"#,
        r#"{"methodConfig": [], "loadBalancingPolicy": "", "healthCheckConfig": {}}"#,
        r#"{"methodConfig": [{"timeout": "1s"}], "connectionScaling": {}}"#,
    ] {
        let config = good(json);
        assert_eq!(policy(&config), None);
        assert_eq!(of(&config, "/a.B/C"), None);
        assert_eq!(config.retry_throttling(), None);
        assert_eq!(config.health_check_service(), None);
        assert_eq!(config.max_connections_per_subchannel(), 1);
    }
    let fields = r#""timeout": null, "retryPolicy": null, "new": {"x": []}"#;
    assert_eq!(all(&good(&method(fields))), MethodConfig::new());
}

#[test]
fn a_method_has_its_own_entry_else_its_services_else_that_for_all() {
    let config = good(
        r#"{"methodConfig": [
            {"name": [{}], "timeout": "1s"},
            {"name": [{"service": "a.B"}], "timeout": "2s"},
            {"name": [{"service": "a.B", "method": "C"}], "waitForReady": false}
        ]}"#,
    );
    let seconds = |path| of(&config, path).unwrap().timeout.map(|it| it.as_secs());
    assert_eq!(seconds("/a.B/C"), None);
    assert_eq!(seconds("/a.B/D"), Some(2));
    assert_eq!(seconds("/a.BB/C"), Some(1));
}

#[test]
fn the_first_policy_counts_that_is_known() {
    for (json, expected) in [
        (
            r#"{"loadBalancingConfig": [{"pick_first": {"shuffleAddressList": true}}]}"#,
            r#"pick_first {"shuffleAddressList":true}"#,
        ),
        (
            r#"{"loadBalancingConfig": [{"xds": 1}, {"pick_first": {}}, {"round_robin": 1}]}"#,
            "pick_first {}",
        ),
        (
            r#"{"loadBalancingPolicy": "ROUND_ROBIN"}"#,
            "round_robin {}",
        ),
        (
            r#"{"loadBalancingPolicy": "new", "loadBalancingConfig": [{"round_robin": {}}]}"#,
            "round_robin {}",
        ),
    ] {
        assert_eq!(policy(&good(json)).unwrap(), expected, "{json}");
    }
}

#[test]
fn own_policies_go_first() {
    let own: [Arc<dyn Balance>; 1] = [Arc::new(Own)];
    let json = r#"{"loadBalancingConfig": [{"own": {"any": 1}}, {"round_robin": {}}]}"#;
    let config = ServiceConfig::from_json_with(json, &own).unwrap();
    assert!(Arc::ptr_eq(&config.named().unwrap().balance, &own[0]));
    assert_eq!(policy(&good(json)).unwrap(), "round_robin {}");
}

struct Own;

impl Balance for Own {
    fn name(&self) -> &'static str {
        "own"
    }

    fn policy(&self) -> Box<dyn crate::channel::balance::policy::Policy> {
        unreachable!("nobody uses it")
    }
}

#[test]
fn errors_say_what_and_where() {
    let retry = |changed: &str, to: &str| {
        let policy = r#""retryPolicy":{"maxAttempts":3,"initialBackoff":"1s",
            "maxBackoff":"2s","backoffMultiplier":2,"retryableStatusCodes":[14]}"#;
        assert!(policy.contains(changed));
        method(&policy.replace(changed, to))
    };
    let time = "expected a time as \"1.5s\", with 9 decimal places at most";
    let whole = "expected a whole number, 0 or more";
    let at = |field: &str| format!("methodConfig[0].retryPolicy.{field}");
    for (json, expected) in [
        ("[]".to_owned(), "it is []; expected an object".to_owned()),
        (
            r#"{"loadBalancingConfig": {}}"#.into(),
            "loadBalancingConfig: it is {}; expected a list".into(),
        ),
        (
            r#"{"loadBalancingConfig": [{"a": {}, "b": {}}]}"#.into(),
            r#"loadBalancingConfig[0]: it is {"a":{},"b":{}}; expected an object with one field"#
                .into(),
        ),
        (
            r#"{"loadBalancingConfig": [{"a": {}}, {"b": {}}]}"#.into(),
            "loadBalancingConfig: none of its policies is known: 'a', 'b'".into(),
        ),
        (
            r#"{"loadBalancingConfig": [{"pick_first": {"shuffleAddressList": 1}}, {"round_robin": {}}]}"#.into(),
            "loadBalancingConfig[0].pick_first.shuffleAddressList: it is 1; expected true or false".into(),
        ),
        (
            r#"{"loadBalancingConfig": [{"round_robin": []}]}"#.into(),
            "loadBalancingConfig[0].round_robin: it is []; expected an object".into(),
        ),
        (
            r#"{"loadBalancingPolicy": "fastest"}"#.into(),
            "loadBalancingPolicy: 'fastest' is not known".into(),
        ),
        (
            r#"{"loadBalancingPolicy": 1}"#.into(),
            "loadBalancingPolicy: it is 1; expected a text".into(),
        ),
        (
            r#"{"methodConfig": [{}, 1]}"#.into(),
            "methodConfig[1]: it is 1; expected an object".into(),
        ),
        (
            r#"{"methodConfig": [{"name": [{"service": 1}]}]}"#.into(),
            "methodConfig[0].name[0].service: it is 1; expected a text".into(),
        ),
        (
            r#"{"methodConfig": [{"name": [{"method": "M"}]}]}"#.into(),
            "methodConfig[0].name[0]: the method 'M' has no service".into(),
        ),
        (
            r#"{"methodConfig": [{"name": [{}]}, {"name": [{"service": "a"}, {"service": ""}]}]}"#.into(),
            "methodConfig[1].name[1]: another entry is for all methods too".into(),
        ),
        (
            r#"{"methodConfig": [{"name": [{"service": "a"}, {"service": "a"}]}]}"#.into(),
            "methodConfig[0].name[1]: another entry is for 'a' too".into(),
        ),
        (
            r#"{"methodConfig": [{"name": [{"service": "a", "method": "b"}]},
                {"name": [{"service": "a", "method": "b"}]}]}"#.into(),
            "methodConfig[1].name[0]: another entry is for 'a/b' too".into(),
        ),
        (
            method(r#""waitForReady": "yes""#),
            r#"methodConfig[0].waitForReady: it is "yes"; expected true or false"#.into(),
        ),
        (
            method(r#""maxRequestMessageBytes": -1"#),
            format!("methodConfig[0].maxRequestMessageBytes: it is -1; {whole}"),
        ),
        (
            method(r#""maxResponseMessageBytes": 1.5"#),
            format!("methodConfig[0].maxResponseMessageBytes: it is 1.5; {whole}"),
        ),
        (
            method(r#""hedgingPolicy": {"maxAttempts": 1}"#),
            "methodConfig[0].hedgingPolicy.maxAttempts: it is 1; expected 2 or more".into(),
        ),
        (
            method(r#""hedgingPolicy": {"maxAttempts": 2, "hedgingDelay": 1}"#),
            format!("methodConfig[0].hedgingPolicy.hedgingDelay: it is 1; {time}"),
        ),
        (
            method(r#""hedgingPolicy": {}, "retryPolicy": {}"#),
            "methodConfig[0].hedgingPolicy: there is a retryPolicy too".into(),
        ),
        (
            retry(r#""maxAttempts":3"#, r#""maxAttempts":1"#),
            at("maxAttempts: it is 1; expected 2 or more"),
        ),
        (retry(r#""maxAttempts":3,"#, ""), at("maxAttempts: it is missing")),
        (
            retry(r#""maxAttempts":3"#, r#""maxAttempts":4294967296"#),
            at(&format!("maxAttempts: it is 4294967296; {whole}")),
        ),
        (
            retry("1s", "0s"),
            at("initialBackoff: it is 0; expected a time above 0"),
        ),
        (
            retry("2s", "-1s"),
            at(&format!("maxBackoff: it is \"-1s\"; {time}")),
        ),
        (
            retry(":2,", ":0,"),
            at("backoffMultiplier: it is 0; expected a number above 0"),
        ),
        (
            retry(":2,", ":\"2\","),
            at("backoffMultiplier: it is \"2\"; expected a number"),
        ),
        (
            retry("[14]", "[]"),
            at("retryableStatusCodes: it is empty; expected one code at least"),
        ),
        (
            retry("[14]", "[14, 17]"),
            at("retryableStatusCodes[1]: it is 17; expected a status code, as \"UNAVAILABLE\" or 14"),
        ),
        (
            retry("[14]", "[\"BUSY\"]"),
            at("retryableStatusCodes[0]: it is \"BUSY\"; expected a status code, as \"UNAVAILABLE\" or 14"),
        ),
        (
            r#"{"retryThrottling": {"maxTokens": 1001, "tokenRatio": 1}}"#.into(),
            "retryThrottling.maxTokens: it is 1001; expected a number above 0, 1000 at most".into(),
        ),
        (
            r#"{"retryThrottling": {"maxTokens": 1, "tokenRatio": 0.0009}}"#.into(),
            "retryThrottling.tokenRatio: it is 0.0009; expected 0.001 or more".into(),
        ),
        (
            r#"{"retryThrottling": {"maxTokens": 1}}"#.into(),
            "retryThrottling.tokenRatio: it is missing".into(),
        ),
        (
            r#"{"healthCheckConfig": {"serviceName": {}}}"#.into(),
            "healthCheckConfig.serviceName: it is {}; expected a text".into(),
        ),
        (
            r#"{"connectionScaling": {"maxConnectionsPerSubchannel": 0}}"#.into(),
            "connectionScaling.maxConnectionsPerSubchannel: it is 0; expected 1 or more".into(),
        ),
    ] {
        assert_eq!(error(&json), expected, "{json}");
    }
}

#[test]
fn the_path_and_the_cause_can_be_asked_for() {
    let bad = ServiceConfig::from_json(&method(r#""timeout": 1"#)).unwrap_err();
    assert_eq!(bad.path(), "methodConfig[0].timeout");
    let bad = ServiceConfig::from_json("{").unwrap_err();
    assert_eq!(bad.path(), "");
    assert!(std::error::Error::source(&bad).is_some());
    assert!(
        bad.to_string().contains("the text is not JSON: EOF"),
        "{bad}"
    );
    let long = format!("[{}]", "1,".repeat(200) + "1");
    assert!(error(&long).len() < 300);
}

#[test]
fn times_are_protobufs() {
    for (text, expected) in [
        ("1.5s", Some(Duration::from_millis(1_500))),
        ("0s", Some(Duration::ZERO)),
        ("0.000000001s", Some(Duration::from_nanos(1))),
        ("2.100s", Some(Duration::from_millis(2_100))),
        ("315576000000s", Some(Duration::from_secs(315_576_000_000))),
        ("315576000001s", None),
        ("99999999999999999999s", None),
        ("1.0000000001s", None),
        ("1", None),
        ("s", None),
        ("", None),
        (".5s", None),
        ("1.s", None),
        ("1.-5s", None),
        ("+1s", None),
        ("1 s", None),
        ("1ms", None),
        ("1e3s", None),
    ] {
        let read = ServiceConfig::from_json(&method(&format!(r#""timeout": "{text}""#)));
        let read = read.ok().and_then(|config| all(&config).timeout);
        assert_eq!(read, expected, "{text}");
    }
}

#[test]
fn codes_are_numbers_or_names_in_any_case() {
    for code in (0..=16).map(Code::from_i32) {
        let (number, name) = (code.as_i32(), code.name());
        let lower = name.to_lowercase();
        for text in [
            number.to_string(),
            format!("\"{name}\""),
            format!("\"{lower}\""),
        ] {
            let fields = format!(
                r#""hedgingPolicy": {{"maxAttempts": 2, "nonFatalStatusCodes": [{text}]}}"#
            );
            let policy = HedgingPolicy::new(Duration::ZERO).non_fatal_codes([code]);
            let expected = RepeatPolicy::Hedging(policy);
            let read = all(&good(&method(&fields))).repeats;
            assert_eq!(read.as_deref(), Some(&expected), "{text}");
        }
    }
}

/// Any JSON, in which the config's field names occur.
fn json() -> impl Strategy<Value = Value> {
    let names = "loadBalancingConfig|loadBalancingPolicy|methodConfig|name|service|method|\
                 timeout|waitForReady|maxRequestMessageBytes|maxResponseMessageBytes|\
                 retryPolicy|hedgingPolicy|maxAttempts|initialBackoff|maxBackoff|\
                 backoffMultiplier|retryableStatusCodes|hedgingDelay|nonFatalStatusCodes|\
                 retryThrottling|maxTokens|tokenRatio|healthCheckConfig|serviceName|\
                 connectionScaling|maxConnectionsPerSubchannel|pick_first|round_robin|\
                 shuffleAddressList|[a-z]{0,3}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[0-9]{0,22}[.]?[0-9]{0,12}s?".prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        names.prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((names, inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_makes_it_panic(value in json()) {
        for value in [value.clone(), serde_json::json!({"methodConfig": [value]})] {
            if let Err(error) = ServiceConfig::from_json(&value.to_string()) {
                prop_assert!(error.to_string().len() < 2_000);
            }
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,64}") {
        let _ = ServiceConfig::from_json(&text);
    }
}

/// Nested more deeply than a stack allows.
#[test]
fn what_is_nested_too_deeply_is_told() {
    let json = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(error(&json).contains("recursion limit"));
}
