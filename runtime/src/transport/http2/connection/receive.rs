//! What a connection does with the peer's bytes: frames in, events out. It must
//! never trust a length, an identifier or an order.

use std::time::Instant;

use bytes::{Buf, Bytes, BytesMut};

use super::{Connection, DRAIN_PING, Drain, PREFACE, PartialBlock, PartialData, Role};
use crate::transport::http2::error_code::ErrorCode;
use crate::transport::http2::event::{ConnectionError, Event, ResetCause, StreamId};
use crate::transport::http2::field_rules::{self, Block};
use crate::transport::http2::fields::Fields;
use crate::transport::http2::frame::{self, FrameHead, Kind, SettingsFrame};
use crate::transport::http2::stream::Stream;

/// A header block may be this many times the list's limit on the wire, and no
/// more than this many frames, before the connection is closed.
const BLOCK_FACTOR: usize = 2;
const MAX_BLOCK_FRAMES: u32 = 64;

type Outcome = Result<(), ConnectionError>;

impl Connection {
    /// Takes what is complete off `input`; what is not stays for the next call.
    pub(crate) fn receive(&mut self, input: &mut BytesMut, now: Instant) -> Outcome {
        self.receive_preface(input)?;
        while self.wants_input() {
            if self.partial_data.is_some() {
                if input.is_empty() {
                    break;
                }
                self.continue_data(input);
                continue;
            }
            let Some(bytes) = input.first_chunk::<{ FrameHead::LEN }>() else {
                break;
            };
            if self.preface_left > 0 {
                break;
            }
            let head = FrameHead::parse(bytes);
            self.check_order(head)?;
            if head.kind == Kind::DATA && !head.has(frame::PADDED) {
                input.advance(FrameHead::LEN);
                self.begin_data(head, input, now)?;
                continue;
            }
            let length = head.length as usize;
            if input.len() < FrameHead::LEN + length {
                if matches!(head.kind, Kind::HEADERS | Kind::CONTINUATION) {
                    self.await_header_block(now);
                }
                break;
            }
            input.advance(FrameHead::LEN);
            if head.kind == Kind::DATA {
                let payload = input.split_to(length).freeze();
                self.receive_padded_data(head, payload, now)?;
            } else {
                let result = self.receive_frame(head, &input[..length], now);
                input.advance(length);
                result?;
            }
        }
        self.announce_connection_window();
        Ok(())
    }

    fn receive_preface(&mut self, input: &mut BytesMut) -> Outcome {
        if self.preface_left == 0 {
            return Ok(());
        }
        let expected = &PREFACE[PREFACE.len() - self.preface_left..];
        let length = expected.len().min(input.len());
        if input[..length] != expected[..length] {
            return Err(ConnectionError::protocol(
                "not HTTP/2: the preface does not match",
            ));
        }
        input.advance(length);
        self.preface_left -= length;
        Ok(())
    }

    fn check_order(&mut self, head: FrameHead) -> Outcome {
        if head.length > self.options.max_frame_size {
            return Err(ConnectionError::new(
                ErrorCode::FRAME_SIZE_ERROR,
                "a frame above SETTINGS_MAX_FRAME_SIZE",
            ));
        }
        // RFC 9113 section 3.4: SETTINGS come first.
        let is_settings = head.kind == Kind::SETTINGS && !head.has(frame::ACK);
        if !self.settings_received && !is_settings {
            return Err(ConnectionError::protocol("the first frame is not SETTINGS"));
        }
        // Section 4.3: nothing stands between the frames of a header block.
        if let Some(block) = &self.partial_block
            && (head.kind != Kind::CONTINUATION || head.stream_id != block.stream)
        {
            return Err(ConnectionError::protocol("a header block was interrupted"));
        }
        Ok(())
    }

