//! The owner's commands: open, send, finish, reset; and the framing of queued data within
//! the windows.

use std::time::Instant;

use bytes::Bytes;

use super::{Connection, Drain, Event, OUTPUT_HIGH_WATER, Role, keeping};
use crate::transport::http2::error_code::ErrorCode;
use crate::transport::http2::event::StreamId;
use crate::transport::http2::fields::Fields;
use crate::transport::http2::frame;
use crate::transport::http2::hpack::Indexing;
use crate::transport::http2::output;
use crate::transport::http2::stream::{Stream, StreamEnd};

/// Why no stream can be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CannotOpen {
    /// The peer's limit of concurrent streams is reached: try again when one closes.
    Later,
    /// This connection accepts no more streams: another one is needed.
    Never,
}

impl Connection {
    /// Whether [`open`](Self::open) would succeed.
    pub(crate) fn can_open(&self) -> Result<(), CannotOpen> {
        debug_assert!(self.role == Role::Client);
        // RFC 9113 section 5.1.1: identifiers cannot be reused.
        if self.peer_going_away || self.drain != Drain::No || self.next_stream > StreamId::MAX >> 1
        {
            return Err(CannotOpen::Never);
        }
        // Before the peer's SETTINGS its limit is unknown; 100 is the least that
        // RFC 9113 section 6.5.2 recommends.
        let limit = if self.settings_received {
            self.peer.max_concurrent_streams
        } else {
            100
        };
        if self.streams.len() >= limit {
            return Err(CannotOpen::Later);
        }
        Ok(())
    }

    /// Opens a stream with a request's head, without END_STREAM: some servers do not answer
    /// a request that ends with its head.
    pub(crate) fn open(&mut self, head: &Fields, now: Instant) -> Result<StreamId, CannotOpen> {
        self.can_open()?;
        let id = self.next_stream;
        self.next_stream += 2;
        let window = self.credit.initial_window();
        let stream = Stream::new(window, self.peer.initial_window, now);
        self.streams.insert(id, stream);
        self.encode_block(id, head, false);
        Ok(id)
    }

    /// The peer's limit on a header list, in RFC 9113 section 6.5.2's count.
    pub(crate) fn peer_header_list_limit(&self) -> usize {
        self.peer.max_header_list_size
    }

    /// Sends a response's head. Unknown streams are ignored, since they may have been reset
    /// meanwhile.
    pub(crate) fn send_head(&mut self, id: StreamId, head: &Fields) {
        if let Some(stream) = self.streams.get_mut(&id)
            && stream.local_open
        {
            stream.head_sent = true;
            self.encode_block(id, head, false);
        }
    }

