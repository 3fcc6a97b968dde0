//! How many calls ended how, and the lines of JSON that say so.

use std::collections::BTreeMap;
use std::time::Duration;

use grpc_runtime::{Code, Status};
use serde_json::{Value, json};

/// What came of some calls.
#[derive(Default)]
struct Tally {
    servers: BTreeMap<String, u64>,
    codes: BTreeMap<&'static str, u64>,
    calls: u64,
    /// How long those took that ended with OK, in microseconds.
    times: Vec<u64>,
    /// How long the longest took, however it ended, in microseconds.
    longest: u64,
}

/// What came of all calls, and of those since the last line.
pub(crate) struct Tallies {
    per_line: u64,
    parts: u64,
    part: Tally,
    all: Tally,
}

impl Tallies {
    /// Each line is of `per_line` calls; with 0 only [`tell_part`](Self::tell_part)
    /// makes them.
    pub(crate) fn new(per_line: u64) -> Self {
        Self {
            per_line,
            parts: 0,
            part: Tally::default(),
            all: Tally::default(),
        }
    }

    /// Counts a call that took this long.
    pub(crate) fn add(&mut self, answer: Result<String, Status>, took: Duration) {
        self.part.add(answer, took);
        if self.part.calls == self.per_line {
            self.tell_part();
        }
    }

    /// Prints what came since the line before.
    pub(crate) fn tell_part(&mut self) {
        let mut part = std::mem::take(&mut self.part);
        let mut line = part.line();
        line["part"] = json!(self.parts);
        println!("{line}");
        self.parts += 1;
        self.all.merge(part);
    }

    /// Prints what came in all.
    pub(crate) fn tell_all(&mut self) {
        self.all.merge(std::mem::take(&mut self.part));
        println!("{}", self.all.line());
    }
}

impl Tally {
    fn add(&mut self, answer: Result<String, Status>, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.longest = self.longest.max(took);
        let code = match answer {
            Ok(server) => {
                *self.servers.entry(server).or_default() += 1;
                self.times.push(took);
                Code::Ok
            }
            Err(status) => status.code(),
        };
        *self.codes.entry(code.name()).or_default() += 1;
        self.calls += 1;
    }

    fn merge(&mut self, other: Self) {
        for (server, count) in other.servers {
            *self.servers.entry(server).or_default() += count;
        }
        for (code, count) in other.codes {
            *self.codes.entry(code).or_default() += count;
        }
        self.calls += other.calls;
        self.times.extend(other.times);
        self.longest = self.longest.max(other.longest);
    }

    fn line(&mut self) -> Value {
        self.times.sort_unstable();
        json!({
            "servers": self.servers,
            "codes": self.codes,
            "attempts": self.calls,
            "p50_us": self.permille(500),
            "p99_us": self.permille(990),
            "p999_us": self.permille(999),
            "longest_us": self.longest,
        })
    }

    /// Of times that are sorted: what so many of a thousand calls took at most. 0 where
    /// there were none.
    fn permille(&self, permille: usize) -> u64 {
        let rank = (self.times.len() * permille).div_ceil(1000);
        self.times.get(rank.saturating_sub(1)).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_counts_every_call() {
        let mut tally = Tally::default();
        for micros in (1..=100).rev() {
            let server = if micros <= 30 { "a" } else { "b" };
            tally.add(Ok(server.to_owned()), Duration::from_micros(micros));
        }
        let mut other = Tally::default();
        other.add(Err(Status::unavailable("")), Duration::from_secs(9));
        tally.merge(other);
        let expected = json!({
            "servers": {"a": 30, "b": 70},
            "codes": {"OK": 100, "UNAVAILABLE": 1},
            "attempts": 101,
            "p50_us": 50,
            "p99_us": 99,
            "p999_us": 100,
            "longest_us": 9_000_000,
        });
        assert_eq!(tally.line(), expected);
    }
}
