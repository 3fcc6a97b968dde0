//! A server whose process has no file descriptors left: those that are connected are
//! served, and others are again once there are some.

#![cfg(unix)]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests"
)]

use std::future::IntoFuture;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use grpc_runtime::Channel;
use tokio::time::timeout;

grpc_runtime::include_proto!("grpc.testing");

/// What the server's process may have open.
const DESCRIPTORS: usize = 40;
/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);

/// A server that ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended needs no end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The server, its address, and what it prints.
fn serve() -> (Server, String, impl BufRead) {
    let server = env!("CARGO_BIN_EXE_interop_server");
    let child = Command::new("sh")
        .args([
            "-c",
            &format!("ulimit -n {DESCRIPTORS}; exec '{server}' --port=0 --tell_connections"),
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut server = Server(child);
    let mut line = String::new();
    let mut printed = BufReader::new(server.0.stdout.take().unwrap());
    printed.read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on ").unwrap();
    let address = address.to_owned();
    (server, address, printed)
}

async fn call(stub: &TestServiceStub) -> Result<Empty, grpc_runtime::Status> {
    let call = stub.empty_call(Empty::default()).into_future();
    timeout(BOUND, call).await.expect("the call ends")
}

#[tokio::test]
async fn a_server_without_descriptors_serves_whom_it_has_and_later_the_others() {
    let (server, address, printed) = serve();
    let before = TestServiceStub::new(Channel::insecure(&address).unwrap());
    call(&before).await.unwrap();
    // The system accepts for the server, as many as its queue holds.
    let crowd: Vec<_> = (0..2 * DESCRIPTORS)
        .map(|_| TcpStream::connect(&address).unwrap())
        .collect();
    let open = format!("/proc/{}/fd", server.0.id());
    if cfg!(target_os = "linux") {
        let full = async {
            while std::fs::read_dir(&open).unwrap().count() < DESCRIPTORS {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(BOUND, full)
            .await
            .expect("the descriptors are used up");
    }
    for _ in 0..10 {
        call(&before).await.unwrap();
    }
    // Its observers heard of it.
    let mut lines = printed.lines().map_while(Result::ok);
    let told = lines.find(|line| line.starts_with("cannot accept: "));
    assert!(told.unwrap().contains("Too many open files"));
    drop(crowd);
    let after = TestServiceStub::new(Channel::insecure(&address).unwrap());
    call(&after).await.unwrap();
}