    fn receive_frame(&mut self, head: FrameHead, payload: &[u8], now: Instant) -> Outcome {
        match head.kind {
            Kind::HEADERS => self.receive_headers(head, payload, now),
            Kind::CONTINUATION => self.receive_continuation(head, payload, now),
            Kind::SETTINGS => self.receive_settings(head, payload, now),
            Kind::PING => self.receive_ping(head, payload, now),
            Kind::GOAWAY => self.receive_go_away(head, payload, now),
            Kind::WINDOW_UPDATE => self.receive_window_update(head, payload, now),
            Kind::RST_STREAM => self.receive_reset(head, payload, now),
            Kind::PUSH_PROMISE => Err(ConnectionError::protocol("PUSH_PROMISE is switched off")),
            Kind::PRIORITY => {
                self.spend_control(now)?;
                match frame::Priority::parse(head, payload) {
                    Ok(_) => Ok(()),
                    // RFC 9113 section 5.3 dropped priorities: what is wrong
                    // with one concerns nobody, unless the frame itself is.
                    Err(error) if self.streams.contains_key(&head.stream_id) => {
                        self.frame_error(head.stream_id, error, now)
                    }
                    Err(error) if error.scope == frame::Scope::Stream => Ok(()),
                    Err(error) => self.frame_error(head.stream_id, error, now),
                }
            }
            // RFC 9113 section 4.1: unknown types are ignored.
            _ => self.spend_control(now),
        }
    }

    /// A frame that is malformed by itself.
    fn frame_error(&mut self, id: StreamId, error: frame::FrameError, now: Instant) -> Outcome {
        match error.scope {
            frame::Scope::Connection => Err(ConnectionError::new(error.code, error.reason)),
            frame::Scope::Stream => self.violate(id, error.code, error.reason, now),
        }
    }

    /// RFC 9113 section 5.1: on an idle stream only HEADERS and PRIORITY may
    /// arrive.
    fn check_not_idle(&self, id: StreamId) -> Outcome {
        let idle = match self.role {
            Role::Client => id.is_multiple_of(2) || id >= self.next_stream,
            Role::Server => id.is_multiple_of(2) || id > self.last_peer_stream,
        };
        if idle {
            return Err(ConnectionError::protocol(
                "a frame on a stream that was never opened",
            ));
        }
        Ok(())
    }

    /// A frame for a stream that is gone: expected after a reset of ours, an
    /// error else. It spends either way, or ignored frames would cost nothing.
    fn receive_on_closed(&mut self, id: StreamId, now: Instant) -> Outcome {
        self.spend_control(now)?;
        if self.remembered_resets.contains(&id) || self.drain == Drain::Final {
            return Ok(());
        }
        self.encode_reset(id, ErrorCode::STREAM_CLOSED);
        self.induced += FrameHead::LEN + 4;
        Ok(())
    }

    // --- DATA -----------------------------------------------------------------

    /// Flow control counts the whole frame when its head is seen (RFC 9113
    /// section 6.1); returns whether the payload is wanted.
    fn account_data(&mut self, head: FrameHead, now: Instant) -> Result<bool, ConnectionError> {
        let id = head.stream_id;
        let length = head.length;
        if id == 0 {
            return Err(ConnectionError::protocol("DATA on stream 0"));
        }
        self.check_not_idle(id)?;
        if self.receive_window.receive(length).is_err() {
            return Err(ConnectionError::new(
                ErrorCode::FLOW_CONTROL_ERROR,
                "more DATA than the connection's window allows",
            ));
        }
        if length == 0 && !head.has(frame::END_STREAM) {
            self.spend_control(now)?;
        }
        let Some(stream) = self.streams.get_mut(&id) else {
            self.receive_window.release(length);
            self.receive_on_closed(id, now)?;
            return Ok(false);
        };
        let violation = if !stream.remote_open {
            Some((ErrorCode::STREAM_CLOSED, "DATA after END_STREAM"))
        } else if self.role == Role::Client && !stream.head_received {
            Some((ErrorCode::PROTOCOL_ERROR, "DATA before the response's head"))
        } else if stream.receive.receive(length).is_err() {
            Some((
                ErrorCode::FLOW_CONTROL_ERROR,
                "more DATA than the stream's window allows",
            ))
        } else {
            None
        };
        if let Some((code, reason)) = violation {
            self.receive_window.release(length);
            // What `receive` did not take is not held by the stream either.
            self.violate(id, code, reason, now)?;
            return Ok(false);
        }
        if length > 0 {
            self.controls.earn();
        }
        Ok(true)
    }

    fn begin_data(&mut self, head: FrameHead, input: &mut BytesMut, now: Instant) -> Outcome {
        self.account_data(head, now)?;
        let end_stream = head.has(frame::END_STREAM);
        let partial = PartialData {
            stream: head.stream_id,
            left: head.length as usize,
            end_stream,
        };
        if head.length == 0 {
            self.deliver_data(partial.stream, Bytes::new(), end_stream);
            return Ok(());
        }
        self.partial_data = Some(partial);
        if !input.is_empty() {
            self.continue_data(input);
        }
        Ok(())
    }

