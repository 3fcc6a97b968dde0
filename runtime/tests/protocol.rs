//! `PROTOCOL.md`, `CHANNELS.md`, `OBSERVERS.md` and `PRODUCTION.md` held against the source:
//! every rule, case, event, metric and requirement has its line, and every test that a line names
//! exists. And rule 68, which is about the source itself.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests"
)]

use std::path::{Path, PathBuf};

const RULES: usize = 74;
const CASES: usize = 73;
const EVENTS: usize = 38;
const REQUIREMENTS: usize = 30;

/// All Rust files below a folder of this crate, with their text.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                files.push((path, text));
            }
        }
    }
    files
}

/// Whether the text has a test of this name.
fn has_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let head = format!("fn {name}(");
    lines.iter().enumerate().any(|(at, line)| {
        let is_it = line.starts_with(&head) || line.starts_with(&format!("async {head}"));
        let attributes = lines[..at].iter().rev();
        let mut attributes = attributes.take_while(|line| line.starts_with("#["));
        is_it && attributes.any(|line| line.starts_with("#[test]") || line.contains("::test"))
    })
}

#[test]
fn every_rule_has_its_line_and_every_test_exists() {
    let (rules, wrong) = read(include_str!("PROTOCOL.md"), "not built yet");
    assert_eq!(rules, RULES, "rules are missing");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_case_of_channels_has_its_line_and_every_test_exists() {
    let (cases, wrong) = read(include_str!("CHANNELS.md"), "none: ");
    assert_eq!(cases, CASES, "cases are missing");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_event_and_every_metric_has_its_line_and_every_test_exists() {
    let table = include_str!("OBSERVERS.md");
    let (events, wrong) = read(table, "none: ");
    assert_eq!(events, EVENTS, "events are missing");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let words: Vec<&str> = table.split([' ', ',', ':', '|', '\n']).collect();
    let is_named = |name: &str| words.contains(&name);
    let traits = [
        include_str!("../src/observe/observer.rs"),
        include_str!("../src/observe/call_observer.rs"),
    ];
    let methods = traits.iter().flat_map(|text| {
        let body = text.split("pub trait ").nth(1).unwrap();
        let body = body.split("\n}").next().unwrap();
        let heads = body.lines().filter_map(|line| line.strip_prefix("    fn "));
        heads.map(|head| head.split('(').next().unwrap())
    });
    let instruments = include_str!("../opentelemetry/src/metrics/instrument.rs");
    let names = instruments.split('"').skip(1).step_by(2);
    let metrics = names.filter(|name| name.starts_with("grpc.") || name.starts_with("rpc."));
    let all: Vec<&str> = methods.chain(metrics).collect();
    assert!(all.len() > 40, "{all:?}");
    let missing: Vec<_> = all.iter().filter(|name| !is_named(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_requirement_has_its_line_and_every_test_exists() {
    let (requirements, wrong) = read(include_str!("PRODUCTION.md"), "none: ");
    assert_eq!(requirements, REQUIREMENTS, "requirements are missing");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// How many lines a table has, and what is wrong with them. A line names its tests, or
/// begins its reason by these words.
fn read(table: &str, reason: &str) -> (usize, Vec<String>) {
    let folders = [
        "src",
        "tests",
        "testing/tests",
        "opentelemetry/tests",
        "services/tests",
        "../examples/src",
        "../examples/tests",
        "../examples/validated/src",
        "../tests/tests",
    ];
    let files = folders.map(sources).concat();
    let mut next = 1;
    let mut wrong = Vec::new();
    for line in table.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, number, _, proof, _] = cells[..] else {
            continue;
        };
        let Ok(number) = number.parse::<usize>() else {
            continue;
        };
        assert_eq!(number, next, "rules are told in order, each once");
        next += 1;
        let tests: Vec<&str> = proof.split('`').skip(1).step_by(2).collect();
        if tests.is_empty() && !proof.starts_with(reason) {
            wrong.push(format!("{number} has neither a test nor a reason"));
        }
        for test in tests {
            let (file, name) = test.split_once("::").unwrap_or(("", test));
            let found = files.iter().any(|(path, text)| {
                let path = path.to_string_lossy().replace('\\', "/");
                path.ends_with(&format!("/{file}")) && has_test(text, name)
            });
            if !found {
                wrong.push(format!("{number} names {test}, which does not exist"));
            }
        }
    }
    (next - 1, wrong)
}

/// gRPC's status codes document keeps these for applications, so that a client
/// knows who speaks.
const OF_APPLICATIONS: [&str; 7] = [
    "InvalidArgument",
    "NotFound",
    "AlreadyExists",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "DataLoss",
];

#[test]
fn codes_of_applications_are_not_ours_to_make() {
    // What makes them for applications, what turns away a source of credentials that gives
    // them, and what tells a server's errors apart.
    let allowed = [
        "/status/constructors.rs",
        "/channel/authenticate.rs",
        "/observe/spans/recorded.rs",
    ];
    for (path, text) in sources("src") {
        let path = path.to_string_lossy().replace('\\', "/");
        let is_test = path.rsplit("/src/").next().unwrap().contains("tests");
        let is_ours = !is_test && !allowed.iter().any(|end| path.ends_with(end));
        for (number, line) in text.lines().enumerate() {
            let is_code = is_ours && !line.trim_start().starts_with("//");
            for name in OF_APPLICATIONS {
                let made = line.contains(&format!("Code::{name}"));
                assert!(!(is_code && made), "{path}:{} makes {name}", number + 1);
            }
        }
    }
}
