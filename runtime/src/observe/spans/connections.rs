//! Reports what happens to connections as `tracing` events. What any stranger on the
//! internet can cause is below WARN, so that it raises no alarm.

use std::io;

use tracing::{Level, error, event};

use crate::framing::Side;
use crate::observe::close_reason::CloseReason;
use crate::observe::connection::{
    ClosedConnection, FailedConnection, LeavingConnection, ObservedConnection,
};
use crate::observe::excerpt::{TEXT, excerpt};

const TARGET: &str = "grpc_runtime::connection";

/// An event without a parent, since any task may report it.
macro_rules! tell {
    ($level:expr, $($rest:tt)+) => {
        match $level {
            Level::WARN => event!(target: TARGET, parent: None, Level::WARN, $($rest)+),
            Level::INFO => event!(target: TARGET, parent: None, Level::INFO, $($rest)+),
            _ => event!(target: TARGET, parent: None, Level::DEBUG, $($rest)+),
        }
    };
}

fn name(side: Side) -> &'static str {
    match side {
        Side::Client => "client",
        Side::Server => "server",
    }
}

pub(super) fn opened(connection: &ObservedConnection) {
    tell!(
        Level::DEBUG,
        side = name(connection.side()),
        peer = connection.peer().to_string(),
        connection = connection.id(),
        tls = connection.is_encrypted(),
        "connection opened"
    );
}

pub(super) fn failed(failed: &FailedConnection<'_>) {
    // The program wants a channel's connections; a server's attempts include scanners and
    // load balancers' probes.
    let level = match failed.side() {
        Side::Client => Level::WARN,
        Side::Server => Level::DEBUG,
    };
    tell!(
        level,
        side = name(failed.side()),
        peer = failed.peer().to_string(),
        step = failed.step().to_string(),
        reason = excerpt(failed.reason(), TEXT),
        elapsed_ms = failed.elapsed().as_secs_f64() * 1e3,
        "connection failed"
    );
}

pub(super) fn closed(closed: &ClosedConnection<'_>) {
    let connection = closed.connection();
    tell!(
        level_of(connection.side(), closed.reason()),
        side = name(connection.side()),
        peer = connection.peer().to_string(),
        connection = connection.id(),
        reason = closed.reason().to_string(),
        elapsed_ms = closed.elapsed().as_secs_f64() * 1e3,
        "connection closed"
    );
}

fn level_of(side: Side, reason: &CloseReason<'_>) -> Level {
    let (of_client, of_server) = match reason {
        CloseReason::Broken { .. } => (Level::WARN, Level::INFO),
        // Clients often end connections without a GOAWAY.
        CloseReason::Lost(_) | CloseReason::Ended { .. } => (Level::INFO, Level::DEBUG),
        _ => (Level::DEBUG, Level::DEBUG),
    };
    match side {
        Side::Client => of_client,
        Side::Server => of_server,
    }
}

pub(super) fn go_away_sent(go_away: &LeavingConnection<'_>) {
    let connection = go_away.connection();
    tell!(
        Level::DEBUG,
        side = name(connection.side()),
        peer = connection.peer().to_string(),
        connection = connection.id(),
        code = go_away.code(),
        debug_data = &*String::from_utf8_lossy(go_away.debug_data()),
        "GOAWAY sent"
    );
}

pub(super) fn go_away_received(go_away: &LeavingConnection<'_>) {
    let connection = go_away.connection();
    // A server's error, such as `too_many_pings`, concerns this program's configuration.
    let level = match (connection.side(), go_away.code()) {
        (Side::Client, 1..) => Level::WARN,
        _ => Level::DEBUG,
    };
    tell!(
        level,
        side = name(connection.side()),
        peer = connection.peer().to_string(),
        connection = connection.id(),
        code = go_away.code(),
        debug_data = &*String::from_utf8_lossy(go_away.debug_data()),
        "GOAWAY received"
    );
}

pub(super) fn accept_failed(error: &io::Error) {
    error!(
        target: TARGET,
        parent: None,
        error = error.to_string(),
        "a listener failed to accept a connection"
    );
}
