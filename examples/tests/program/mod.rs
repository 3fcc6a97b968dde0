//! An example that a test starts, and what it writes.

#![allow(dead_code, reason = "no test needs all of it")]

use std::env::{self, consts::EXE_SUFFIX};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Long enough for anything that is not stuck.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

/// An example, which ends with its test.
pub(crate) struct Program {
    child: Child,
    lines: Receiver<String>,
    errors: Option<JoinHandle<String>>,
}

impl Program {
    /// `cargo test` builds examples, but no test is given their paths; with `--test NAME` it
    /// builds none.
    pub(crate) fn start(name: &str, arguments: &[&str]) -> Self {
        let test = env::current_exe().unwrap();
        let built = test.ancestors().nth(2).unwrap().join("examples");
        let program = built.join(format!("{name}{EXE_SUFFIX}"));
        let child = Command::new(&program)
            .args(arguments)
            .env_remove("RUST_LOG")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.unwrap_or_else(|error| {
            let remedy = format!("it is built by `cargo build -p examples --example {name}`");
            panic!("{}: {error}; {remedy}", program.display())
        });
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut from = child.stderr.take().unwrap();
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in output.lines() {
                let _ = sender.send(line.unwrap());
            }
        });
        let errors = thread::spawn(move || {
            let mut text = String::new();
            from.read_to_string(&mut text).unwrap();
            text
        });
        Self {
            child,
            lines,
            errors: Some(errors),
        }
    }

    /// The next line of its standard output.
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(BOUND).unwrap()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What else it writes to standard output and error until it ends, and whether the end
    /// is good.
    pub(crate) fn finish(mut self) -> (String, String, bool) {
        let begun = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None if begun.elapsed() > BOUND => panic!("it is still running"),
                None => thread::sleep(Duration::from_millis(10)),
            }
        };
        let output = self.lines.iter().map(|line| line + "\n").collect();
        let errors = self.errors.take().unwrap().join().unwrap();
        (output, errors, status.success())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