    /// Queues body bytes, and frames what fits now.
    pub(crate) fn send_data(&mut self, id: StreamId, data: Bytes, end: bool) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if !stream.local_open || stream.end.is_some() {
            return;
        }
        stream.enqueue(data);
        if end {
            stream.end = Some(StreamEnd::Data);
        }
        self.offer(id);
    }

    /// As [`send_data`](Self::send_data), without an event [`Sent`](Event::Sent). Data that
    /// fits while nothing waits is framed without queueing it.
    pub(crate) fn send_whole(&mut self, id: StreamId, data: &Bytes, end: bool) {
        let length = data.len();
        let fits = length <= output::COPY_LIMIT
            && length <= self.send_window.available()
            && self.ready.is_empty()
            && self.output.len() < OUTPUT_HIGH_WATER;
        if fits
            && let Some(stream) = self.streams.get_mut(&id)
            && stream.sends_at_once(length)
        {
            stream.send.take(length);
            // Usually the last bytes of a request, for which this is all.
            let is_request = end && self.role == Role::Client && stream.remote_open;
            if is_request {
                stream.local_open = false;
            }
            self.send_window.take(length);
            self.budgets.sent_data(length);
            self.sent_since_ping = true;
            let out = self.output.buffer();
            frame::Data::encode_head(id, length as u32, end, out);
            out.extend_from_slice(data);
            if end && !is_request {
                self.end_local(id);
            }
        } else {
            self.send_data(id, data.clone(), end);
        }
    }

    /// Ends the local half with a header block, after all queued data.
    pub(crate) fn send_trailers(&mut self, id: StreamId, trailers: &Fields) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if !stream.local_open || stream.end.is_some() {
            return;
        }
        if stream.queued() == 0 {
            self.encode_block(id, trailers, true);
            self.end_local(id);
        } else {
            stream.end = Some(StreamEnd::Trailers(Box::new(trailers.clone())));
            self.keep_trailers(id, trailers);
        }
    }

    /// Whether body bytes of the stream wait for a window.
    pub(crate) fn has_queued(&self, id: StreamId) -> bool {
        self.streams
            .get(&id)
            .is_some_and(|stream| stream.queued() > 0)
    }

    /// Ends the stream at once, both ways.
    pub(crate) fn reset(&mut self, id: StreamId, code: ErrorCode) {
        if let Some(stream) = self.remove(id) {
            self.encode_reset(id, code, stream.receive.window());
            self.review_credit();
        }
    }

    /// Frames queued data while the windows and the output's limit allow, one frame a stream
    /// in turn. `true` if only the output's limit stopped it.
    pub(crate) fn pump(&mut self) -> bool {
        while self.output.len() < OUTPUT_HIGH_WATER {
            let Some(id) = self.ready.pop_front() else {
                return false;
            };
            let Some(stream) = self.streams.get_mut(&id) else {
                continue;
            };
            stream.scheduled = false;
            let blocked = stream.queued() > 0 && self.send_window.available() == 0;
            if blocked {
                // It stays first in the queue for the connection's next window update.
                stream.scheduled = true;
                self.ready.push_front(id);
                return false;
            }
            self.transmit(id);
            self.schedule(id);
        }
        !self.ready.is_empty()
    }

    /// Frames at once what fits if the queue is short, otherwise adds the stream to the
    /// queue.
    fn offer(&mut self, id: StreamId) {
        if self.ready.is_empty() && self.output.len() < OUTPUT_HIGH_WATER {
            self.transmit(id);
        }
        self.schedule(id);
    }

    pub(super) fn schedule(&mut self, id: StreamId) {
        if let Some(stream) = self.streams.get_mut(&id)
            && stream.sendable()
            && !stream.scheduled
        {
            stream.scheduled = true;
            self.ready.push_back(id);
        }
    }

    /// Writes at most one DATA frame of the stream, and its end if that is all.
    fn transmit(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let queued = stream.queued();
        if queued > 0 {
            let length = queued
                .min(stream.send.available())
                .min(self.send_window.available())
                .min(self.peer.max_frame_size as usize)
                // One frame is not the whole output, whatever a peer allows.
                .min(OUTPUT_HIGH_WATER);
            if length == 0 {
                return;
            }
            let last = length == queued && matches!(stream.end, Some(StreamEnd::Data));
            frame::Data::encode_head(id, length as u32, last, self.output.buffer());
            let mut left = length;
            while left > 0 {
                let (piece, ends_larger) = stream.dequeue(left);
                left -= piece.len();
                self.output.push(piece, ends_larger);
            }
            stream.send.take(length);
            self.send_window.take(length);
            self.budgets.sent_data(length);
            self.sent_since_ping = true;
            if !self.kept.is_empty() {
                let account = self.account.as_deref_mut();
                keeping::framed(&mut self.kept, account, id, length, stream, &self.output);
            }
            self.events.push_back(Event::Sent {
                stream: id,
                bytes: length,
                begun: stream.begun(),
            });
            if last {
                self.end_local(id);
                return;
            }
        } else if matches!(stream.end, Some(StreamEnd::Data)) {
            frame::Data::encode_head(id, 0, true, self.output.buffer());
            self.end_local(id);
            return;
        }
        if stream.queued() == 0
            && let Some(StreamEnd::Trailers(trailers)) = stream.end.take()
        {
            self.encode_block(id, &trailers, true);
            self.end_local(id);
        }
    }

    /// END_STREAM is in the output. A server that has answered resets the rest of the
    /// request with NO_ERROR (RFC 9113 section 8.1).
    fn end_local(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        stream.local_open = false;
        stream.end = None;
        if self.role == Role::Server && stream.remote_open {
            stream.remote_open = false;
            let (window, paid) = (stream.receive.window(), stream.body_begun);
            self.encode_reset(id, ErrorCode::NO_ERROR, window);
            if paid {
                self.close(id);
            } else {
                self.unpaid += 1;
                self.remove_closed(id);
            }
        } else if !stream.remote_open {
            self.close(id);
        }
    }

    fn encode_block(&mut self, id: StreamId, fields: &Fields, end_stream: bool) {
        self.sent_since_ping = true;
        let out = self.output.buffer();
        let block = frame::Headers::begin(out);
        self.encoder.block(fields, indexing, out);
        block.finish(id, end_stream, self.peer.max_frame_size, out);
    }
}

/// Whether a field goes into the peer's table: fields that repeat do. Values that differ
/// with every call would evict the others, and credentials stay out of every table on the
/// path (RFC 7541 section 7.1.3).
fn indexing(name: &[u8], value: &[u8]) -> Indexing {
    const LONGEST_INDEXED: usize = 256;
    match name {
        b"authorization" | b"proxy-authorization" | b"cookie" | b"set-cookie" => Indexing::Never,
        b"grpc-timeout"
        | b"grpc-message"
        | b"grpc-status-details-bin"
        | b"content-length"
        | b"traceparent"
        | b"tracestate"
        | b"grpc-trace-bin"
        | b"x-request-id" => Indexing::Without,
        _ if value.len() > LONGEST_INDEXED => Indexing::Without,
        _ => Indexing::Add,
    }
}
