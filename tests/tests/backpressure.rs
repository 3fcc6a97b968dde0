//! A consumer that reads nothing while its peer has 1 GiB to send: both
//! processes stay within the windows, whichever side consumes.

#![cfg(target_os = "linux")]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests"
)]

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// The windows of a stream (1 MiB), what a sender holds (64 KiB), buffers, and
/// the process itself; far from the 1,024 MiB that want to cross.
const BOUND: u64 = 48 << 20;

/// A peer that ends with the test.
struct Peer {
    child: Child,
    output: Option<BufReader<ChildStdout>>,
}

impl Peer {
    fn new(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_flow_peer"))
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = child.stdout.take().map(BufReader::new);
        Self { child, output }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.as_mut().unwrap().read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// The most memory the process has ever had, in bytes.
    fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM:"))
            .unwrap();
        let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kilobytes << 10
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn server() -> (Peer, String) {
    let mut server = Peer::new(&["serve"]);
    let address = server
        .line()
        .strip_prefix("listening on ")
        .unwrap()
        .to_owned();
    (server, address)
}

#[test]
fn a_handler_that_reads_nothing_bounds_both_processes() {
    let (server, address) = server();
    let mut client = Peer::new(&["push", &address]);
    let (lines, printed) = channel();
    let mut output = client.output.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut line = String::new();
        while output.read_line(&mut line).is_ok_and(|length| length > 0) {
            let _ = lines.send(line.trim().parse::<u64>().unwrap());
            line.clear();
        }
    });
    // The sender comes to rest: no progress for two seconds.
    let mut sent = 0;
    loop {
        match printed.recv_timeout(Duration::from_secs(2)) {
            Ok(total) => sent = total,
            Err(RecvTimeoutError::Timeout) if sent > 0 => break,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => panic!("the sender ended after {sent} bytes"),
        }
        assert!(
            sent <= BOUND,
            "{sent} bytes were sent to a handler that reads nothing"
        );
    }
    assert!(server.peak() <= BOUND, "server: {} bytes", server.peak());
    assert!(client.peak() <= BOUND, "client: {} bytes", client.peak());
    drop(client);
    reader.join().unwrap();
}

#[test]
fn a_client_that_reads_nothing_bounds_both_processes() {
    let (server, address) = server();
    let mut client = Peer::new(&["pull", &address]);
    assert_eq!(client.line(), (64 << 10).to_string());
    // Long enough for 1 GiB to cross, were nothing in its way.
    std::thread::sleep(Duration::from_secs(3));
    assert!(server.peak() <= BOUND, "server: {} bytes", server.peak());
    assert!(client.peak() <= BOUND, "client: {} bytes", client.peak());
}