    fn continue_data(&mut self, input: &mut BytesMut) {
        let Some(partial) = &mut self.partial_data else {
            return;
        };
        let length = partial.left.min(input.len());
        partial.left -= length;
        let (id, last) = (partial.stream, partial.left == 0);
        let end_stream = partial.end_stream && last;
        if last {
            self.partial_data = None;
        }
        if self
            .streams
            .get(&id)
            .is_some_and(|stream| stream.remote_open)
        {
            let data = input.split_to(length).freeze();
            self.deliver_data(id, data, end_stream);
        } else {
            input.advance(length);
        }
    }

    fn receive_padded_data(&mut self, head: FrameHead, payload: Bytes, now: Instant) -> Outcome {
        let length = payload.len();
        let data = match frame::Data::parse(head, payload) {
            Ok(data) => data,
            Err(error) => return self.frame_error(head.stream_id, error, now),
        };
        if !self.account_data(head, now)? {
            return Ok(());
        }
        // Padding is nothing the application could ever consume.
        self.release(head.stream_id, length - data.data.len());
        self.deliver_data(head.stream_id, data.data, data.end_stream);
        Ok(())
    }

    fn deliver_data(&mut self, id: StreamId, data: Bytes, end_stream: bool) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if !stream.remote_open || (data.is_empty() && !end_stream) {
            return;
        }
        stream.remote_open = !end_stream;
        self.events.push_back(Event::Data {
            stream: id,
            data,
            end_stream,
        });
        if end_stream {
            self.close_if_ended(id);
        }
    }

    // --- header blocks --------------------------------------------------------

    fn await_header_block(&mut self, now: Instant) {
        let timeout = self.options.header_timeout;
        self.header_deadline.get_or_insert(now + timeout);
    }

    fn receive_headers(&mut self, head: FrameHead, payload: &[u8], now: Instant) -> Outcome {
        let headers = match frame::Headers::parse(head, payload) {
            Ok(headers) => headers,
            Err(error) => return self.frame_error(head.stream_id, error, now),
        };
        let fragment = &payload[headers.fragment.clone()];
        if headers.end_headers {
            self.header_deadline = None;
            return self.receive_block(head.stream_id, headers.end_stream, fragment, now);
        }
        self.await_header_block(now);
        self.partial_block = Some(PartialBlock {
            stream: head.stream_id,
            end_stream: headers.end_stream,
            bytes: BytesMut::from(fragment),
            frames: 1,
        });
        Ok(())
    }

    fn receive_continuation(&mut self, head: FrameHead, payload: &[u8], now: Instant) -> Outcome {
        let Some(mut block) = self.partial_block.take() else {
            return Err(ConnectionError::protocol("CONTINUATION without HEADERS"));
        };
        let continuation = match frame::Continuation::parse(head) {
            Ok(continuation) => continuation,
            Err(error) => return self.frame_error(head.stream_id, error, now),
        };
        block.frames += 1;
        let limit = BLOCK_FACTOR * self.options.max_header_list_size as usize;
        if block.frames > MAX_BLOCK_FRAMES || block.bytes.len() + payload.len() > limit {
            return Err(ConnectionError::calm(
                "a header block of too many frames or bytes",
            ));
        }
        block.bytes.extend_from_slice(payload);
        if !continuation.end_headers {
            self.partial_block = Some(block);
            return Ok(());
        }
        self.header_deadline = None;
        self.receive_block(block.stream, block.end_stream, &block.bytes, now)
    }

    /// A whole header block. It is decoded whatever becomes of its stream: the
    /// dynamic table is the connection's (RFC 7541 section 2.2).
    fn receive_block(
        &mut self,
        id: StreamId,
        end_stream: bool,
        block: &[u8],
        now: Instant,
    ) -> Outcome {
        let mut fields = self.take_fields();
        let limit = self.options.max_header_list_size as usize;
        if let Err(error) = self.decoder.decode(block, limit, &mut fields) {
            return Err(ConnectionError::new(error.code(), error.reason()));
        }
        match self.role {
            Role::Server => self.receive_request_block(id, end_stream, fields, now),
            Role::Client => self.receive_response_block(id, end_stream, fields, now),
        }
    }

    fn receive_request_block(
        &mut self,
        id: StreamId,
        end_stream: bool,
        fields: Fields,
        now: Instant,
    ) -> Outcome {
        if id.is_multiple_of(2) {
            return Err(ConnectionError::protocol("a client opened an even stream"));
        }
        if id <= self.last_peer_stream {
            return self.receive_trailers(id, end_stream, fields, now);
        }
        if self.drain == Drain::Final {
            self.recycle(fields);
            return self.spend_control(now);
        }
        self.last_peer_stream = id;
        if self.streams.len() >= self.options.max_concurrent_streams as usize {
            self.recycle(fields);
            return self.violate(id, ErrorCode::REFUSED_STREAM, "too many streams", now);
        }
        if let Err(reason) = field_rules::check(&fields, Block::Request) {
            self.recycle(fields);
            return self.violate(id, ErrorCode::PROTOCOL_ERROR, reason, now);
        }
        let mut stream = Stream::new(self.options.stream_window, self.peer.initial_window);
        stream.head_received = true;
        stream.remote_open = !end_stream;
        self.streams.insert(id, stream);
        self.events.push_back(Event::Headers {
            stream: id,
            fields,
            end_stream,
        });
        Ok(())
    }

    fn receive_response_block(
        &mut self,
        id: StreamId,
        end_stream: bool,
        fields: Fields,
        now: Instant,
    ) -> Outcome {
        self.check_not_idle(id)?;
        let Some(stream) = self.streams.get_mut(&id) else {
            self.recycle(fields);
            return self.receive_on_closed(id, now);
        };
        if stream.head_received {
            return self.receive_trailers(id, end_stream, fields, now);
        }
        if let Err(reason) = field_rules::check(&fields, Block::Response) {
            self.recycle(fields);
            return self.violate(id, ErrorCode::PROTOCOL_ERROR, reason, now);
        }
        // RFC 9113 section 8.1: interim responses come before the final one.
        if fields
            .get(b":status")
            .is_some_and(|status| status.starts_with(b"1"))
        {
            self.recycle(fields);
            if end_stream {
                return self.violate(id, ErrorCode::PROTOCOL_ERROR, "1xx with END_STREAM", now);
            }
            return self.spend_control(now);
        }
        stream.head_received = true;
        stream.remote_open = !end_stream;
        self.events.push_back(Event::Headers {
            stream: id,
            fields,
            end_stream,
        });
        self.close_if_ended(id);
        Ok(())
    }

    fn receive_trailers(
        &mut self,
        id: StreamId,
        end_stream: bool,
        fields: Fields,
        now: Instant,
    ) -> Outcome {
        let Some(stream) = self.streams.get_mut(&id) else {
            self.recycle(fields);
            return self.receive_on_closed(id, now);
        };
        let broken = if !stream.remote_open {
            Some((ErrorCode::STREAM_CLOSED, "HEADERS after END_STREAM"))
        } else if !end_stream {
            Some((
                ErrorCode::PROTOCOL_ERROR,
                "HEADERS in mid-stream without END_STREAM",
            ))
        } else {
            field_rules::check(&fields, Block::Trailers)
                .err()
                .map(|reason| (ErrorCode::PROTOCOL_ERROR, reason))
        };
        if let Some((code, reason)) = broken {
            self.recycle(fields);
            return self.violate(id, code, reason, now);
        }
        stream.remote_open = false;
        self.events
            .push_back(Event::Trailers { stream: id, fields });
        self.close_if_ended(id);
        Ok(())
    }

    // --- control frames -------------------------------------------------------

    fn receive_settings(&mut self, head: FrameHead, payload: &[u8], now: Instant) -> Outcome {
        self.spend_control(now)?;
        let settings = match frame::Settings::parse(head, payload) {
            Ok(SettingsFrame::Settings(settings)) => settings,
            Ok(SettingsFrame::Ack) => {
                self.decoder.settings_acknowledged();
                return Ok(());
            }
            Err(error) => return self.frame_error(0, error, now),
        };
        if self.role == Role::Client && settings.enable_push == Some(true) {
            return Err(ConnectionError::protocol("a server sent ENABLE_PUSH"));
        }
        self.settings_received = true;
        self.handshake_deadline = None;
        if let Some(size) = settings.header_table_size {
            self.encoder.set_max_table_size(size as usize);
        }
        if let Some(limit) = settings.max_concurrent_streams {
            self.peer.max_concurrent_streams = limit as usize;
        }
        if let Some(size) = settings.max_frame_size {
            self.peer.max_frame_size = size;
        }
        if let Some(size) = settings.max_header_list_size {
            self.peer.max_header_list_size = size as usize;
        }
        if let Some(window) = settings.initial_window_size {
            self.change_initial_window(window)?;
        }
        frame::Settings::encode_ack(self.output.buffer());
        self.induced += FrameHead::LEN;
        Ok(())
    }

    /// RFC 9113 section 6.9.2: the change applies to every open stream.
    fn change_initial_window(&mut self, window: u32) -> Outcome {
        let delta = i64::from(window) - i64::from(self.peer.initial_window);
        self.peer.initial_window = window;
        let mut unblocked = Vec::new();
        for (id, stream) in &mut self.streams {
            if stream.send.add(delta).is_err() {
                return Err(ConnectionError::new(
                    ErrorCode::FLOW_CONTROL_ERROR,
                    "SETTINGS raised a stream's window above 2^31-1",
                ));
            }
            if stream.sendable() && !stream.scheduled {
                unblocked.push(*id);
            }
        }
        unblocked.sort_unstable();
        for id in unblocked {
            self.schedule(id);
        }
        Ok(())
    }

    fn receive_ping(&mut self, head: FrameHead, payload: &[u8], now: Instant) -> Outcome {
        self.spend_control(now)?;
        let ping = match frame::Ping::parse(head, payload) {
            Ok(ping) => ping,
            Err(error) => return self.frame_error(0, error, now),
        };
        if !ping.ack {
            frame::Ping { ack: true, ..ping }.encode(self.output.buffer());
            self.induced += FrameHead::LEN + ping.data.len();
        } else if ping.data == DRAIN_PING && matches!(self.drain, Drain::Announced(_)) {
            self.drain_finally();
        }
        Ok(())
    }

    fn receive_go_away(&mut self, head: FrameHead, payload: &[u8], now: Instant) -> Outcome {
        self.spend_control(now)?;
        let go_away = match frame::GoAway::parse(head, payload) {
            Ok(go_away) => go_away,
            Err(error) => return self.frame_error(0, error, now),
        };
        self.peer_going_away = true;
        if self.role == Role::Client {
            let mut unprocessed: Vec<StreamId> = self
                .streams
                .keys()
                .copied()
                .filter(|id| *id > go_away.last_stream_id)
                .collect();
            unprocessed.sort_unstable();
            for id in unprocessed {
                self.remove(id);
                self.events.push_back(Event::Reset {
                    stream: id,
                    cause: ResetCause::Unprocessed,
                });
            }
        }
        let debug =
            Bytes::copy_from_slice(&go_away.debug_data[..go_away.debug_data.len().min(256)]);
        self.events.push_back(Event::GoAway {
            code: go_away.code,
            debug,
        });
        Ok(())
    }

    fn receive_window_update(&mut self, head: FrameHead, payload: &[u8], now: Instant) -> Outcome {
        self.spend_control(now)?;
        let update = match frame::WindowUpdate::parse(head, payload) {
            Ok(update) => update,
            Err(error) => return self.frame_error(head.stream_id, error, now),
        };
        let increment = i64::from(update.increment);
        if update.stream_id == 0 {
            return self.send_window.add(increment).map_err(|_| {
                ConnectionError::new(
                    ErrorCode::FLOW_CONTROL_ERROR,
                    "WINDOW_UPDATE raised the connection's window above 2^31-1",
                )
            });
        }
        self.check_not_idle(update.stream_id)?;
        let Some(stream) = self.streams.get_mut(&update.stream_id) else {
            return Ok(());
        };
        if stream.send.add(increment).is_err() {
            let reason = "WINDOW_UPDATE raised the stream's window above 2^31-1";
            return self.violate(update.stream_id, ErrorCode::FLOW_CONTROL_ERROR, reason, now);
        }
        self.schedule(update.stream_id);
        Ok(())
    }

    fn receive_reset(&mut self, head: FrameHead, payload: &[u8], now: Instant) -> Outcome {
        let reset = match frame::Reset::parse(head, payload) {
            Ok(reset) => reset,
            Err(error) => return self.frame_error(head.stream_id, error, now),
        };
        self.check_not_idle(reset.stream_id)?;
        self.spend_reset(now)?;
        if self.remove(reset.stream_id).is_some() {
            let cause = ResetCause::Peer(reset.code);
            self.events.push_back(Event::Reset {
                stream: reset.stream_id,
                cause,
            });
        }
        Ok(())
    }
}
