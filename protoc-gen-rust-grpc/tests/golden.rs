//! What is generated, to be read in review: `tests/golden` holds the output for
//! `tests/testdata`. With `BLESS=1` in the environment the files are written
//! instead of compared:
//!
//! ```text
//! BLESS=1 cargo test -p protoc-gen-rust-grpc --test golden
//! ```

#![allow(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, but sees no helpers"
)]

use std::fs;
use std::path::Path;

/// Folder below `tests/golden`, `.proto` files, options.
type Case = (
    &'static str,
    &'static [&'static str],
    &'static [(&'static str, &'static str)],
);

const CASES: &[Case] = &[
    ("hello", &["hello.proto"], &[]),
    (
        "client",
        &["hello.proto"],
        &[("server", "false"), ("messages", "false")],
    ),
    (
        "server",
        &["hello.proto"],
        &[("client", "false"), ("messages", "false")],
    ),
    ("kinds", &["kinds.proto"], &[]),
    ("old", &["old.proto"], &[]),
    ("idempotent", &["idempotent.proto"], &[]),
    ("keywords", &["keywords.proto"], &[]),
    ("taken", &["taken.proto", "taken_child.proto"], &[]),
    ("aside", &["aside.proto", "aside_bar.proto"], &[]),
    ("names", &["names.proto"], &[]),
    ("deprecated", &["deprecated.proto"], &[]),
    ("comments", &["comments.proto"], &[]),
    (
        "packages",
        &[
            "acme/money/money.proto",
            "acme/shop/v1/item.proto",
            "acme/shop/v1/shop.proto",
            "hello.proto",
            "no_package.proto",
        ],
        &[("include_file", "mod.rs")],
    ),
    (
        "extern",
        &["acme/shop/v1/item.proto", "acme/shop/v1/shop.proto"],
        &[
            ("messages", "false"),
            ("extern_path", ".acme=::acme_types"),
            ("extern_path", ".example.HelloRequest=crate::Hello"),
        ],
    ),
];

#[test]
fn output_is_as_reviewed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let testdata = root.join("testdata");
    let bless = std::env::var_os("BLESS").is_some();
    for (case, protos, options) in CASES {
        let golden = root.join("golden").join(case);
        let fresh = tempfile::tempdir().unwrap();
        let protos: Vec<_> = protos.iter().map(|proto| testdata.join(proto)).collect();
        options
            .iter()
            .fold(grpc_build::Config::new(), |config, (name, value)| {
                config.option(*name, *value)
            })
            .out_dir(fresh.path())
            .compile(&protos, &[&testdata])
            .unwrap();
        if bless {
            let _ = fs::remove_dir_all(&golden);
            fs::create_dir_all(&golden).unwrap();
            for name in names(fresh.path()) {
                fs::copy(fresh.path().join(&name), golden.join(&name)).unwrap();
            }
        }
        assert_eq!(names(fresh.path()), names(&golden), "the files of {case}");
        for name in names(fresh.path()) {
            let read = |directory: &Path| fs::read_to_string(directory.join(&name)).unwrap();
            let (fresh, golden) = (read(fresh.path()), read(&golden));
            let differs = fresh.lines().zip(golden.lines()).position(|(a, b)| a != b);
            assert!(
                fresh == golden,
                "{case}/{name} differs from line {} on; BLESS=1 accepts the new output",
                differs.map_or(0, |line| line + 1)
            );
        }
    }
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
