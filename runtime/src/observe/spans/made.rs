//! Makes the span of a call, unless the user does. `tracing` fixes the level of a span at
//! its call site, so there is one call site for each level.

use tracing::field::Empty;
use tracing::{Level, Span, span};

use super::{CLIENT, SERVER};
use crate::framing::Side;
use crate::method::Method;
use crate::observe::begun_call::BegunCall;

/// The fields of spans on both sides, after `$parent` and before `$fields`.
macro_rules! of_call {
    ($target:expr, ($($parent:tt)*), $level:expr, $kind:expr, $call:expr, ($($fields:tt)*)) => {
        span!(
            target: $target,
            $($parent)*
            $level,
            "grpc.call",
            otel.name = full_name($call.method()),
            otel.kind = $kind,
            otel.status_code = Empty,
            otel.status_description = Empty,
            rpc.system = "grpc",
            rpc.service = service($call.method()),
            rpc.method = name($call.method()),
            rpc.grpc.status_code = Empty,
            network.peer.address = Empty,
            network.peer.port = Empty,
            $($fields)*
        )
    };
}

macro_rules! of_server {
    ($level:expr, $call:expr) => {
        of_call!(SERVER, (parent: None,), $level, "server", $call, ())
    };
}

macro_rules! of_client {
    ($level:expr, $call:expr) => {
        of_call!(
            CLIENT,
            (),
            $level,
            "client",
            $call,
            (
                server.address = $call.target().map(|target| server_of(target).0),
                server.port = $call.target().and_then(|target| server_of(target).1),
            )
        )
    };
}

macro_rules! at {
    ($level:expr, $make:ident, $call:expr) => {
        match $level {
            Level::ERROR => $make!(Level::ERROR, $call),
            Level::WARN => $make!(Level::WARN, $call),
            Level::INFO => $make!(Level::INFO, $call),
            Level::DEBUG => $make!(Level::DEBUG, $call),
            Level::TRACE => $make!(Level::TRACE, $call),
        }
    };
}

pub(super) fn span(level: Level, call: &BegunCall<'_>) -> Span {
    match call.side() {
        Side::Server => at!(level, of_server, call),
        Side::Client => at!(level, of_client, call),
    }
}

/// Stands for all methods that a server does not have.
const OTHER: &str = "_OTHER";

fn full_name(method: Method) -> &'static str {
    if method == Method::UNKNOWN {
        return OTHER;
    }
    method.path().split_at(1).1
}

fn service(method: Method) -> Option<&'static str> {
    (method != Method::UNKNOWN).then(|| method.service())
}

fn name(method: Method) -> &'static str {
    if method == Method::UNKNOWN {
        return OTHER;
    }
    method.name()
}

/// The host and the port of a target with its scheme. A target of another form, such as a
/// list or a path, is returned whole as the name.
fn server_of(target: &str) -> (&str, Option<u16>) {
    let (scheme, rest) = target.split_once(':').unwrap_or(("", target));
    let rest = match rest.strip_prefix("//") {
        // The part after the resolver's authority.
        Some(rest) => rest.find('/').map_or(rest, |slash| rest.split_at(slash).1),
        None => rest,
    };
    if scheme == "unix" {
        return (rest, None);
    }
    let name = rest.strip_prefix('/').unwrap_or(rest);
    let Some((host, port)) = name.rsplit_once(':') else {
        return (name, None);
    };
    let is_list = name.contains(',');
    let in_brackets = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    let is_host = in_brackets.is_some() || !host.contains(':');
    match port.parse() {
        Ok(port) if is_host && !is_list => (in_brackets.unwrap_or(host), Some(port)),
        _ => (name, None),
    }
}

#[cfg(test)]
mod tests;
