//! The one message of a unary request or response, gathered by the connection's
//! task. It must never hold more than one message of the allowed size.

use bytes::Bytes;

use crate::framing::{Compression, MessageReader, Payload, Side};
use crate::status::{Code, Status};

/// Gathers exactly one message.
#[derive(Debug)]
pub(crate) struct Gather {
    reader: MessageReader,
    message: Option<Payload>,
    limit: usize,
    side: Side,
}

impl Gather {
    /// `encoding` is what the head says of the message.
    pub(crate) fn new(limit: usize, side: Side, encoding: Compression) -> Self {
        let mut reader = MessageReader::new();
        reader.set_encoding(encoding);
        Self {
            reader,
            message: None,
            limit,
            side,
        }
    }

    /// Takes a piece of the body. An error ends the call: too large, more than
    /// one message, or not a message.
    pub(crate) fn push(&mut self, data: Bytes) -> Result<(), Status> {
        self.reader.push(data);
        loop {
            match self.reader.next(self.limit) {
                Ok(None) => return Ok(()),
                Ok(Some(payload)) => {
                    if self.message.replace(payload).is_some() {
                        let text = format!("more than one message in a unary {}", self.noun());
                        return Err(Status::new(Code::Unimplemented, text));
                    }
                }
                Err(error) => return Err(error.into_status(self.side)),
            }
        }
    }

    /// The message, at the end of the stream; `None` if there was none.
    pub(crate) fn finish(self) -> Result<Option<Payload>, Status> {
        match self.reader.finish() {
            Ok(()) => Ok(self.message),
            Err(error) => Err(error.into_status(self.side)),
        }
    }

    /// What this side receives.
    fn noun(&self) -> &'static str {
        match self.side {
            Side::Client => "response",
            Side::Server => "request",
        }
    }
}
