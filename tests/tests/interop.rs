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
use std::time::{Duration, Instant};

use grpc_runtime::{Channel, LoadReport, Receiver, Sender};
use grpc_services::proto::xds::service::orca::v3::{OpenRcaServiceStub, OrcaLoadReportRequest};
use grpc_tests::certificates::{Authority, Files};

grpc_runtime::include_proto!("grpc.testing");

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);

/// What a well-behaved server passes.
const CASES: [&str; 26] = [
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
    "orca_oob",
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

/// And a call above the limit of one connection waits where there may be no other.
#[test]
fn connections_are_scaled_to_a_servers_limit_of_streams() {
    let case = "max_concurrent_streams_connection_scaling";
    let server = Server::start(&["--max_concurrent_streams=2"]);
    for policy in ["pick_first", "round_robin"] {
        let config = format!(
            r#"{{"connectionScaling":{{"maxConnectionsPerSubchannel":2}},
                "loadBalancingConfig":[{{"{policy}":{{}}}}]}}"#
        );
        let flag = format!("--service_config_json={config}");
        for flags in [&[][..], &[flag.as_str()]] {
            let client = server.client(case, flags);
            assert!(client.status.success(), "{policy}: {}", errors(&client));
        }
    }
    // With room for all three no call asks for another.
    let client = Server::start(&[]).client(case, &[]);
    assert!(errors(&client).contains("the third call's address is the first's"));
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

/// A call that says what the server reports out of band.
struct Says {
    requests: Sender<StreamingOutputCallRequest>,
    responses: Receiver<StreamingOutputCallResponse>,
}

impl Says {
    fn start(channel: &Channel) -> Self {
        let stub = TestServiceStub::new(channel.clone());
        let (requests, responses) = stub.full_duplex_call().timeout(BOUND).start();
        Self {
            requests,
            responses,
        }
    }

    async fn send(&mut self, cpu_utilization: f64) {
        let report = TestOrcaReport {
            cpu_utilization,
            ..TestOrcaReport::default()
        };
        let request = StreamingOutputCallRequest {
            response_parameters: vec![ResponseParameters {
                fill_peer_socket_address: Some(BoolValue { value: true }),
                ..ResponseParameters::default()
            }],
            orca_oob_report: Some(report),
            ..StreamingOutputCallRequest::default()
        };
        self.requests.send(request).await.unwrap();
    }

    /// The server has heard it. Gives from where.
    async fn answered(&mut self) -> String {
        let response = self.responses.next().await.unwrap().unwrap();
        response.peer_socket_address
    }
}

#[tokio::test]
async fn a_load_is_reported_out_of_band_as_one_client_at_a_time_says() {
    let server = Server::start(&["--orca_qps=100", "--orca_cpu_utilization=0.5"]);
    let target = format!("127.0.0.1:{}", server.port);
    let channel = Channel::insecure(&target).unwrap();
    let reports = || {
        let stub = OpenRcaServiceStub::new(channel.clone());
        let often = prost_types::Duration {
            seconds: 0,
            nanos: 1,
        };
        let request = OrcaLoadReportRequest {
            report_interval: Some(often),
            ..OrcaLoadReportRequest::default()
        };
        stub.stream_core_metrics(request).timeout(BOUND).start()
    };
    let now = async || reports().next().await.unwrap().unwrap();
    let of = |cpu_utilization| {
        let mut report = LoadReport::new();
        report.set_cpu_utilization(cpu_utilization);
        report
    };

    let began = Instant::now();
    let mut all = reports();
    let first = all.next().await.unwrap().unwrap();
    assert_eq!((first.qps(), first.cpu_utilization()), (100.0, 0.5));
    let mut one = Says::start(&channel);
    one.send(0.25).await;
    let from = one.answered().await;
    assert!(from.contains("127.0.0.1"), "{from}");
    assert_eq!(now().await, of(0.25));
    // The next is not before its time, and has all there is by then.
    assert_eq!(all.next().await.unwrap(), Some(of(0.25)));
    assert!(began.elapsed() >= Duration::from_secs(1));

    let mut other = Says::start(&channel);
    other.send(0.75).await;
    one.send(0.125).await;
    assert_eq!(one.answered().await, from);
    assert_eq!(now().await, of(0.125));
    one.requests.finish();
    assert_eq!(one.responses.next().await.unwrap(), None);
    other.answered().await;
    assert_eq!(now().await, of(0.75));
    other.requests.finish();
    assert_eq!(other.responses.next().await.unwrap(), None);
    // What was said last goes on.
    assert_eq!(now().await, of(0.75));
}
