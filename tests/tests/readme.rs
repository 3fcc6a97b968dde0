//! The crates that the README and pages of the guide print, built and run outside
//! the workspace as a newcomer would, and what their reader sees after a mistake in the
//! .proto file. The README's commands are run by `tests/readme/run.py`.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests"
)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// A page that prints a crate: its text, and what marks the crate's files.
struct Printed {
    text: String,
    mark: &'static str,
}

impl Printed {
    fn read(path: &str, mark: &'static str) -> Self {
        let text = fs::read_to_string(workspace().join(path)).unwrap();
        Self { text, mark }
    }

    /// The code block that follows `<!-- MARK: NAME -->`.
    fn block(&self, name: &str) -> String {
        let marker = format!("<!-- {}: {name} -->", self.mark);
        let (_, after) = self
            .text
            .split_once(&marker)
            .unwrap_or_else(|| panic!("no {marker}"));
        let (_, body) = after
            .split_once('\n')
            .and_then(|(_, rest)| rest.split_once('\n'))
            .unwrap();
        body.split_once("```").unwrap().0.to_owned()
    }

    /// The names of all blocks that are marked, but for what is printed.
    fn files(&self) -> Vec<&str> {
        let mark = format!("<!-- {}: ", self.mark);
        let names = self
            .text
            .lines()
            .filter_map(|line| line.strip_prefix(&mark));
        let names = names.map(|rest| rest.split_once(" -->").unwrap().0);
        names.filter(|name| *name != "output").collect()
    }

    /// Writes the page's files as if beside a checkout called `rust-grpc`.
    fn write(&self, name: &str) -> PathBuf {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&root);
        let folder = root.join("my-service");
        for file in self.files() {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mut text = self.block(file);
            if file.ends_with("Cargo.toml") {
                // It names the checkout as a neighbour; this one is elsewhere.
                for neighbour in ["../../rust-grpc", "../rust-grpc"] {
                    text = text.replace(neighbour, &workspace().display().to_string());
                }
            }
            // Its own workspace, as it lies within ours while the test runs.
            if file == "Cargo.toml" && !text.contains("[workspace]") {
                text.push_str("\n[workspace]\n");
            }
            fs::write(path, text).unwrap();
        }
        // The versions that the workspace has been tested with.
        fs::copy(workspace().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
        folder
    }
}

/// What all the crates share, beside the tests' own files.
fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme-target")
}

fn cargo(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command
        .args(arguments)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target());
    command
}

fn cargo_run(folder: &Path) -> Output {
    cargo(folder, &["run", "--quiet"]).output().unwrap()
}

#[test]
fn the_readmes_crate_builds_runs_and_tells_mistakes_by_file_line_and_column() {
    let readme = Printed::read("README.md", "file");
    let folder = readme.write("readme");
    let output = cargo_run(&folder);
    assert_prints(&output, &readme.block("output"));

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

/// A program that ends with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_guides_first_server_and_client_build_and_call_each_other() {
    let page = Printed::read("examples/guide/first-call.md", "crate");
    let folder = page.write("first-call");
    // Builds both.
    let built = cargo(&folder, &["build", "--quiet"]).output().unwrap();
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    // Not by cargo, which would leave it running when it is killed.
    let server = target().join("debug/server");
    let mut server = Command::new(server)
        .arg("127.0.0.1:0")
        .stdout(Stdio::piped())
        .spawn()
        .map(Running)
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = line.trim().strip_prefix("listening on ").unwrap();

    let output = cargo(&folder, &["run", "--quiet", "--bin", "client", address]).output();
    assert_prints(&output.unwrap(), &page.block("output"));
}

#[test]
fn the_guides_two_crates_build_and_run() {
    let page = Printed::read("examples/guide/packages-and-crates.md", "crate");
    let folder = page.write("packages");
    assert_prints(&cargo_run(&folder), &page.block("output"));
}

fn assert_prints(output: &Output, expected: &str) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        expected,
        "{errors}"
    );
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
