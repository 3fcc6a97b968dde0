//! The cases of the interop tests, with our own peer at both ends: what
//! `tests/interop/run.sh` makes of other languages' peers starts from here.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests"
)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use grpc_tests::certificates::{Authority, Files};

const PEER: &str = env!("CARGO_BIN_EXE_hello_peer");

/// A server that ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The client bounds each of its cases in time.
fn every_case_passes(server_flags: &[&str], client_flags: &[&str]) {
    let child = Command::new(PEER)
        .arg("serve")
        .args(server_flags)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut server = Server(child);
    let mut line = String::new();
    let mut printed = BufReader::new(server.0.stdout.take().unwrap());
    printed.read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on ").unwrap();

    let client = Command::new(PEER)
        .arg("call")
        .args(client_flags)
        .arg(address)
        .output()
        .unwrap();
    let cases = String::from_utf8(client.stdout).unwrap();
    assert!(client.status.success(), "{cases}");
    assert!(cases.lines().count() > 0);
    assert!(
        cases.lines().all(|line| line.starts_with("pass ")),
        "{cases}"
    );
}

#[test]
fn every_interop_case_passes_between_our_own_ends() {
    every_case_passes(&[], &[]);
}

#[test]
fn every_interop_case_passes_over_tls() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peer");
    let files = Files::write(&folder, &Authority::new().unwrap(), &["127.0.0.1"]).unwrap();
    let chain = format!("--tls_cert_file={}", files.chain.display());
    let key = format!("--tls_key_file={}", files.key.display());
    let roots = format!("--ca_file={}", files.roots.display());
    every_case_passes(
        &["--use_tls=true", &chain, &key],
        &["--use_tls=true", &roots],
    );
}
