//! All that one connection watches, and what is known of its server by that.

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

/// Empty where nothing is watched, which costs a call nothing.
#[derive(Debug)]
pub(in super::super) struct Watches {
    all: Vec<WatchCall>,
    health: Health,
    waits: Waits,
}

/// What is to be told of a server's word.
pub(in super::super) enum News {
    None,
    /// Another state.
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

    /// Watches this from now on. Who watched another service's health knows as much of
    /// the server until it answers; who watched none knows that it serves.
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

    /// What is known of the server before it says anything on this connection.
    pub(in super::super) fn set_health(&mut self, health: Health) {
        self.health = health;
    }

    #[inline]
    pub(in super::super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// What is known of the server.
    pub(in super::super) fn health(&self) -> &Health {
        &self.health
    }

    /// Begins what is due, if there is room.
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

    /// The one on this stream, if it is not that of a call of a user's.
    pub(in super::super) fn on(&mut self, stream: StreamId) -> Option<&mut WatchCall> {
        self.all.iter_mut().find(|call| call.has(stream))
    }

    /// What a server says of its health stands until it says another thing.
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

    /// Ends all: the connection takes no new calls, and is over when it has none.
    pub(in super::super) fn leave(&mut self, connection: &mut Connection) {
        for call in self.all.drain(..) {
            call.cancel(connection);
        }
    }
}
