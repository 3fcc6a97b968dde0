//! The deadlines of a connection's calls, earliest first, for connections of clients and
//! servers. Calls that have no stream yet are in `channel::waiting_calls`, which stores
//! with each deadline what the caller gets when it passes.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::transport::http2::event::StreamId;

/// Invariant, kept by the owner of the calls: it has one entry for each call whose deadline
/// has not passed.
#[derive(Debug, Default)]
pub(crate) struct Deadlines(BTreeSet<(Instant, StreamId)>);

impl Deadlines {
    #[inline]
    pub(crate) fn insert(&mut self, deadline: Option<Instant>, stream: StreamId) {
        if let Some(deadline) = deadline {
            self.0.insert((deadline, stream));
        }
    }

    #[inline]
    pub(crate) fn remove(&mut self, deadline: Option<Instant>, stream: StreamId) {
        if let Some(deadline) = deadline {
            self.0.remove(&(deadline, stream));
        }
    }

    #[inline]
    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.first().map(|(deadline, _)| *deadline)
    }

    /// Removes and returns a call whose deadline has passed, earliest first.
    pub(crate) fn take_past(&mut self, now: Instant) -> Option<StreamId> {
        let (deadline, stream) = self.0.first().copied()?;
        if deadline > now {
            return None;
        }
        self.0.remove(&(deadline, stream));
        Some(stream)
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
