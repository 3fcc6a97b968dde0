//! What the registry shows of each crate that is published, and what the first page of its
//! documentation says of its features.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The manifests of the crates that are published, as cargo reads them.
fn published() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version=1", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    // `publish = false` is an empty list of registries.
    let published = packages.iter().filter(|it| it["publish"].is_null());
    let published: Vec<Value> = published.cloned().collect();
    assert_eq!(published.len(), 6);
    published
}

fn folder(package: &Value) -> PathBuf {
    let manifest = Path::new(package["manifest_path"].as_str().unwrap());
    manifest.parent().unwrap().to_owned()
}

#[test]
fn each_has_all_that_the_registry_shows_but_the_owners_repository() {
    let license = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../LICENSE"));
    let license = license.unwrap();
    for package in published() {
        let name = &package["name"];
        for field in ["description", "license", "rust_version", "readme"] {
            assert!(package[field].is_string(), "{name} has no {field}");
        }
        assert_eq!(package["edition"], "2024", "{name}");
        let keywords = package["keywords"].as_array().unwrap();
        assert!((1..=5).contains(&keywords.len()), "{name}: {keywords:?}");
        let categories = package["categories"].as_array().unwrap();
        assert!(
            (1..=5).contains(&categories.len()),
            "{name}: {categories:?}"
        );
        let docs = &package["metadata"]["docs"]["rs"];
        assert_eq!(docs["all-features"], true, "{name}");
        assert_eq!(docs["rustdoc-args"][1], "docsrs", "{name}");

        let folder = folder(&package);
        let own = fs::read_to_string(folder.join("LICENSE")).unwrap();
        assert_eq!(own, license, "{name}");
        // Beside tests, which are not packed, each dependency has a version.
        for dependency in package["dependencies"].as_array().unwrap() {
            if dependency["kind"] != "dev" {
                assert_ne!(dependency["req"], "*", "{name}: {dependency}");
            }
        }
    }
}

/// The features in a page's table, with whether they are on by default: the rows that begin
/// with a name in backquotes and end with `on` or `off`.
fn told(page: &str) -> BTreeMap<&str, bool> {
    let row = |line| {
        let line: &str = line;
        let cells = line.strip_prefix("//! | `")?.strip_suffix(" |")?;
        let (name, rest) = cells.split_once("` | ")?;
        match rest.rsplit_once(" | ")?.1 {
            "on" => Some((name, true)),
            "off" => Some((name, false)),
            _ => None,
        }
    };
    page.lines().filter_map(row).collect()
}

#[test]
fn the_first_page_of_each_tells_its_features_and_no_others() {
    for package in published() {
        let page = fs::read_to_string(folder(&package).join("src/lib.rs")).unwrap();
        let features = package["features"].as_object().unwrap();
        let by_default = |name: &str| {
            let default = features.get("default").and_then(Value::as_array);
            default.is_some_and(|on| on.iter().any(|it| it == name))
        };
        let there = features.keys().filter(|name| *name != "default");
        let there: BTreeMap<&str, bool> = there
            .map(|name| (name.as_str(), by_default(name)))
            .collect();
        assert_eq!(told(&page), there, "{}", package["name"]);
    }
}
