//! How many calls there were. A value.

use std::time::SystemTime;

use crate::transport::http2::tally::Counted;

/// How many calls a server, a channel, a subchannel or a connection has had, as its
/// connections saw them: each call with a stream counts once. On a channel a call that is
/// retried or hedged counts once for each attempt that had a stream, and one that never
/// had a stream does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallCounts {
    pub(super) started: u64,
    pub(super) succeeded: u64,
    pub(super) in_flight: u64,
    pub(super) last_started: Option<SystemTime>,
}

impl CallCounts {
    /// Those that began.
    pub fn started(&self) -> u64 {
        self.started
    }

    /// Those that ended with OK.
    pub fn succeeded(&self) -> u64 {
        self.succeeded
    }

    /// Those that ended in any other way: with another status, by a reset, or with their
    /// connection.
    pub fn failed(&self) -> u64 {
        let ended = self.started.saturating_sub(self.in_flight);
        ended.saturating_sub(self.succeeded)
    }

    /// Those that have not ended.
    pub fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// When the last one began, by the clock of this machine and to a hundredth of a second;
    /// `None` before the first.
    pub fn last_started(&self) -> Option<SystemTime> {
        self.last_started
    }
}

/// What is added up of connections, those that are gone among them.
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

    /// The connection is gone: what was under way has ended with it.
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
