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

/// Writes a line for each call when it ends: an [`Observer`] for servers and channels.
///
/// ```
/// use grpc_runtime::{AccessLog, Server};
///
/// let server = Server::builder().observe(AccessLog::new());
/// # drop(server);
/// ```
///
/// On a server each call that was answered or cancelled has a line, including calls that
/// were refused before they had a handler. On a channel a call has one line for all of its
/// attempts, with the result that its caller got. A streaming call has its line when it
/// ends.
///
/// ```text
/// 2026-07-15T12:00:00.123Z server peer=10.1.2.3:50123 method=/shop.Orders/Get code=NOT_FOUND elapsed=1.204ms received=1/12 sent=0/0 error="no such order"
/// 2026-07-15T12:00:00.124Z server peer=10.1.2.3:50123 method=/shop.Orders/Gte code=UNIMPLEMENTED refused error="…"
/// 2026-07-15T12:00:00.125Z client peer=10.1.2.4:443 target=dns:///shop.example:443 method=/shop.Orders/Get code=OK elapsed=2.871ms received=1/320 sent=1/12 attempts=2
/// ```
///
/// | plain | JSON | |
/// |---|---|---|
/// | first | `time` | when the call ended: RFC 3339, UTC, in milliseconds |
/// | second | `side` | `server` or `client` |
/// | `peer` | `peer` | the address of the client or the server; left out for a call that was not sent. Behind a proxy it is the proxy's |
/// | `target` | `target` | the channel's target; a server has none |
/// | `method` | `method` | the path that was called; for an unknown method the path as the client sent it, cut to 256 bytes, or `/unknown/Unknown` if the server has interceptors |
/// | `code` | `code` | the status code's name |
/// | `elapsed` | `elapsed_ms` | see [`EndedCall::elapsed`] |
/// | `received`, `sent` | `received_messages`, `received_bytes`, `sent_messages`, `sent_bytes` | messages and their bytes on the wire, as [`Traffic`](crate::Traffic) counts them |
/// | `attempts` | `attempts` | the number of attempts of a channel's call; in plain lines only if more than one |
/// | `refused` | `refused`: `true` | the call had no handler; the line has no times and counts |
/// | `error` | `error` | the message of the status, cut to 1,024 bytes |
///
/// Text of clients and servers cannot break a line or imitate another one: plain lines quote
/// it and escape what is not printable, unless it consists of plain characters only; JSON
/// lines are valid JSON for any text. Text that was cut ends with `…`.
///
/// # Slow writers
///
/// Calls do not wait for the writer. They put their lines into a buffer of 1 MiB, a few
/// thousand lines, and a separate thread writes all buffered lines at once and then flushes.
/// The thread starts with the first line and ends with the log. Lines are dropped and
/// counted if the buffer is full or the writer fails; a line after the next successful write
/// reports the number: `lost=17` or `{"time":…,"lost":17}`.
///
/// Clones share the buffer and the writer, so one log can be used for several servers and
/// channels. Dropping the last clone, including those in servers and channels, waits up to
/// one second until all lines are written.
///
/// # What it costs
///
/// A call costs what any observer costs and, for its line, one allocation, 1 to 2 µs of
/// formatting, and a short lock that all calls of the log share. If the writing thread
/// sleeps, the call wakes it.
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
    /// Plain lines, to standard error by default; [`to`](Self::to) sets another writer.
    pub fn new() -> Self {
        Self(Sink::Plain(Arc::new(Lines::new(io::stderr(), plain::lost))))
    }

    /// A JSON object in each line, to standard error by default; [`to`](Self::to) sets
    /// another writer.
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

    /// [`tracing`](mod@crate::tracing) events instead of lines: level INFO, target
    /// `grpc_runtime::access`, with the JSON fields except `time`. They are emitted on the
    /// thread where the call ends.
    #[cfg(feature = "tracing")]
    pub fn traced() -> Self {
        Self(Sink::Traced)
    }

    /// Writes the lines to this writer; by default to standard error.
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
