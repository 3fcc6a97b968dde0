//! The plugin on a command line, and its warnings and errors under protoc.

#![allow(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, but sees no helpers"
)]

use std::fs;
use std::process::{Command, Output, Stdio};

use protoc_gen_rust_grpc::{OPTIONS, VERSION};

const PLUGIN: &str = env!("CARGO_BIN_EXE_protoc-gen-rust-grpc");

fn run(argument: &str) -> Output {
    let mut command = Command::new(PLUGIN);
    command.arg(argument).stdin(Stdio::null());
    command.output().unwrap()
}

#[test]
fn help_and_version() {
    for argument in ["--version", "-V"] {
        let output = run(argument);
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text, format!("protoc-gen-rust-grpc {VERSION}\n"));
        assert!(output.status.success());
    }
    for argument in ["--help", "-h"] {
        let output = run(argument);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("protoc --rust-grpc_out="), "{text}");
        for option in OPTIONS {
            assert!(text.contains(&format!("  {}=", option.name)), "{text}");
        }
        assert!(output.status.success());
    }
    let output = run("--helq");
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("it takes no argument `--helq`"), "{text}");
    assert_eq!(output.status.code(), Some(2));
}

/// With an include file one run generates all there is; without, another may
/// generate what this one imports.
#[test]
fn imports_that_nobody_generates_are_told_where_that_is_known() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let a = "syntax = \"proto3\";\npackage a;\nimport \"b.proto\";\nmessage A { b.B b = 1; }\n";
    fs::write(directory.join("a.proto"), a).unwrap();
    let b = "syntax = \"proto3\";\npackage b;\nmessage B {}\n";
    fs::write(directory.join("b.proto"), b).unwrap();
    let protoc = |arguments: &[&str]| {
        let output = Command::new(protoc_bin_vendored::protoc_bin_path().unwrap())
            .current_dir(directory)
            .arg(format!("--plugin=protoc-gen-rust-grpc={PLUGIN}"))
            .arg("--rust-grpc_out=.")
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(protoc(&["a.proto"]), "");
    let tree = "--rust-grpc_opt=include_file=mod.rs";
    assert_eq!(protoc(&[tree, "a.proto", "b.proto"]), "");
    let warning = protoc(&[tree, "a.proto"]);
    assert!(
        warning.starts_with("a.proto:3:1: `b.B` is taken from `b.proto`, which is not generated"),
        "{warning}"
    );
}
