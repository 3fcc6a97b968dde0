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
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// What a stream's window lets pass before anything is read.
const WINDOW: u64 = 1 << 20;
/// The windows of a stream (1 MiB), what a sender holds (64 KiB), buffers, and
/// the process itself; far from the 1,024 MiB that want to cross.
const BOUND: u64 = 48 << 20;
/// Without progress for so long, a sender that has filled the window is at rest.
const REST: Duration = Duration::from_secs(2);
/// Long enough for anything that is not stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// A peer that ends with the test, and the lines that it prints.
struct Peer {
    child: Child,
    lines: Receiver<String>,
}

impl Peer {
    fn new(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_flow_peer"))
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (printed, lines) = channel();
        thread::spawn(move || {
            // Nobody hears the last ones of a peer that ends with its test.
            for line in output.lines().map_while(Result::ok) {
                let _ = printed.send(line);
            }
        });
        Self { child, lines }
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).unwrap()
    }

    /// Waits until the peer has sent at least a window, as it says, and then no more:
    /// far from all.
    fn comes_to_rest(&self) {
        let began = Instant::now();
        let mut sent = 0;
        loop {
            match self.lines.recv_timeout(REST) {
                Ok(total) => sent = total.parse().unwrap(),
                Err(RecvTimeoutError::Timeout) if sent >= WINDOW => return,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => panic!("it ended after {sent} bytes"),
            }
            assert!(sent <= BOUND, "{sent} bytes were sent to who reads nothing");
            assert!(began.elapsed() < PATIENCE, "{sent} bytes are no window");
        }
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

    fn assert_stands(&mut self) {
        assert!(self.child.try_wait().unwrap().is_none(), "it ended");
        let peak = self.peak();
        assert!(peak <= BOUND, "{peak} bytes");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn server() -> (Peer, String) {
    let server = Peer::new(&["serve"]);
    let line = server.line();
    let address = line.strip_prefix("listening on ").unwrap();
    (server, address.to_owned())
}

/// A client that asks for 1 GiB, and has read one message of it.
fn pull(address: &str) -> Peer {
    let client = Peer::new(&["pull", address]);
    assert_eq!(client.line(), (64 << 10).to_string());
    client
}

#[test]
fn a_handler_that_reads_nothing_bounds_both_processes() {
    let (mut server, address) = server();
    let mut client = Peer::new(&["push", &address]);
    client.comes_to_rest();
    // The server lives, and serves others.
    pull(&address);
    server.assert_stands();
    client.assert_stands();
}

#[test]
fn a_client_that_reads_nothing_bounds_both_processes() {
    let (mut server, address) = server();
    let mut client = pull(&address);
    server.comes_to_rest();
    pull(&address);
    server.assert_stands();
    client.assert_stands();
}
