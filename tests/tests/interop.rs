//! gRPC's interop cases with our own programs at both ends; `tests/interop` runs
//! them against other languages'.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests"
)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use grpc_tests::certificates::{Authority, Files};

/// What a well-behaved server passes.
const CASES: [&str; 25] = [
    "empty_unary",
    "large_unary",
    "concurrent_large_unary",
    "pick_first_unary",
    "client_compressed_unary",
    "server_compressed_unary",
    "client_streaming",
    "server_streaming",
    "client_compressed_streaming",
    "server_compressed_streaming",
    "ping_pong",
    "half_duplex",
    "empty_stream",
    "custom_metadata",
    "status_code_and_message",
    "special_status_message",
    "unimplemented_method",
    "unimplemented_service",
    "cancel_after_begin",
    "cancel_after_first_response",
    "timeout_on_sleeping_server",
    "rpc_soak",
    "channel_soak",
    "long_lived_channel",
    "orca_per_rpc",
];

/// A server that ends with the test.
struct Server {
    child: Child,
    port: String,
}

impl Server {
    fn start(flags: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_interop_server"))
            .arg("--port=0")
            .args(flags)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut printed = BufReader::new(child.stdout.take().unwrap());
        printed.read_line(&mut line).unwrap();
        let (_, port) = line.trim().rsplit_once(':').unwrap();
        let port = port.to_owned();
        Self { child, port }
    }

    fn client(&self, case: &str, flags: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_interop_client"))
            .arg(format!("--server_port={}", self.port))
            .arg(format!("--test_case={case}"))
            .args(flags)
            .output()
            .unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The client bounds each of its calls in time.
fn every_case_passes(server: &Server, flags: &[&str]) {
    // A loaded machine is no failure of the soaks.
    let patience = [
        "--soak_per_iteration_max_acceptable_latency_ms=20000",
        "--soak_overall_timeout_seconds=60",
    ];
    for case in CASES {
        let client = server.client(case, &[&patience, flags].concat());
        assert!(client.status.success(), "{}", errors(&client));
    }
}

#[test]
fn every_case_passes_between_our_own_ends() {
    every_case_passes(&Server::start(&[]), &[]);
}

#[test]
fn every_case_passes_over_tls() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("interop");
    let files = Files::write(&folder, &Authority::new().unwrap(), &["*.test.google.fr"]).unwrap();
    let cert_file = format!("--tls_cert_file={}", files.chain.display());
    let key_file = format!("--tls_key_file={}", files.key.display());
    let server = Server::start(&["--use_tls=true", &cert_file, &key_file]);
    let ca_file = format!("--ca_file={}", files.roots.display());
    let named = "--server_host_override=foo.test.google.fr";
    every_case_passes(&server, &["--use_tls=true", &ca_file, named]);

    // The name is verified, and so is whom to trust.
    for flags in [
        &["--use_tls=true", &ca_file][..],
        &["--use_tls=true", named],
    ] {
        let client = server.client("empty_unary", flags);
        assert!(!client.status.success());
    }
}

#[test]
fn the_flags_are_followed_or_refused() {
    let server = Server::start(&[]);
    let flags = [
        "-server_host=127.0.0.1",
        "--server_host_override=interop.example",
        "--use_tls=false",
        "--additional_metadata=x-one:1;x-two:2",
        "--soak_iterations=7",
        "--soak_num_threads=3",
        "--soak_request_size=10",
        "--soak_response_size=20",
        "--soak_overall_timeout_seconds=60",
        "--soak_per_iteration_max_acceptable_latency_ms=20000",
    ];
    let client = server.client("rpc_soak", &flags);
    let printed = String::from_utf8_lossy(&client.stdout);
    assert!(client.status.success(), "{}", errors(&client));
    assert!(printed.starts_with("7 of 7 calls, 0 failed"), "{printed}");

    let late = ["--soak_per_iteration_max_acceptable_latency_ms=0"];
    let client = server.client("rpc_soak", &late);
    assert!(!client.status.success());
    assert!(
        errors(&client).contains("10 calls failed"),
        "{}",
        errors(&client)
    );

    for (flags, reason) in [
        (
            ["--use_spdy=true"].as_slice(),
            "--use_spdy is not known here",
        ),
        (&["--additional_metadata=x"], "'x' has no colon"),
        (&["--soak_iterations=many"], "--soak_iterations=many"),
    ] {
        let client = server.client("empty_unary", flags);
        assert!(!client.status.success());
        assert!(errors(&client).contains(reason), "{}", errors(&client));
    }
    let client = server.client("no_such_case", &[]);
    assert!(!client.status.success());
    assert!(
        errors(&client).contains("is none of: empty_unary, "),
        "{}",
        errors(&client)
    );
}
