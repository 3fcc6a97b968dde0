//! Collects the only message of a unary request or response in the connection's task. It
//! holds at most one message of the allowed size.

use std::time::Instant;

use bytes::Bytes;

use crate::framing::{Compression, MessageReader, PREFIX_LEN, Payload, Side, sole_message};
use crate::status::{Code, Phase, Status};
use crate::transport::http2::connection::Connection;
use crate::transport::http2::credit::LEAST_SHARE;
use crate::transport::http2::event::StreamId;

/// For a complete message of fewer bytes the peer gets its credit back before the stream
/// has ended.
const SMALL: usize = LEAST_SHARE as usize / 2;

/// Collects exactly one message.
#[derive(Debug)]
pub(crate) struct Gather {
    /// Created if the body does not arrive in one piece.
    reader: Option<Box<MessageReader>>,
    encoding: Compression,
    message: Option<Payload>,
    limit: usize,
    side: Side,
}

impl Gather {
    /// `encoding` is the one that the head names.
    pub(crate) fn new(limit: usize, side: Side, encoding: Compression) -> Self {
        Self {
            reader: None,
            encoding,
            message: None,
            limit,
            side,
        }
    }

    /// Takes a piece of the body, and gives the peer the credit that the rest of the
    /// message needs. An error ends the call: the message is too large, there is more than
    /// one, or the bytes are not a message.
    pub(crate) fn take(
        &mut self,
        data: Bytes,
        connection: &mut Connection,
        stream: StreamId,
        now: Instant,
    ) -> Result<(), Status> {
        // Before the first copy, so that the buffer has room for the whole message.
        if self.reader.is_none()
            && let Some(size) = announced_size(&data, self.limit)
        {
            connection.await_message(stream, size, true, now);
        }
        self.push(data, connection.room(stream))?;
        self.give_credit(connection, stream, now);
        Ok(())
    }

    /// For a message of at most `room` bytes the whole buffer is allocated at once.
    fn push(&mut self, mut data: Bytes, room: usize) -> Result<(), Status> {
        if self.reader.is_none() && self.message.is_none() {
            match sole_message(data, self.limit) {
                Ok(payload) => {
                    self.message = Some(payload);
                    return Ok(());
                }
                Err(piece) => data = piece,
            }
        }
        let reader = self.reader.get_or_insert_default();
        reader.set_encoding(self.encoding);
        reader.set_room(room);
        reader.push(data);
        loop {
            match reader.next(self.limit) {
                Ok(None) => return Ok(()),
                Ok(Some(payload)) => {
                    if self.message.replace(payload).is_some() {
                        let noun = noun(self.side);
                        let text = format!("more than one message in a unary {noun}");
                        return Err(Status::new(Code::Unimplemented, text));
                    }
                }
                Err(error) => return Err(error.into_status(self.side)),
            }
        }
    }

    /// Gives the peer the credit that the rest of the message needs. The credit for what
    /// has arrived is held back until the stream ends, except for a complete, small
    /// message.
    pub(crate) fn give_credit(&self, connection: &mut Connection, stream: StreamId, now: Instant) {
        let awaited = self
            .reader
            .as_ref()
            .map_or(0, |reader| reader.awaited_size());
        if awaited > 0 {
            connection.await_message(stream, PREFIX_LEN + awaited, true, now);
        } else if self
            .message
            .as_ref()
            .is_some_and(|message| message.len() < SMALL)
        {
            connection.release(stream, usize::MAX);
        }
    }

    /// The message keeps nothing of what it was read with, if it is small.
    pub(crate) fn unpin(&mut self) {
        if let Some(message) = &mut self.message {
            message.unpin();
        }
    }

    /// The message, once the stream has ended; `None` if there was none.
    pub(crate) fn finish(self) -> Result<Option<Payload>, Status> {
        match self.reader.map_or(Ok(()), |reader| reader.finish()) {
            Ok(()) => Ok(self.message),
            Err(error) => Err(error.into_status(self.side)),
        }
    }
}

/// The size, with its prefix, of the message that begins with `data`, if it is within
/// `limit` and not all of it has arrived.
fn announced_size(data: &[u8], limit: usize) -> Option<usize> {
    let [_, length @ ..] = data.first_chunk::<PREFIX_LEN>()?;
    let size = u32::from_be_bytes(*length) as usize;
    (size <= limit && data.len() - PREFIX_LEN < size).then_some(PREFIX_LEN + size)
}

/// The status of a large message that arrived too slowly while others waited for its
/// memory.
pub(crate) fn stalled(side: Side) -> Status {
    let noun = noun(side);
    let text = format!(
        "a message of the {noun} came too slowly while others waited for the memory that \
         is set aside for it (Http2Options::message_buffer)"
    );
    Status::new(Code::ResourceExhausted, text).with_phase(Phase::Receive)
}

/// The name of what a side receives.
fn noun(side: Side) -> &'static str {
    match side {
        Side::Client => "response",
        Side::Server => "request",
    }
}

#[cfg(test)]
mod tests;
