//! What other tasks ask of the task that owns a connection. One queue per
//! connection carries these; a value only.

use std::time::Instant;

use bytes::Bytes;

use super::envelope::{Envelope, Parting};
use super::queue::{QueueSender, WakeUp};
use crate::status::Status;
use crate::transport::http2::connection::Connection;
use crate::transport::http2::event::StreamId;

/// One request to the connection's task.
#[derive(Debug)]
pub(crate) enum Command {
    /// The stream's outbound state has something new: see
    /// [`CallState`](super::state::CallState).
    Send(StreamId),
    /// A reader of the stream's body tells how far it is.
    Read(StreamId, Progress),
    /// The application has no more interest in the stream.
    Cancel(StreamId),
    /// A handler that began on a task of its own waits for something. Servers
    /// only, as all that follow.
    Begun(StreamId),
    /// A handler that left the connection's task has finished.
    Finish(StreamId, Finished),
    /// A sender waits for memory that the server's connections share.
    Starve,
    /// Leave in order, or at once.
    Drain,
    Close,
}

/// How far a reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The bytes that it consumed since it last told.
    pub(crate) consumed: usize,
    /// The size of the message that it waits for, if it needs memory that has to be
    /// set aside; 0 for none.
    pub(crate) awaits: usize,
}

impl Progress {
    /// Gives the peer what the reader's progress allows.
    pub(crate) fn apply(self, connection: &mut Connection, stream: StreamId, now: Instant) {
        if self.consumed > 0 {
            connection.release(stream, self.consumed);
        }
        if self.awaits > 0 {
            connection.await_message(stream, self.awaits, false, now);
        }
    }
}

/// What a handler ended with.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) result: Result<(), Status>,
    /// The encoded message of a unary response, length prefix included.
    pub(crate) message: Option<Bytes>,
    /// The call's metadata; `None` where the handler got to say none.
    pub(crate) envelope: Option<Box<Envelope>>,
}

impl Finished {
    /// Whether what it gives is sent, and nothing else happens.
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

    /// It has been sent: what it was made of is free for the next call.
    pub(crate) fn end(self) {
        if let Some(envelope) = self.envelope {
            envelope.keep();
        }
    }
}

/// The way from one call to its connection's task.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) commands: QueueSender<Command>,
    pub(crate) stream: StreamId,
}

impl Link {
    /// A connection that is gone needs to hear nothing: it has already ended all
    /// of its calls.
    pub(crate) fn send(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    /// The same for one who holds a lock: the connection is woken once it is free.
    pub(crate) fn push(&self, command: Command) -> WakeUp {
        self.commands.push(command).unwrap_or_default()
    }
}
