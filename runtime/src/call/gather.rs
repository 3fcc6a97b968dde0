//! The one message of a unary request or response, gathered by the connection's task. It holds
//! at most one message of the allowed size.

use std::time::Instant;

use bytes::Bytes;

use crate::framing::{Compression, MessageReader, PREFIX_LEN, Payload, Side, sole_message};
use crate::status::{Code, Phase, Status};
use crate::transport::http2::connection::Connection;
use crate::transport::http2::credit::LEAST_SHARE;
use crate::transport::http2::event::StreamId;

/// What each stream may have gathered and not be asked for.
const SMALL: usize = LEAST_SHARE as usize / 2;

/// Gathers exactly one message.
#[derive(Debug)]
pub(crate) struct Gather {
    /// Made where the body does not come as one piece.
    reader: Option<Box<MessageReader>>,
    encoding: Compression,
    message: Option<Payload>,
    limit: usize,
    side: Side,
}

impl Gather {
    /// `encoding` is what the head says of the message.
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
    /// message needs. An error ends the call: too large, more than one message, or not
    /// a message.
    pub(crate) fn take(
        &mut self,
        data: Bytes,
        connection: &mut Connection,
        stream: StreamId,
        now: Instant,
    ) -> Result<(), Status> {
        // Ahead of the first copy, which then goes to where the whole message fits.
        if self.reader.is_none()
            && let Some(size) = announced_size(&data, self.limit)
        {
            connection.await_message(stream, size, true, now);
        }
        self.push(data, connection.room(stream))?;
        self.give_credit(connection, stream, now);
        Ok(())
    }

    /// A message of at most `room` bytes has all of its memory from the first.
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

    /// Gives the peer the credit that the rest of the message needs. What has come
    /// is held until the stream ends, but for a message that is complete and small.
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

    /// The message, at the end of the stream; `None` if there was none.
    pub(crate) fn finish(self) -> Result<Option<Payload>, Status> {
        match self.reader.map_or(Ok(()), |reader| reader.finish()) {
            Ok(()) => Ok(self.message),
            Err(error) => Err(error.into_status(self.side)),
        }
    }
}

/// What a message has with its prefix that begins with `data`, where that is not all of
/// it and may be more.
fn announced_size(data: &[u8], limit: usize) -> Option<usize> {
    let [_, length @ ..] = data.first_chunk::<PREFIX_LEN>()?;
    let size = u32::from_be_bytes(*length) as usize;
    (size <= limit && data.len() - PREFIX_LEN < size).then_some(PREFIX_LEN + size)
}

/// A large message did not get on while others waited for its memory.
pub(crate) fn stalled(side: Side) -> Status {
    let noun = noun(side);
    let text = format!(
        "a message of the {noun} came too slowly while others waited for the memory that \
         is set aside for it (Http2Options::message_buffer)"
    );
    Status::new(Code::ResourceExhausted, text).with_phase(Phase::Receive)
}

/// What a side receives.
fn noun(side: Side) -> &'static str {
    match side {
        Side::Client => "response",
        Side::Server => "request",
    }
}
