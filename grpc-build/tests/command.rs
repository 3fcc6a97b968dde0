//! The command line, as a person or CI uses it.

#![allow(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, but sees no helpers"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

const OLD: &str = "syntax = \"proto3\";\npackage a;\nmessage M { int32 x = 1; }\n";
const NEW: &str = "syntax = \"proto3\";\npackage a;\nmessage M { int64 x = 1; }\n";

/// Exit code and what was printed on standard error.
fn run(directory: &Path, arguments: &str) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_grpc-build"))
        .args(arguments.split_whitespace())
        .current_dir(directory)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{arguments}");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), errors)
}

#[test]
fn generate_check_record_breaking() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let done = (Some(0), String::new());
    fs::write(directory.join("a.proto"), OLD).unwrap();

    let (code, errors) = run(directory, "check --out out a.proto");
    assert_eq!(code, Some(1));
    assert!(errors.contains("out/a.rs: is missing"), "{errors}");
    assert_eq!(run(directory, "generate --out out a.proto"), done);
    assert_eq!(run(directory, "check --out out a.proto"), done);
    assert_eq!(run(directory, "record --to api/a.record a.proto"), done);
    assert_eq!(
        run(directory, "breaking --against api/a.record a.proto"),
        done
    );

    fs::write(directory.join("a.proto"), NEW).unwrap();
    let (code, errors) = run(directory, "check --out out a.proto");
    assert_eq!(code, Some(1));
    assert!(errors.contains("out/a.rs:8: differs"), "{errors}");
    let told = "a.proto:3:19: breaking change: the field `x` was `int32`, now it is `int64`";
    for command in ["breaking", "generate --out out", "check --out out"] {
        let line = format!("{command} --against api/a.record a.proto");
        let (code, errors) = run(directory, &line);
        assert_eq!(code, Some(1), "{line}");
        assert!(errors.starts_with(told), "{errors}");
    }
}

#[test]
fn options_warnings_and_mistakes() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    fs::write(directory.join("a.proto"), OLD).unwrap();
    let (code, errors) = run(directory, "generate --out out --opt bytes=.b a.proto");
    assert_eq!(code, Some(0));
    assert_eq!(
        errors,
        "warning: option `bytes=.b` covers no field of type `bytes` of the files\n"
    );
    let (code, errors) = run(directory, "generate --out out --opt byte=.b a.proto");
    assert_eq!(code, Some(1));
    assert!(errors.contains("did you mean `bytes`?"), "{errors}");
    let (code, errors) = run(directory, "generate a.proto");
    assert_eq!(code, Some(2));
    assert!(
        errors.starts_with("grpc-build: generate needs --out\n\nUsage: grpc-build COMMAND"),
        "{errors}"
    );
}
