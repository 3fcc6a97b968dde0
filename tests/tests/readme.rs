//! The README's own crate, built and run outside the workspace as a newcomer
//! would, and what its reader sees after a mistake in the .proto file. Its other
//! fragments of Rust have to compile; its commands are run by `tests/readme/run.py`.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// The code block that follows `<!-- file: NAME -->` in the README.
fn block(readme: &str, name: &str) -> String {
    let marker = format!("<!-- file: {name} -->");
    let (_, after) = readme
        .split_once(&marker)
        .unwrap_or_else(|| panic!("no {marker}"));
    let (_, body) = after
        .split_once('\n')
        .and_then(|(_, rest)| rest.split_once('\n'))
        .unwrap();
    body.split_once("```").unwrap().0.to_owned()
}

/// Writes the README's files beside a checkout called `rust-grpc`.
fn scratch(name: &str, readme: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&root);
    let folder = root.join("my-service");
    for file in ["Cargo.toml", "proto/hello.proto", "build.rs", "src/main.rs"] {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, block(readme, file)).unwrap();
    }
    // The manifest names the checkout as a neighbour; this one is elsewhere.
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let here = workspace().display().to_string();
    // Its own workspace, as it lies within ours while the test runs.
    let manifest = format!("{}\n[workspace]\n", manifest.replace("../rust-grpc", &here));
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    // The versions that the workspace has been tested with.
    fs::copy(workspace().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    folder
}

fn cargo_run(folder: &Path) -> Output {
    Command::new(env!("CARGO"))
        .args(["run", "--quiet"])
        .current_dir(folder)
        // Beside the tests' own files: both scratch crates share what they build.
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme-target"))
        .output()
        .unwrap()
}

#[test]
fn the_readmes_crate_builds_runs_and_tells_mistakes_by_file_line_and_column() {
    let readme = fs::read_to_string(workspace().join("README.md")).unwrap();
    let folder = scratch("readme", &readme);
    let output = cargo_run(&folder);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        block(&readme, "output"),
        "{errors}"
    );

    let proto = folder.join("proto/hello.proto");
    let broken = fs::read_to_string(&proto).unwrap().replace(
        "rpc SayHello (HelloRequest) returns (HelloResponse);",
        "rpc SayHello (HelloRequest) returns (HelloRespons);",
    );
    fs::write(&proto, broken).unwrap();
    let output = cargo_run(&folder);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(errors.contains("proto/hello.proto:6:40: "), "{errors}");
    assert!(errors.contains("returns (HelloRespons);"), "{errors}");
    assert!(!errors.contains("stack backtrace"), "{errors}");
}

/// The program in the page on the package grpc-runtime.
mod of_the_runtime {
    #![allow(clippy::pedantic, reason = "a page's code")]

    include!(concat!(env!("OUT_DIR"), "/runtime_readme.rs"));

    #[test]
    fn it_runs() {
        main().unwrap();
    }
}

/// The README's fragments of Rust, each with what they all take for granted.
mod fragments {
    #![allow(
        dead_code,
        unused_variables,
        clippy::pedantic,
        reason = "a page's code"
    )]

    use std::fs;
    use std::time::Duration;

    use grpc_runtime::{
        AccessLog, CallCredentials, CertificateFiles, Channel, ChannelCredentials, Compression,
        Context, ListenOptions, ProxyProtocol, Sender, Server, ServerCredentials, Service,
    };

    grpc_runtime::include_proto!("example");

    struct Greeter;

    impl HelloServiceServicer for Greeter {}

    type Anything = Result<(), Box<dyn std::error::Error>>;

    include!(concat!(env!("OUT_DIR"), "/readme.rs"));

    #[test]
    fn all_of_them_compile() {
        let fragments = FRAGMENTS;
        assert_eq!(
            fragments, 7,
            "of compression, connections, how they come in, TLS, certificates, the access log \
             and promises"
        );
    }
}
