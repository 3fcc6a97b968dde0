//! All watches of one connection, and what is known of its server from them.

use std::time::Instant;

use super::health::Health;
use super::subject::{Subject, Word};
use super::watch_call::WatchCall;
use crate::call::load_report::LoadReport;
use crate::channel::backoff::Waits;
use crate::channel::subchannel::identity::Identity;
use crate::channel::watched::Watched;
use crate::clock;
use crate::transport::http2::connection::Connection;
use crate::transport::http2::event::StreamId;

/// Empty if nothing is watched; calls then pay nothing.
#[derive(Debug)]
pub(in super::super) struct Watches {
    all: Vec<WatchCall>,
    health: Health,
    waits: Waits,
}

/// What follows from a server's answer.
pub(in super::super) enum News {
    None,
    /// The state has changed.
    State,
    Load(LoadReport),
}

impl Watches {
    pub(in super::super) fn new(waits: Waits) -> Self {
        Self {
            all: Vec::new(),
            health: Health::Serving,
            waits,
        }
    }

    /// Sets what to watch. If another service was watched before, its health stays valid
    /// until the server answers; if none was, the server counts as serving.
    pub(in super::super) fn watch(
        &mut self,
        watched: &Watched,
        connection: &mut Connection,
        identity: &Identity,
        now: Instant,
    ) {
        let health = watched.health.clone().map(Subject::Health);
        let load = watched.load.map(Subject::Load);
        if health.is_none() {
            self.health = Health::Serving;
        }
        let wanted = [health, load];
        for call in std::mem::take(&mut self.all) {
            if wanted.iter().flatten().any(|it| it == call.subject()) {
                self.all.push(call);
            } else {
                call.cancel(connection);
            }
        }
        for subject in wanted.into_iter().flatten() {
            if self.all.iter().all(|call| *call.subject() != subject) {
                self.all.push(WatchCall::new(subject, self.waits));
            }
        }
        self.begin(connection, identity, now);
    }

    /// Sets the server's health before the server reports it on this connection.
    pub(in super::super) fn set_health(&mut self, health: Health) {
        self.health = health;
    }

    #[inline]
    pub(in super::super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The server's known health.
    pub(in super::super) fn health(&self) -> &Health {
        &self.health
    }

    /// Starts the calls that are due, if there is room.
    pub(in super::super) fn begin(
        &mut self,
        connection: &mut Connection,
        identity: &Identity,
        now: Instant,
    ) {
        for call in &mut self.all {
            call.begin(connection, identity, now);
        }
    }

    /// The watch on this stream; `None` if the stream is that of a user's call.
    pub(in super::super) fn on(&mut self, stream: StreamId) -> Option<&mut WatchCall> {
        self.all.iter_mut().find(|call| call.has(stream))
    }

    /// A server's health stays the same until the server reports another one.
    pub(in super::super) fn take_in(&mut self, word: Word) -> News {
        match word {
            Word::Health(health) if self.health.is_same(&health) => News::None,
            Word::Health(health) => {
                self.health = health;
                News::State
            }
            Word::Load(report) => News::Load(report),
        }
    }

    pub(in super::super) fn next_timeout(&self) -> Option<Instant> {
        let all = self.all.iter().map(WatchCall::next_timeout);
        all.fold(None, clock::earlier)
    }

    /// Ends all watches: the connection accepts no new calls, and ends once it has none.
    pub(in super::super) fn leave(&mut self, connection: &mut Connection) {
        for call in self.all.drain(..) {
            call.cancel(connection);
        }
    }
}
