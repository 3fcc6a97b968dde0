//! Reports one connection to its observers: its beginning and its end once each, and what
//! happens in between.

use std::error::Error;
use std::time::Instant;

use super::close_reason::CloseReason;
use super::connection::{
    ClosedConnection, ConnectionStep, FailedConnection, LeavingConnection, ObservedConnection,
};
use super::observer::Observers;
use crate::clock;
use crate::framing::Side;
use crate::snapshot::socket::SocketRecord;
use crate::transport::PeerAddress;
use crate::transport::driver::Closed;
use crate::transport::http2::connection::Connection;

/// The state of the reports. Dropping it while the connection is open reports
/// [`CloseReason::Dropped`].
#[derive(Debug)]
pub(crate) struct Observation {
    observers: Observers,
    connection: ObservedConnection,
    /// When the attempt began; once the connection is open, when it was opened.
    since: Instant,
    stage: ObservationStage,
    has_told_go_away: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ObservationStage {
    /// HTTP/2 settings have not been exchanged.
    Begins,
    Open,
    Over,
}

/// Why an attempt failed.
#[derive(Debug)]
pub(crate) struct FailedStep<'a> {
    pub(crate) step: ConnectionStep,
    pub(crate) reason: &'a str,
    pub(crate) source: Option<&'a (dyn Error + Send + Sync + 'static)>,
}

impl Observation {
    /// For a connection whose attempt began at `began`; `None` without observers.
    pub(crate) fn begin(
        observers: &Observers,
        socket: &SocketRecord,
        began: Instant,
    ) -> Option<Box<Self>> {
        if observers.is_empty() {
            return None;
        }
        let connection = ObservedConnection {
            id: socket.id,
            side: socket.side,
            // A socket that has lost its peer fails when it is read.
            peer: socket
                .peer
                .clone()
                .unwrap_or_else(|| PeerAddress::Other("a disconnected peer".into())),
            target: observers.shared_target(),
            is_encrypted: socket.is_encrypted,
        };
        Some(Box::new(Self {
            observers: observers.clone(),
            connection,
            since: began,
            stage: ObservationStage::Begins,
            has_told_go_away: false,
        }))
    }

    /// Reports what has happened since the last call.
    #[cold]
    pub(crate) fn look(&mut self, connection: &Connection, now: Instant) {
        if self.stage == ObservationStage::Begins && connection.is_established() {
            self.stage = ObservationStage::Open;
            self.since = now;
            let opened = &self.connection;
            self.observers.tell(|it| it.connection_opened(opened));
        }
        if self.stage == ObservationStage::Open
            && !self.has_told_go_away
            && let Some(said) = connection.said_go_away()
        {
            self.has_told_go_away = true;
            let go_away = self.go_away(said.code.0, said.reason.as_bytes());
            self.observers.tell(|it| it.go_away_sent(&go_away));
        }
    }

    /// Reports the peer's GOAWAY.
    #[cold]
    pub(crate) fn hear_go_away(&mut self, connection: &Connection, code: u32, debug: &[u8]) {
        self.look(connection, clock::now());
        let go_away = self.go_away(code, debug);
        self.observers.tell(|it| it.go_away_received(&go_away));
    }

    fn go_away<'a>(&'a self, code: u32, debug: &'a [u8]) -> LeavingConnection<'a> {
        LeavingConnection {
            connection: &self.connection,
            code,
            debug,
        }
    }

    /// Reports the end of the connection.
    pub(crate) fn end(&mut self, connection: &Connection, closed: &Closed, now: Instant) {
        self.look(connection, now);
        match self.stage {
            ObservationStage::Open => self.close(CloseReason::of(closed), now),
            ObservationStage::Begins => {
                self.stage = ObservationStage::Over;
                let reason = CloseReason::of(closed).to_string();
                let source = match closed {
                    Closed::Io(error) => Some(error as _),
                    _ => None,
                };
                let failure = FailedStep {
                    step: ConnectionStep::Http2,
                    reason: &reason,
                    source,
                };
                let (side, peer) = (self.connection.side, &self.connection.peer);
                failed(&self.observers, side, peer, &failure, self.since, now);
            }
            ObservationStage::Over => {}
        }
    }

    fn close(&mut self, reason: CloseReason<'_>, now: Instant) {
        self.stage = ObservationStage::Over;
        let closed = ClosedConnection {
            connection: &self.connection,
            reason,
            elapsed: now.saturating_duration_since(self.since),
        };
        self.observers.tell(|it| it.connection_closed(&closed));
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        if self.stage == ObservationStage::Open {
            self.close(CloseReason::Dropped, clock::now());
        }
    }
}

/// Reports a failed attempt.
pub(crate) fn failed(
    observers: &Observers,
    side: Side,
    peer: &PeerAddress,
    failure: &FailedStep<'_>,
    began: Instant,
    now: Instant,
) {
    let failed = FailedConnection {
        side,
        peer,
        target: observers.target(),
        step: failure.step,
        reason: failure.reason,
        source: failure.source,
        elapsed: now.saturating_duration_since(began),
    };
    observers.tell(|it| it.connection_failed(&failed));
}
