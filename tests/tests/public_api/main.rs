//! The public API of each crate that is published is the one that is checked in, in
//! `tests/api`. A change of it shows in the change that makes it; `CHANGELOG.md` tells of it.
//! What a listing does not have is what macros with arguments implement, and which types are
//! `Send` and `Sync`.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests"
)]

mod listing;
mod source;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use listing::Api;
use source::Source;

/// Each crate and its folder.
const CRATES: &[(&str, &str)] = &[
    ("protoc-gen-rust-grpc", "protoc-gen-rust-grpc"),
    ("grpc-build", "grpc-build"),
    ("grpc-runtime", "runtime"),
    ("grpc-testing", "runtime/testing"),
    ("grpc-opentelemetry", "runtime/opentelemetry"),
    ("grpc-services", "runtime/services"),
];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(folder: &str) -> Source {
    Source::read(&workspace().join(folder).join("src/lib.rs"))
}

/// The lines that one text has and the other has not, with what they stand below.
fn difference(old: &str, new: &str) -> String {
    let lines = |text: &str| -> BTreeSet<(String, String)> {
        let mut owner = String::new();
        let mut lines = BTreeSet::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if !line.starts_with(' ') {
                line.clone_into(&mut owner);
            }
            lines.insert((owner.clone(), line.to_owned()));
        }
        lines
    };
    let (old, new) = (lines(old), lines(new));
    let mut text = String::new();
    for (sign, lines) in [('-', old.difference(&new)), ('+', new.difference(&old))] {
        for (owner, line) in lines {
            let _ = writeln!(text, "{sign} {line}    [{owner}]");
        }
    }
    text
}

#[test]
fn the_public_api_is_the_one_that_is_checked_in() {
    let mut changed = String::new();
    for (name, folder) in CRATES {
        let source = read(folder);
        let head = format!(
            "The public API of {name}. BLESS=1 cargo test --test public_api writes it.\n\n"
        );
        let now = head + &Api::of(&source).text();
        let file = workspace().join(format!("tests/api/{name}.txt"));
        if std::env::var_os("BLESS").is_some() {
            fs::write(&file, &now).unwrap();
        }
        let recorded = fs::read_to_string(&file).unwrap_or_default();
        if recorded != now {
            let _ = writeln!(changed, "{name}:\n{}", difference(&recorded, &now));
        }
    }
    assert!(
        changed.is_empty(),
        "the public API has changed. If it is meant: say it in CHANGELOG.md, and \
         `BLESS=1 cargo test -p grpc-tests --test public_api`\n{changed}"
    );
}

/// What users may write out in full, and match without a rest, each with its reason.
const CLOSED: &[(&str, &str)] = &[
    ("BackendService", "a text with a name"),
    ("Code", "gRPC has 17 codes, and maps all others to UNKNOWN"),
    ("ConnectivityState", "gRPC has five states"),
    ("EndpointWeight", "a number with a name"),
    ("HashKey", "a text with a name"),
    ("Locality", "a text with a name"),
    ("MetadataValue", "metadata are texts or bytes"),
    ("Shape", "each side streams or does not"),
    ("Side", "a call has two sides"),
];

#[test]
fn what_may_get_more_is_non_exhaustive() {
    let mut closed = Vec::new();
    for (_, folder) in CRATES {
        let source = read(folder);
        let api = Api::of(&source);
        let items = api.items().filter(|item| item.is_closed());
        closed.extend(items.map(|item| item.path.clone()));
    }
    closed.sort();
    let meant: Vec<&str> = CLOSED.iter().map(|(name, _)| *name).collect();
    assert_eq!(closed, meant);
}

#[test]
fn what_can_fail_says_how() {
    let mut silent = Vec::new();
    for (name, folder) in CRATES {
        let source = read(folder);
        for function in Api::of(&source).functions() {
            if function.can_fail() && !function.tells_of_failure() {
                silent.push(format!("{name}: {}", function.path));
            }
        }
    }
    assert!(
        silent.is_empty(),
        "their documentation does not say when they fail: {silent:#?}"
    );
}
