//! The page's table of promises names the tests, all of them and no others.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::path::Path;

/// Options of channels, and a policy.
const OPTIONS: &[&str] = &[
    "health_check_service",
    "oob_reporting_period",
    "weighted_round_robin",
];

/// Names like these are tests'.
fn is_name(text: &str) -> bool {
    let of_a_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    text.matches('_').count() > 1 && text.chars().all(of_a_name)
}

#[test]
fn each_promise_has_its_test_and_each_test_its_promise() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with('|'));
    let named: BTreeSet<&str> = rows
        .flat_map(|row| row.split('`').skip(1).step_by(2))
        .filter(|name| is_name(name))
        .filter(|name| !OPTIONS.contains(name))
        .collect();

    let tests = [
        "health.rs",
        "reflection.rs",
        "descriptor_sets.rs",
        "load.rs",
    ];
    let tests = tests.map(|file| std::fs::read_to_string(folder.join("tests").join(file)).unwrap());
    let there: BTreeSet<&str> = tests
        .iter()
        .flat_map(|text| {
            text.split("test]\n")
                .chain(text.split("test(start_paused = true)]\n"))
        })
        .filter_map(|rest| {
            let rest = rest.strip_prefix("async ").unwrap_or(rest);
            rest.strip_prefix("fn ")?.split('(').next()
        })
        .collect();
    assert!(there.len() > 30, "{there:?}");
    assert_eq!(named, there);
}
