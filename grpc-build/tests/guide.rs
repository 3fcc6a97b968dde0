//! The guide's build scripts, and what its page of common errors has of builds that fail.

#![allow(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, but sees no helpers"
)]

use std::fs;
use std::path::Path;

use grpc_build::{Config, FrontEnd};

const PAGE: &str = "../examples/guide/common-errors.md";

/// The page has this as a block of text, below this heading.
fn shows(heading: &str, error: &grpc_build::Error, directory: &Path) {
    let text = error.to_string();
    let text = text.replace(&format!("{}/", directory.display()), "");
    let text = text.replace(env!("CARGO_MANIFEST_DIR"), "/home/you/my-service");
    let block = format!("### {heading}\n\n```text\n{}\n```\n", text.trim_end());
    let page = fs::read_to_string(PAGE).unwrap();
    assert!(page.contains(&block), "{PAGE} has not:\n\n{block}");
}

#[test]
fn builds_that_fail_say_what_the_guide_says() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let file = directory.join("proto/hello.proto");
    fs::create_dir(directory.join("proto")).unwrap();
    let compile = |config: Config| {
        let config = config.out_dir(directory);
        let compiled = config.compile(&[&file], &[&directory.join("proto")]);
        compiled.unwrap_err()
    };
    let error = compile(Config::new());
    shows("The build script: a file is not found", &error, directory);

    let import = "syntax = \"proto3\";\nimport \"acme/money.proto\";\n";
    fs::write(&file, import).unwrap();
    // A protoc says it in words of its own.
    if cfg!(feature = "protox") {
        let error = compile(Config::new());
        let heading = "The build script: an import is not found";
        shows(heading, &error, directory);
    }

    let nowhere = FrontEnd::Protoc("/usr/bin/no-protoc".into());
    let error = compile(Config::new().front_end(nowhere));
    shows("The build script: no protoc", &error, directory);
}

// snippet: from-tonic
fn main() -> Result<(), grpc_build::Error> {
    grpc_build::Config::new()
        .server(false)
        .type_attribute(".example", "#[derive(serde::Serialize)]")
        .extern_path(".acme", "::acme_types::pb")
        .compile(&["proto/hello.proto"], &["proto"])
}
// end

fn compatible() -> Result<(), grpc_build::Error> {
    // snippet: breaking
    // build.rs
    grpc_build::Config::new()
        .breaking_against("api/hello.record")
        .compile(&["proto/hello.proto"], &["proto"])
    // end
}

#[test]
fn build_scripts_look_where_they_say() {
    for error in [main().unwrap_err(), compatible().unwrap_err()] {
        assert!(error.to_string().contains("include path proto"), "{error}");
    }
}
