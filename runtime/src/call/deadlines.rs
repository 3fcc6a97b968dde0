//! The deadlines of a connection's calls in the order in which they pass: one index for
//! clients' connections and servers'. Calls that have no stream yet are in
//! `channel::waiting_calls`, which keeps what it tells their callers beside each deadline.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::transport::http2::event::StreamId;

/// Invariant, which the owner of the calls keeps: there is one for each call that has a
/// deadline which has not passed.
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

    /// A call whose deadline has passed, each once, the earliest first.
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
