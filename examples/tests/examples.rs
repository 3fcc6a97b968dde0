//! Every example runs, ends, and prints what it says it shows.

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

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(60);

/// A program that ends with its test.
struct Program {
    child: Child,
    lines: Receiver<String>,
}

impl Program {
    fn start(path: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(path)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in output.lines() {
                let _ = sender.send(line.unwrap());
            }
        });
        Self { child, lines }
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(BOUND).unwrap()
    }

    /// What it still prints until it ends, which has to be a good end.
    fn finish(mut self) -> Vec<String> {
        let mut rest = Vec::new();
        let deadline = Instant::now() + BOUND;
        loop {
            match self.lines.recv_timeout(deadline - Instant::now()) {
                Ok(line) => rest.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("still running after {rest:?}"),
            }
        }
        assert!(self.child.wait().unwrap().success());
        rest
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn output(path: &str, arguments: &[&str]) -> Vec<String> {
    Program::start(path, arguments).finish()
}

#[test]
fn hello_prints_the_reply() {
    let printed = output(env!("CARGO_BIN_EXE_hello"), &[]);
    assert_eq!(printed, ["Received: Hello, World!"]);
}

#[test]
fn interceptors_refuse_the_stranger_and_let_ada_in() {
    let printed = output(env!("CARGO_BIN_EXE_interceptors"), &[]);
    assert_eq!(
        printed,
        [
            "server: /example.HelloService/SayHello Unauthenticated, 0 messages out",
            "client: Unauthenticated, within a minute: true",
            "Refused: UNAUTHENTICATED: I do not know you",
            "server: /example.HelloService/SayHello Ok, 1 messages out",
            "client: Ok, within a minute: true",
            "Received: Good morning, Ada!",
        ]
    );
}

#[test]
fn token_gets_new_ones_in_time_and_a_stranger_is_refused() {
    let printed = output(env!("CARGO_BIN_EXE_token"), &[]);
    assert_eq!(
        printed,
        [
            "Received: Hello with token-1",
            "Received: Hello with token-2",
            "Received: Hello with token-3",
            "Refused: UNAUTHENTICATED: no token, or one that has expired",
        ]
    );
}

#[test]
fn per_core_answers_on_each_connection() {
    let printed = output(
        env!("CARGO_BIN_EXE_per_core"),
        &["127.0.0.1:0", "3", "ends"],
    );
    assert!(
        printed[0].starts_with("3 servers of one core each"),
        "{printed:?}"
    );
    assert_eq!(printed[1], "10 calls on 10 connections were answered");
}

#[test]
fn hello_client_and_hello_server_make_calls_of_all_four_kinds() {
    let server = Program::start(env!("CARGO_BIN_EXE_hello_server"), &["127.0.0.1:0"]);
    let line = server.line();
    let address = line.strip_prefix("listening on ").unwrap();

    let printed = output(env!("CARGO_BIN_EXE_hello_client"), &[address]);
    let expected = [
        "SayHello: Hello, World!",
        "LotsOfReplies: Hello, World!",
        "LotsOfReplies: Bonjour, World!",
        "LotsOfReplies: Hallo, World!",
        "LotsOfReplies: Hola, World!",
        "LotsOfReplies: Ciao, World!",
        "LotsOfGreetings: Hello, Ada, Grace, Barbara!",
        "BidiHello: Hello, Ada!",
        "BidiHello: Hello, Grace!",
        "BidiHello: Hello, Barbara!",
    ];
    assert_eq!(printed, expected);

    if cfg!(unix) {
        let id = server.child.id().to_string();
        let kill = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(kill.success());
        assert_eq!(server.finish(), ["stopped; 0 calls were cut"]);
    }
}

#[test]
fn hello_client_says_why_it_could_not_connect() {
    let mut client = Command::new(env!("CARGO_BIN_EXE_hello_client"));
    // Port 1 is for the system, and nothing listens there.
    let output = client.arg("127.0.0.1:1").output().unwrap();
    assert!(!output.status.success());
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("Unavailable"), "{error}");
    assert!(error.contains("connect to 127.0.0.1:1"), "{error}");
}

#[test]
fn route_guide_tells_places_and_notes() {
    let printed = output(env!("CARGO_BIN_EXE_route_guide"), &[]);
    let expected = [
        "GetFeature: Nairobi at -1.29, 36.82",
        "GetFeature: nothing at 0.00, 0.00",
        "ListFeatures: Copenhagen at 55.68, 12.57",
        "ListFeatures: Oslo at 59.91, 10.75",
        "ListFeatures: Stockholm at 59.33, 18.07",
        "RecordRoute: 6 points, 6 capitals, 3639 km",
        "RouteChat: at -12.05, -77.04: the fish is good",
        "RouteChat: at -0.18, -78.47: mind the height",
        "RouteChat: at -12.05, -77.04: the fish is good",
        "RouteChat: at -12.05, -77.04: the museum is closed on Mondays",
    ];
    assert_eq!(printed, expected);
}

#[test]
fn kv_watches_changes_and_lets_go() {
    let printed = output(env!("CARGO_BIN_EXE_kv"), &[]);
    let expected = [
        "get: fruit/apple = red",
        "get: fruit/pear has no value",
        "get: INVALID_ARGUMENT: the key is empty",
        "list: fruit/apple fruit/plum",
        "watch: fruit/apple = red",
        "watch: fruit/plum = blue",
        "watch: fruit/plum is gone",
        "nobody watches any more",
    ];
    assert_eq!(printed, expected);
}

#[test]
fn balance_gives_each_server_its_share_and_goes_on_without_one() {
    let printed = output(env!("CARGO_BIN_EXE_balance"), &[]);
    let expected = [
        "Ada answered 10 of 30 calls",
        "Barbara answered 10 of 30 calls",
        "Grace answered 10 of 30 calls",
        "Barbara left, and Ada and Grace answered 30 more",
    ];
    assert_eq!(printed, expected);
}

#[test]
fn retries_and_hedges_are_not_noticed() {
    let mut printed = output(env!("CARGO_BIN_EXE_retries"), &[]);
    for line in &mut printed {
        // The port is another each time.
        if let Some((before, after)) = line.split_once("127.0.0.1:") {
            let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
            *line = format!("{before}ADDRESS{after}");
        }
    }
    let expected = [
        "without a policy: UNAVAILABLE: busy",
        "retried: answered, after 1 attempts",
        "the attempt at ADDRESS failed: UNAVAILABLE: busy",
        "the attempt at ADDRESS failed: UNAVAILABLE: busy",
        "hedged: answered, after 1 attempts",
    ];
    assert_eq!(printed, expected);
}

#[test]
fn weighted_gives_the_busy_server_a_quarter() {
    let printed = output(env!("CARGO_BIN_EXE_weighted"), &[]);
    let expected = "of 400 calls Ada answered 300, and Grace, who is three times as busy, 100";
    assert_eq!(printed, [expected]);
}

#[test]
fn custom_resolver_follows_its_file_and_prefers_its_zone() {
    let printed = output(env!("CARGO_BIN_EXE_custom_resolver"), &[]);
    let expected = [
        "the list has rome alone: rome answers",
        "oslo is on the list: oslo answers",
        "oslo is down: rome answers",
    ];
    assert_eq!(printed, expected);
}

#[test]
fn byte_streams_make_calls_through_a_pipe() {
    let printed = output(env!("CARGO_BIN_EXE_byte_streams"), &[]);
    let expected = [
        "at the door: a pipe",
        "Received: Hello, World behind a pipe!",
        "stopped; 0 calls were cut",
    ];
    assert_eq!(printed, expected);
}
