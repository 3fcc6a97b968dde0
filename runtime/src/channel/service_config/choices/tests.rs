//! Tests of `choices.rs`.

use std::time::Duration;

use super::*;
use crate::method::Method;

const HOST: &str = "pod-7";

fn choices() -> Choices {
    Choices::new(Some(HOST.to_owned()), Arc::default())
}

/// A record with this list of choices.
fn record(list: &str) -> Vec<u8> {
    format!("grpc_config={list}").into_bytes()
}

/// A choice that is identified by its timeout.
fn choice(criteria: &str, seconds: u64) -> String {
    let config = format!(r#"{{"methodConfig":[{{"name":[{{}}],"timeout":"{seconds}s"}}]}}"#);
    let comma = if criteria.is_empty() { "" } else { "," };
    format!(r#"{{{criteria}{comma}"serviceConfig":{config}}}"#)
}

/// The timeout of the chosen config.
fn told(config: Option<&ServiceConfig>) -> Option<u64> {
    let method = Method::unary("/shop.Orders/Get");
    let timeout = config?.of(&method)?.timeout?;
    Some(timeout.as_secs())
}

fn chosen(list: &str) -> Option<u64> {
    let config = choices().choose(&[record(list)]).unwrap();
    told(config.as_ref())
}

fn wrong(list: &str) -> String {
    let error = choices().choose(&[record(list)]).unwrap_err();
    error.to_string()
}

/// The first matching choice, if `drawn` are the numbers of the places.
fn drawn(list: &str, drawn: &[f64]) -> Option<u64> {
    let value = text::parse(list.as_bytes()).unwrap();
    let found = first_match(&Json::new(&value, &[]), None, |place| drawn[place]);
    let config = text::read(&found.unwrap()?).unwrap().build().unwrap();
    told(Some(&config))
}

#[test]
fn a_choice_without_criteria_is_for_all() {
    assert_eq!(chosen(&format!("[{}]", choice("", 1))), Some(1));
    for empty in [
        r#""clientLanguage":[]"#,
        r#""clientHostname":[]"#,
        r#""percentage":null,"clientLanguage":null"#,
    ] {
        assert_eq!(chosen(&format!("[{}]", choice(empty, 1))), Some(1));
    }
}

#[test]
fn a_language_is_rust_in_any_case() {
    for (language, is_ours) in [
        (r#"["rust"]"#, true),
        (r#"["go","RUST"]"#, true),
        (r#"["Rust","java"]"#, true),
        (r#"["go","java","c++"]"#, false),
        (r#"["rust "]"#, false),
        (r#"[""]"#, false),
    ] {
        let criteria = format!(r#""clientLanguage":{language}"#);
        let list = format!("[{}]", choice(&criteria, 1));
        assert_eq!(chosen(&list).is_some(), is_ours, "{language}");
    }
}

#[test]
fn a_host_name_is_the_systems_to_the_letter() {
    for (names, is_ours) in [
        (r#"["pod-7"]"#, true),
        (r#"["pod-6","pod-7"]"#, true),
        (r#"["POD-7"]"#, false),
        (r#"["pod"]"#, false),
        (r#"["pod-7.test"]"#, false),
    ] {
        let criteria = format!(r#""clientHostname":{names}"#);
        let list = format!("[{}]", choice(&criteria, 1));
        assert_eq!(chosen(&list).is_some(), is_ours, "{names}");
        let config = Choices::new(None, Arc::default()).choose(&[record(&list)]);
        assert!(config.unwrap().is_none(), "a system without a name");
    }
}

#[test]
fn a_percentage_of_0_is_nobody_and_of_100_is_everybody() {
    let of = |percentage| choice(&format!(r#""percentage":{percentage}"#), 1);
    for _ in 0..1_000 {
        assert_eq!(chosen(&format!("[{}]", of(0))), None);
        assert_eq!(chosen(&format!("[{}]", of(100))), Some(1));
    }
    for (number, percentage, is_ours) in [
        (0.0, 0, false),
        (0.0, 1, true),
        (0.099, 10, true),
        (0.1, 10, false),
        (0.999_999, 99, false),
        (0.999_999, 100, true),
    ] {
        let list = format!("[{}]", of(percentage));
        assert_eq!(drawn(&list, &[number]).is_some(), is_ours, "{number}");
    }
}

#[test]
fn each_choice_has_a_percentage_of_those_that_come_to_it() {
    let half = |seconds| choice(r#""percentage":50"#, seconds);
    let list = format!("[{},{},{}]", half(1), half(2), choice("", 3));
    assert_eq!(drawn(&list, &[0.4, 0.4, 0.0]), Some(1));
    assert_eq!(drawn(&list, &[0.6, 0.4, 0.0]), Some(2));
    assert_eq!(drawn(&list, &[0.6, 0.6, 0.0]), Some(3));

    let mut counts = [0; 3];
    for _ in 0..4_000 {
        counts[usize::try_from(chosen(&list).unwrap()).unwrap() - 1] += 1;
    }
    // Of 4000 with p = 1/4 the deviation is 27.4: less than 700 is one in 10^27.
    assert!(counts.iter().all(|count| *count > 700), "{counts:?}");
}

#[test]
fn a_channel_stays_with_its_choice_and_a_higher_percentage_only_adds() {
    let of = |percent| format!("[{}]", choice(&format!(r#""percentage":{percent}"#), 1));
    for _ in 0..20 {
        let mut choices = choices();
        let mut was_chosen = false;
        for percent in 0..=100 {
            for _ in 0..3 {
                let config = choices.choose(&[record(&of(percent))]).unwrap();
                assert!(config.is_some() || !was_chosen, "{percent}");
                was_chosen = config.is_some();
            }
        }
        assert!(was_chosen);
    }
}

#[test]
fn the_first_match_counts_and_none_is_no_config() {
    let other = choice(r#""clientLanguage":["go"]"#, 1);
    let list = format!("[{other},{},{}]", choice("", 2), choice("", 3));
    assert_eq!(chosen(&list), Some(2));
    assert_eq!(chosen(&format!("[{other}]")), None);
    assert_eq!(chosen("[]"), None);
    let both = r#""clientLanguage":["rust"],"clientHostname":["pod-6"]"#;
    assert_eq!(chosen(&format!("[{}]", choice(both, 1))), None);
}

#[test]
fn records_of_other_things_are_passed_over_and_two_of_ours_are_invalid() {
    let mut choices = choices();
    let list = format!("[{}]", choice("", 1));
    let others = [
        b"v=spf1 -all".to_vec(),
        b"grpc_config".to_vec(),
        b"GRPC_CONFIG=[]".to_vec(),
        b" grpc_config=[]".to_vec(),
        vec![0xff, 0xfe],
        Vec::new(),
    ];
    assert!(choices.choose(&others).unwrap().is_none());
    assert!(choices.choose(&[]).unwrap().is_none());
    let records = [&others[..], &[record(&list)], &others[..]].concat();
    assert_eq!(told(choices.choose(&records).unwrap().as_ref()), Some(1));
    let error = choices.choose(&[record(&list), record(&list)]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the service config is invalid: several TXT records begin with 'grpc_config='; \
         expected one"
    );
}

#[test]
fn what_is_wrong_with_any_choice_is_wrong_with_all() {
    for (list, text) in [
        ("", "the text is not JSON: EOF"),
        ("[{]", "the text is not JSON"),
        ("{}", "it is {}; expected a list"),
        ("[1]", "[0]: it is 1; expected an object"),
        (
            r#"[{"serviceConfig":{}},{}]"#,
            "[1].serviceConfig: it is missing",
        ),
        (
            r#"[{"serviceConfig":null}]"#,
            "[0].serviceConfig: it is missing",
        ),
        (r#"[{"serviceConfig":[]}]"#, "expected an object"),
        (
            r#"[{"serviceConfig":{}},{"serviceConfig":{},"clientLang":["go"]}]"#,
            "[1]: 'clientLang' is not known",
        ),
        (
            r#"[{"serviceConfig":{},"clientLanguage":"rust"}]"#,
            "[0].clientLanguage: it is \"rust\"; expected a list",
        ),
        (
            r#"[{"serviceConfig":{},"clientHostname":["a",1]}]"#,
            "[0].clientHostname[1]: it is 1; expected a text",
        ),
    ] {
        let told = wrong(list);
        assert!(told.contains(text), "{list}: {told}");
    }
    for percentage in ["101", "-1", "1.5", "50.0", "\"50\"", "256", "1e400", "true"] {
        let told = wrong(&format!(
            "[{}]",
            choice(&format!(r#""percentage":{percentage}"#), 1)
        ));
        assert!(told.contains("invalid"), "{percentage}: {told}");
    }
    let error = choices().choose(&[b"grpc_config=[\"\xff\"]".to_vec()]);
    assert!(error.unwrap_err().to_string().contains("not JSON"));
}

#[test]
fn what_is_wrong_with_a_config_concerns_those_who_choose_it() {
    let policy = r#"{"loadBalancingConfig":[{"only_in_java":{}}]}"#;
    let java = format!(r#"{{"clientLanguage":["java"],"serviceConfig":{policy}}}"#);
    assert_eq!(chosen(&format!("[{java},{}]", choice("", 2))), Some(2));
    let all = format!(r#"[{{"serviceConfig":{policy}}}]"#);
    let told = wrong(&all);
    assert!(
        told.contains("[0].serviceConfig.loadBalancingConfig"),
        "{told}"
    );
    // Unknown fields of a config are ignored.
    assert_eq!(chosen(r#"[{"serviceConfig":{"later":1}}]"#), None);
    let later = choices().choose(&[record(r#"[{"serviceConfig":{"later":1}}]"#)]);
    assert!(later.unwrap().is_some());
}

#[test]
fn the_same_choice_is_the_same_config_and_another_is_another() {
    let mut choices = choices();
    let mut next = |list: &str| choices.choose(&[record(list)]).unwrap().unwrap();
    let first = next(&format!("[{}]", choice("", 1)));
    let spaced = next(&format!("[ {} ]", choice(r#""percentage":100"#, 1)));
    assert!(first.is_clone_of(&spaced));
    let other = next(&format!("[{}]", choice("", 2)));
    assert!(!first.is_clone_of(&other));
    assert_eq!(told(Some(&other)), Some(Duration::from_secs(2).as_secs()));
}
