//! The access log: one line a call.

mod entry;
mod json;
mod lines;
mod plain;
mod quoted;
#[cfg(test)]
mod tests;
mod timestamp;
#[cfg(feature = "tracing")]
mod traced;

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use self::entry::LogEntry;
use self::lines::Lines;
use super::ended_call::{EndedCall, RefusedCall};
use super::observer::Observer;
use crate::clock;

/// Writes a line for each call that is over: an [`Observer`] for servers and channels.
///
/// ```
/// use grpc_runtime::{AccessLog, Server};
///
/// let server = Server::builder().observe(AccessLog::new());
/// # drop(server);
/// ```
///
/// On a server a line is a call that was answered or broken off, also one that was refused
/// before it had a handler; on a channel it is a call as its caller saw it, with all of its
/// attempts. A method that streams has its line when the call is over.
///
/// ```text
/// 2026-07-15T12:00:00.123Z server peer=10.1.2.3:50123 method=/shop.Orders/Get code=NOT_FOUND elapsed=1.204ms received=1/12 sent=0/0 error="no such order"
/// 2026-07-15T12:00:00.124Z server peer=10.1.2.3:50123 method=/shop.Orders/Gte code=UNIMPLEMENTED refused error="…"
/// 2026-07-15T12:00:00.125Z client peer=10.1.2.4:443 target=dns:///shop.example:443 method=/shop.Orders/Get code=OK elapsed=2.871ms received=1/320 sent=1/12 attempts=2
/// ```
///
/// | plain | JSON | |
/// |---|---|---|
/// | first | `time` | when the call was over: RFC 3339, UTC, in milliseconds |
/// | second | `side` | `server` or `client` |
/// | `peer` | `peer` | where the call came from, or went; left out of one that never left. Behind a proxy that is the proxy |
/// | `target` | `target` | the channel's target; a server has none |
/// | `method` | `method` | the path that was called; of an unknown one what the client wrote, at most 256 bytes of it. Where the server has interceptors, `/unknown/Unknown` |
/// | `code` | `code` | the status code's name |
/// | `elapsed` | `elapsed_ms` | as [`EndedCall::elapsed`] has it |
/// | `received`, `sent` | `received_messages`, `received_bytes`, `sent_messages`, `sent_bytes` | messages and their bytes on the wire, as [`Traffic`](crate::Traffic) counts them |
/// | `attempts` | `attempts` | how many attempts a channel's call had; plain, if more than one |
/// | `refused` | `refused`: `true` | the call had no handler; it has neither times nor counts |
/// | `error` | `error` | the status' text, at most 1,024 bytes of it |
///
/// What clients and servers wrote cannot break a line or pass for another one: plain, it is in
/// quotes with all that is not printable escaped, unless it is of plain characters alone; the
/// JSON is valid for any text. What is cut ends with `…`.
///
/// # A writer that is slow
///
/// Calls never wait for the writer. They leave their lines in a buffer of 1 MiB, some thousand
/// lines, and a thread of the log's own writes them: as many whole lines at a time as there
/// are, and then it flushes. The thread begins with the first line and ends with the log. Lines
/// that find no room, or that the writer fails to take, are dropped and counted, and a line
/// behind the next ones that are written tells of them: `lost=17` or `{"time":…,"lost":17}`.
///
/// Clones share the buffer and the writer, so one log may serve servers and channels. When the
/// last clone is dropped, as with its server and channels, it waits until all is written, but
/// not for longer than a second.
///
/// # What it costs
///
/// The call is observed, and its line takes an allocation, one to two microseconds to write
/// it down, and a short lock that all calls of the log share; where the thread sleeps, it is
/// woken. Nothing else is allocated per call.
#[derive(Clone)]
pub struct AccessLog(Sink);

#[derive(Clone)]
enum Sink {
    Plain(Arc<Lines>),
    Json(Arc<Lines>),
    #[cfg(feature = "tracing")]
    Traced,
}

impl AccessLog {
    /// Plain lines, to standard error unless [`to`](Self::to) says otherwise.
    pub fn new() -> Self {
        Self(Sink::Plain(Arc::new(Lines::new(io::stderr(), plain::lost))))
    }

    /// An object of JSON in each line, to standard error unless [`to`](Self::to) says
    /// otherwise.
    ///
    /// ```
    /// use grpc_runtime::{AccessLog, Channel, ChannelCredentials};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let channel = Channel::builder("localhost:50051")?
    ///     .observe(AccessLog::json())
    ///     .build(ChannelCredentials::insecure())?;
    /// # drop(channel);
    /// # Ok(())
    /// # }
    /// ```
    pub fn json() -> Self {
        Self(Sink::Json(Arc::new(Lines::new(io::stderr(), json::lost))))
    }

    /// Events of [`tracing`](mod@crate::tracing) in place of lines: of the level INFO, of the
    /// target `grpc_runtime::access`, with JSON's fields but `time`. They go where the
    /// subscriber takes them, on the thread where the call is over.
    #[cfg(feature = "tracing")]
    pub fn traced() -> Self {
        Self(Sink::Traced)
    }

    /// The same, to this writer.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = std::env::temp_dir();
    /// use std::fs::File;
    ///
    /// use grpc_runtime::{AccessLog, Server};
    ///
    /// let file = File::options().create(true).append(true).open(folder.join("access.log"))?;
    /// let server = Server::builder().observe(AccessLog::json().to(file));
    /// # drop(server);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn to(self, writer: impl Write + Send + 'static) -> Self {
        Self(if let Sink::Json(_) = self.0 {
            Sink::Json(Arc::new(Lines::new(writer, json::lost)))
        } else {
            Sink::Plain(Arc::new(Lines::new(writer, plain::lost)))
        })
    }

    fn add(&self, entry: &LogEntry<'_>) {
        match &self.0 {
            Sink::Plain(lines) => lines.add(&plain::line(entry, clock::wall())),
            Sink::Json(lines) => lines.add(&json::line(entry, clock::wall())),
            #[cfg(feature = "tracing")]
            Sink::Traced => traced::tell(entry),
        }
    }
}

impl Default for AccessLog {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Sink::Plain(_) => "AccessLog(plain)",
            Sink::Json(_) => "AccessLog(JSON)",
            #[cfg(feature = "tracing")]
            Sink::Traced => "AccessLog(traced)",
        })
    }
}

impl Observer for AccessLog {
    fn call_ended(&self, call: &EndedCall<'_>) {
        self.add(&LogEntry::of(call));
    }

    fn call_refused(&self, call: &RefusedCall<'_>) {
        self.add(&LogEntry::of_refused(call));
    }
}
