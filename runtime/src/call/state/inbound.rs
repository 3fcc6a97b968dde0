//! What has arrived for a call and is not read yet. Once it has `ended`, nothing more is
//! delivered.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};

use super::Ended;
use super::read_credit::ReadCredit;
use super::waiter::Waiter;
use crate::framing::{Boundaries, Compression, MessageReader, Payload};
use crate::metadata::Metadata;
use crate::status::Status;

/// With so many pieces to read, further ones that are small are put together: each would
/// take more memory than it has bytes.
const MANY: usize = 8;
const SMALL: usize = 1 << 10;

#[derive(Debug, Default)]
pub(super) struct Inbound {
    head: Option<Metadata>,
    /// The encoding of the messages, from the head.
    encoding: Compression,
    chunks: VecDeque<Bytes>,
    /// The boundaries of the messages delivered so far.
    boundaries: Boundaries,
    /// The only message of a unary response, complete.
    whole: Option<Payload>,
    ended: Option<Ended>,
    pub(super) reader: Waiter,
    pub(super) credit: ReadCredit,
}

impl Inbound {
    /// Sets the encoding of messages, unless the head names another.
    pub(super) fn set_encoding(&mut self, encoding: Compression) {
        self.encoding = encoding;
    }

    // --- the connection's side ---------------------------------------------------

    pub(super) fn deliver_head(&mut self, head: Metadata, encoding: Compression) {
        self.encoding = encoding;
        self.head.get_or_insert(head);
    }

    /// The number of messages that end in `data`; `None` if it will not be read.
    pub(super) fn deliver_data(&mut self, data: Bytes) -> Option<u32> {
        if self.ended.is_some() {
            return None;
        }
        let messages = self.boundaries.pass(&data);
        if self.chunks.len() < MANY {
            self.chunks.push_back(data);
        } else {
            self.put_together(data);
        }
        Some(messages)
    }

    #[cold]
    fn put_together(&mut self, data: Bytes) {
        if data.len() >= SMALL {
            self.chunks.push_back(data);
            return;
        }
        // Behind the first chunks, what is small was put together here.
        let last = self.chunks.back().filter(|_| self.chunks.len() > MANY);
        let mut together = match last {
            Some(last) if last.len() + data.len() < SMALL => {
                BytesMut::from(self.chunks.pop_back().unwrap_or_default())
            }
            _ => BytesMut::new(),
        };
        together.reserve(SMALL - together.len());
        together.extend_from_slice(&data);
        self.chunks.push_back(together.freeze());
    }

    /// Copies what is there to read, so that it keeps nothing of what it was read with.
    pub(super) fn unpin(&mut self) {
        if self.chunks.is_empty() {
            return;
        }
        let length = self.chunks.iter().map(Bytes::len).sum();
        let mut copy = BytesMut::with_capacity(length);
        for chunk in self.chunks.drain(..) {
            copy.extend_from_slice(&chunk);
        }
        self.chunks.push_back(copy.freeze());
        self.chunks.shrink_to_fit();
    }

    pub(super) fn deliver_half_close(&mut self) {
        self.ended.get_or_insert(Ok(Metadata::default()));
    }

    /// The head and the message of a unary response; its end follows.
    pub(super) fn deliver_whole(&mut self, head: Metadata, message: Payload) {
        self.head.get_or_insert(head);
        self.whole = Some(message);
    }

    /// The end of the call. A half-close is not one.
    pub(super) fn end(&mut self, ended: Ended) {
        self.ended = Some(ended);
    }

    // --- the application's side --------------------------------------------------

    pub(super) fn has_chunks(&self) -> bool {
        !self.chunks.is_empty()
    }

    /// What has arrived of the response's head and of the call's end.
    pub(super) fn seen_so_far(&self) -> (Metadata, Option<Ended>) {
        let head = self.head.clone().unwrap_or_default();
        (head, self.ended.clone())
    }

    /// The status with which the call failed, if it has.
    pub(super) fn failure(&self) -> Option<&Status> {
        self.ended.as_ref()?.as_ref().err()
    }

    /// Moves what has arrived into `reader`, up to the first piece of at least [`SMALL`] bytes:
    /// a reader that has a message may not come back, and nothing copies what it has. Ready if
    /// there was something, or with the end once everything before it was taken.
    pub(super) fn poll_chunks(
        &mut self,
        reader: &mut MessageReader,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Ended>> {
        if !self.chunks.is_empty() {
            reader.set_encoding(self.encoding);
            reader.set_room(self.credit.room());
            while let Some(chunk) = self.chunks.pop_front() {
                let is_small = chunk.len() < SMALL;
                reader.push(chunk);
                if !is_small {
                    break;
                }
            }
            return Poll::Ready(None);
        }
        if let Some(ended) = &self.ended {
            return Poll::Ready(Some(ended.clone()));
        }
        self.reader.register(cx);
        Poll::Pending
    }

    /// The response's initial metadata, once it or the call's end has arrived. Empty if the
    /// call ended with OK and without a head.
    pub(super) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Metadata, Status>> {
        match (&self.head, &self.ended) {
            (Some(head), _) => Poll::Ready(Ok(head.clone())),
            (None, Some(Ok(_))) => Poll::Ready(Ok(Metadata::default())),
            (None, Some(Err(status))) => Poll::Ready(Err(status.clone())),
            (None, None) => {
                self.reader.register(cx);
                Poll::Pending
            }
        }
    }

    /// A unary response: head, message and end together. Inlined, because the result is
    /// large and a call would copy it once more.
    #[inline]
    pub(super) fn poll_response(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<(Metadata, Option<Payload>, Ended)> {
        let Some(ended) = &mut self.ended else {
            self.reader.register(cx);
            return Poll::Pending;
        };
        // The end is asked for once; this value only records that the call has ended.
        let ended = std::mem::replace(ended, Ok(Metadata::default()));
        Poll::Ready((
            self.head.take().unwrap_or_default(),
            self.whole.take(),
            ended,
        ))
    }
}

#[cfg(test)]
mod tests;
