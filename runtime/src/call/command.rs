//! Commands to the task that owns a connection, from the tasks of its calls. Each
//! connection has one queue of them. Values only.

use std::time::Instant;

use bytes::Bytes;

use super::envelope::{Envelope, Parting};
use super::queue::{QueueSender, WakeUp};
use crate::status::Status;
use crate::transport::http2::connection::Connection;
use crate::transport::http2::event::StreamId;

/// One command to the connection's task.
#[derive(Debug)]
pub(crate) enum Command {
    /// The stream's outbound state has something to take: see
    /// [`CallState`](super::state::CallState).
    Send(StreamId),
    /// The reader of the stream's body reports its progress.
    Read(StreamId, Progress),
    /// The application has cancelled the call or dropped its halves.
    Cancel(StreamId),
    /// A handler that runs in its own task waits for something. This variant and those
    /// below are for servers only.
    Begun(StreamId),
    /// A handler that left the connection's task has finished.
    Finish(StreamId, Finished),
    /// Shut the connection down: after its calls have ended, or at once.
    Drain,
    Close,
}

/// The progress of a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The bytes consumed since the last report.
    pub(crate) consumed: usize,
    /// The size of the message that the reader waits for, in bytes, if memory must be
    /// reserved for it; 0 for none.
    pub(crate) awaits: usize,
}

impl Progress {
    /// Gives the peer the flow-control credit that the reader's progress allows.
    pub(crate) fn apply(self, connection: &mut Connection, stream: StreamId, now: Instant) {
        if self.consumed > 0 {
            connection.release(stream, self.consumed);
        }
        if self.awaits > 0 {
            connection.await_message(stream, self.awaits, false, now);
        }
    }
}

/// A handler's result.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) result: Result<(), Status>,
    /// The encoded message of a unary response, length prefix included.
    pub(crate) message: Option<Bytes>,
    /// The call's metadata; `None` if the handler could not set any.
    pub(crate) envelope: Option<Box<Envelope>>,
}

impl Finished {
    /// Whether the result is sent and nothing else happens to the stream or connection.
    #[inline]
    pub(crate) fn answers(&self) -> bool {
        self.parting() == Parting::Answers
    }

    #[inline]
    pub(crate) fn parting(&self) -> Parting {
        let envelope = self.envelope.as_ref();
        envelope.map_or(Parting::Answers, |envelope| envelope.parting)
    }

    pub(crate) fn failed(status: Status) -> Self {
        Self {
            result: Err(status),
            message: None,
            envelope: None,
        }
    }

    /// The result has been sent: keeps the envelope's memory for the next call.
    pub(crate) fn end(self) {
        if let Some(envelope) = self.envelope {
            envelope.keep();
        }
    }
}

/// The handle by which a call sends commands to its connection's task.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) commands: QueueSender<Command>,
    pub(crate) stream: StreamId,
}

impl Link {
    /// Sends a command. If the connection has ended, the command is dropped: the connection
    /// has already ended all of its calls.
    pub(crate) fn send(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    /// Like [`send`](Self::send), for a caller that holds a lock: the returned wake-up
    /// wakes the connection after the lock is released.
    pub(crate) fn push(&self, command: Command) -> WakeUp {
        self.commands.push(command).unwrap_or_default()
    }
}
