//! A value: numbers of calls.

use std::time::SystemTime;

use crate::transport::http2::tally::Counted;

/// The numbers of calls of a server, a channel, a subchannel or a connection. Each stream
/// counts as one call: on a channel a retried or hedged call counts once for each attempt
/// that had a stream, and a call that never had a stream does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallCounts {
    pub(super) started: u64,
    pub(super) succeeded: u64,
    pub(super) in_flight: u64,
    pub(super) last_started: Option<SystemTime>,
}

impl CallCounts {
    /// The calls that began.
    pub fn started(&self) -> u64 {
        self.started
    }

    /// The calls that ended with OK.
    pub fn succeeded(&self) -> u64 {
        self.succeeded
    }

    /// The calls that ended in any other way: with another status, by a reset, or with their
    /// connection.
    pub fn failed(&self) -> u64 {
        let ended = self.started.saturating_sub(self.in_flight);
        ended.saturating_sub(self.succeeded)
    }

    /// The calls that have not ended.
    pub fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// When the last call began, by the clock of this machine, to 10 ms; `None` before the
    /// first.
    pub fn last_started(&self) -> Option<SystemTime> {
        self.last_started
    }
}

/// The sum of the counts of connections, closed ones included.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Total {
    started: u64,
    succeeded: u64,
    in_flight: u64,
    last_started: Option<SystemTime>,
}

impl Total {
    pub(super) fn of(counted: &Counted, last_started: Option<SystemTime>) -> Self {
        Self {
            started: counted.calls,
            succeeded: counted.succeeded,
            in_flight: counted.in_flight,
            last_started,
        }
    }

    /// The connection is closed: its calls in flight have ended with it.
    pub(super) fn depart(mut self) -> Self {
        self.in_flight = 0;
        self
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.started += other.started;
        self.succeeded += other.succeeded;
        self.in_flight += other.in_flight;
        self.last_started = self.last_started.max(other.last_started);
    }

    pub(crate) fn counts(&self) -> CallCounts {
        CallCounts {
            started: self.started,
            succeeded: self.succeeded,
            in_flight: self.in_flight,
            last_started: self.last_started,
        }
    }
}
