//! One HTTP/2 connection as a machine: bytes and the time go in, events and bytes come out.
//! Client and server are the same machine with another [`Role`]. It does no I/O, reads no clock
//! and knows nothing of gRPC.
//!
//! - `receive` (in `receive.rs`, with `data.rs`, `blocks.rs`, `control.rs`) takes
//!   the peer's bytes and queues [`Event`]s;
//! - `open`, `send_*`, `reset`, `release` (in `send.rs`) are what the owner says;
//! - [`Connection::output`] is what the owner must write.
//!
//! Invariants: a stream is in `streams` from its first HEADERS until both
//! halves ended or it was reset; header blocks enter the output in the order in
//! which the HPACK encoder saw them; no call ever panics on the peer's bytes.

mod blocks;
mod control;
mod credit;
mod data;
#[cfg(test)]
mod hostile_tests;
mod receive;
mod send;
#[cfg(test)]
mod tests;
mod upkeep;

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;

pub(crate) use send::CannotOpen;

use super::budgets::{Budgets, Spent};
use super::credit::Credit;
use super::departed::Departed;
use super::error_code::ErrorCode;
use super::event::{ConnectionError, Event, ResetCause, StreamId};
use super::fields::Fields;
use super::flow::{DEFAULT_WINDOW, SendWindow};
use super::frame;
use super::grants::Grants;
use super::hpack;
use super::keepalive::{PingLimits, PingStrikes};
use super::memory::Account;
use super::options::Http2Options;
use super::output::Output;
use super::stream::{self, Stream, StreamMap};
use super::tally::{ConnectionCounts, Tally};
use upkeep::Upkeep;

/// RFC 9113 section 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Above this the queued data of streams waits until some output is written.
pub(crate) const OUTPUT_HIGH_WATER: usize = 256 << 10;
/// Replies the peer made us queue (PING and SETTINGS acknowledgements, resets,
/// window updates): above this we stop reading until some are written.
const INDUCED_LIMIT: usize = 64 << 10;
/// A client's GOAWAY wait: after the PING that follows the first GOAWAY.
const DRAIN_PING: [u8; 8] = *b"draining";
/// If the peer does not answer that PING, draining goes on without it.
const DRAIN_PING_TIMEOUT: Duration = Duration::from_secs(5);

/// Which side of the connection we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Server,
}

/// What the peer's SETTINGS say.
#[derive(Debug)]
struct PeerSettings {
    initial_window: u32,
    max_frame_size: u32,
    max_concurrent_streams: usize,
    max_header_list_size: usize,
}

impl Default for PeerSettings {
    /// RFC 9113 section 6.5.2's initial values.
    fn default() -> Self {
        Self {
            initial_window: DEFAULT_WINDOW,
            max_frame_size: 16_384,
            max_concurrent_streams: usize::MAX,
            max_header_list_size: usize::MAX,
        }
    }
}

/// How far the way out has been gone (RFC 9113 section 6.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drain {
    No,
    /// GOAWAY(2³¹−1) and a PING are sent: new streams are still served until
    /// the PING returns or this moment. The last GOAWAY gives the reason.
    Announced(Instant, &'static str),
    /// GOAWAY with the last stream is sent: later ones are ignored.
    Final,
}

/// A header block that waits for its CONTINUATION frames.
#[derive(Debug)]
struct PartialBlock {
    stream: StreamId,
    end_stream: bool,
    bytes: BytesMut,
    frames: u32,
}

/// A DATA frame of which some payload is still to come. Pieces are passed on as
/// they arrive, so that a large frame is never gathered first.
#[derive(Debug)]
struct PartialData {
    stream: StreamId,
    left: usize,
    end_stream: bool,
}

/// One HTTP/2 connection.
pub(crate) struct Connection {
    role: Role,
    options: Http2Options,
    decoder: hpack::Decoder,
    encoder: hpack::Encoder,
    streams: StreamMap<Stream>,
    peer: PeerSettings,
    credit: Credit,
    grants: Grants,
    /// What this connection has of a server's memory.
    account: Option<Box<Account>>,
    /// What streams that are gone have left for a caller to read.
    lingering: StreamMap<u32>,
    send_window: SendWindow,
    /// Streams with something to frame; each stands here once.
    ready: VecDeque<StreamId>,
    output: Output,
    events: VecDeque<Event>,
    /// Field lists given back, to be used again.
    spare_fields: Vec<Fields>,
    /// The next stream a client opens.
    next_stream: StreamId,
    /// The highest stream the peer opened.
    last_peer_stream: StreamId,
    /// Streams that the peer passed over when it opened a higher one, the latest of
    /// them.
    skipped: VecDeque<RangeInclusive<StreamId>>,
    departed: Departed,
    /// Bytes of the client's preface a server still waits for.
    preface_left: usize,
    settings_received: bool,
    partial_block: Option<PartialBlock>,
    partial_data: Option<PartialData>,
    drain: Drain,
    /// What the first GOAWAY of this side says.
    said_go_away: Option<ConnectionError>,
    peer_going_away: bool,
    budgets: Budgets,
    /// Calls that were answered and cut before a byte of their body came, since the
    /// budgets were last asked.
    unpaid: u32,
    /// Bytes of replies the peer made us queue since the output was last empty.
    induced: usize,
    handshake_deadline: Option<Instant>,
    header_deadline: Option<Instant>,
    /// Only where something of it was asked for.
    upkeep: Option<Box<Upkeep>>,
    ping_limits: PingLimits,
    ping_strikes: PingStrikes,
    /// HEADERS or DATA went out since the peer's last PING.
    sent_since_ping: bool,
    tally: Tally,
}

impl Connection {
    /// A connection whose preface and SETTINGS wait in the output.
    pub(crate) fn new(role: Role, options: Http2Options, now: Instant) -> Self {
        let mut connection = Self {
            role,
            decoder: hpack::Decoder::new(hpack::DEFAULT_TABLE_SIZE),
            encoder: hpack::Encoder::new(hpack::DEFAULT_TABLE_SIZE),
            streams: StreamMap::default(),
            peer: PeerSettings::default(),
            credit: Credit::new(
                options.stream_window,
                options.connection_window,
                options.connection_buffer,
            ),
            grants: Grants::new(options.message_buffer),
            account: None,
            lingering: StreamMap::default(),
            send_window: SendWindow::new(DEFAULT_WINDOW),
            ready: VecDeque::new(),
            output: Output::default(),
            events: VecDeque::new(),
            spare_fields: Vec::new(),
            next_stream: 1,
            last_peer_stream: 0,
            skipped: VecDeque::new(),
            departed: Departed::default(),
            preface_left: if role == Role::Server {
                PREFACE.len()
            } else {
                0
            },
            settings_received: false,
            partial_block: None,
            partial_data: None,
            drain: Drain::No,
            said_go_away: None,
            peer_going_away: false,
            budgets: Budgets::new(options.control_burst, options.reset_burst, now),
            unpaid: 0,
            induced: 0,
            handshake_deadline: Some(now + options.handshake_timeout),
            header_deadline: None,
            upkeep: None,
            ping_limits: PingLimits::default(),
            ping_strikes: PingStrikes::default(),
            sent_since_ping: false,
            tally: Tally::new(now),
            options,
        };
        connection.greet();
        connection
    }

    fn greet(&mut self) {
        if self.role == Role::Client {
            self.output.buffer().extend_from_slice(PREFACE);
        }
        let settings = frame::Settings {
            enable_push: (self.role == Role::Client).then_some(false),
            max_concurrent_streams: (self.role == Role::Server)
                .then_some(self.options.max_concurrent_streams),
            initial_window_size: Some(self.options.stream_window),
            max_frame_size: Some(self.options.max_frame_size),
            max_header_list_size: Some(self.options.max_header_list_size),
            ..frame::Settings::default()
        };
        settings.encode(self.output.buffer());
        if let Some(increment) = self.credit.update(true) {
            frame::WindowUpdate {
                stream_id: 0,
                increment,
            }
            .encode(self.output.buffer());
        }
    }

    /// What it has done, for its owner to count in.
    #[inline]
    pub(crate) fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }

    /// What it has done, for those who look at it from outside.
    pub(crate) fn counts(&self) -> &Arc<ConnectionCounts> {
        self.tally.counts()
    }

    /// The owner rests, or has done much, with so many calls under way.
    #[inline]
    pub(crate) fn publish(&mut self, in_flight: usize, now: Instant) {
        self.tally.publish(in_flight, now);
    }

    pub(crate) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(crate) fn output(&self) -> &Output {
        &self.output
    }

    /// `written` bytes of the output are with the socket.
    pub(crate) fn written(&mut self, written: usize) {
        self.output.advance(written);
        if self.output.is_empty() {
            self.induced = 0;
        }
    }

    /// Memory for frames that are encoded in place, where the output has none.
    pub(crate) fn lend_output_buffer(&mut self, buffer: BytesMut) {
        self.output.lend(buffer);
    }

    /// Takes that memory back while there is nothing to write.
    pub(crate) fn take_output_buffer(&mut self) -> Option<BytesMut> {
        self.output.take_buffer()
    }

    /// A client's, of which the server has said nothing yet.
    pub(crate) fn awaits_settings(&self) -> bool {
        self.role == Role::Client && !self.settings_received
    }

    /// Whether the owner should pass in more bytes. A peer that makes us answer
    /// without reading the answers is not read from.
    pub(crate) fn wants_input(&self) -> bool {
        self.induced < INDUCED_LIMIT
    }

    /// Gives a field list back, so that the next header block needs none.
    #[inline(always)]
    pub(crate) fn recycle(&mut self, mut fields: Fields) {
        const KEEP: usize = 4;
        if self.spare_fields.len() < KEEP {
            fields.clear();
            self.spare_fields.push(fields);
        }
    }

    /// An empty field list, used before if there is one.
    #[inline]
    pub(crate) fn take_fields(&mut self) -> Fields {
        self.spare_fields.pop().unwrap_or_default()
    }

    pub(crate) fn options(&self) -> &Http2Options {
        &self.options
    }

    /// Both sides' settings are known: the connection may be called ready.
    pub(crate) fn is_established(&self) -> bool {
        self.settings_received
    }

    /// The moment at which [`handle_timeout`](Self::handle_timeout) must be
    /// called.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let drain = match self.drain {
            Drain::Announced(until, _) => Some(until),
            Drain::No | Drain::Final => None,
        };
        let upkeep = self.upkeep.as_ref();
        let upkeep = upkeep.and_then(|upkeep| upkeep.next_timeout(!self.streams.is_empty()));
        let own = earlier(self.handshake_deadline, self.header_deadline);
        let rare = earlier(drain, self.grants.next_timeout());
        earlier(earlier(own, rare), upkeep)
    }

    /// What time alone changes.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Result<(), ConnectionError> {
        let past = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        if past(self.handshake_deadline) {
            return Err(ConnectionError::new(
                ErrorCode::SETTINGS_TIMEOUT,
                "no preface and SETTINGS within the handshake timeout",
            ));
        }
        if past(self.header_deadline) {
            return Err(ConnectionError::calm(
                "a header block was not finished in time",
            ));
        }
        if let Drain::Announced(until, reason) = self.drain
            && until <= now
        {
            self.drain_finally(reason);
        }
        self.report_stalled(now);
        self.handle_upkeep_timeout(now)
    }

    /// Begins to leave in order: no call that the peer has already sent is lost
    /// (RFC 9113 section 6.8's two GOAWAYs).
    pub(crate) fn drain(&mut self, now: Instant) {
        self.leave("", now);
    }

    fn leave(&mut self, reason: &'static str, now: Instant) {
        if self.drain != Drain::No {
            return;
        }
        if self.role == Role::Client || !self.settings_received {
            self.drain_finally(reason);
            return;
        }
        // The first GOAWAY says nothing of it to the peer.
        let said = ConnectionError::new(ErrorCode::NO_ERROR, reason);
        self.said_go_away.get_or_insert(said);
        self.go_away(StreamId::MAX >> 1, ErrorCode::NO_ERROR, "");
        frame::Ping {
            ack: false,
            data: DRAIN_PING,
        }
        .encode(self.output.buffer());
        self.drain = Drain::Announced(now + DRAIN_PING_TIMEOUT, reason);
    }

    fn drain_finally(&mut self, reason: &'static str) {
        self.drain = Drain::Final;
        self.go_away(self.last_peer_stream, ErrorCode::NO_ERROR, reason);
    }

    /// The last word before the owner closes the socket. Streams that are open are
    /// not reset, as nobody cancelled them: they end with their connection.
    pub(crate) fn abort(&mut self, error: ConnectionError) {
        self.drain = Drain::Final;
        self.streams.clear();
        self.ready.clear();
        self.events.clear();
        self.go_away(self.last_peer_stream, error.code, error.reason);
    }

    /// Ends the connection once all is written that there is, and tells the peer nothing.
    pub(crate) fn cut(&mut self) {
        self.drain = Drain::Final;
        self.streams.clear();
        self.ready.clear();
        self.events.clear();
    }

    /// Nothing is open, nothing will be, and all is written.
    pub(crate) fn is_finished(&self) -> bool {
        (self.drain == Drain::Final || self.peer_going_away)
            && self.streams.is_empty()
            && self.events.is_empty()
            && self.output.is_empty()
    }

    /// What this side says in GOAWAY, from when it takes no more calls.
    pub(crate) fn said_go_away(&self) -> Option<&ConnectionError> {
        self.said_go_away.as_ref()
    }

    fn go_away(&mut self, last_stream_id: StreamId, code: ErrorCode, reason: &'static str) {
        let said = ConnectionError::new(code, reason);
        self.said_go_away.get_or_insert(said);
        frame::GoAway {
            last_stream_id,
            code,
            debug_data: reason.as_bytes(),
        }
        .encode(self.output.buffer());
    }

    /// Takes a stream out of the table and what it held off the books.
    fn remove(&mut self, id: StreamId) -> Option<Stream> {
        let stream = self.streams.remove(&id)?;
        stream::shrink(&mut self.streams);
        self.settle(id, &stream);
        Some(stream)
    }

    /// Both halves ended in order: reports and removes the stream.
    fn close(&mut self, id: StreamId) {
        self.budgets.ended_in_order();
        self.remove_closed(id);
    }

    fn remove_closed(&mut self, id: StreamId) {
        self.remove(id);
        self.events.push_back(Event::Closed { stream: id });
    }

    /// A stream error of our finding: RFC 9113 section 5.4.2. What the peer
    /// makes us reset costs it as much as its own resets.
    fn violate(
        &mut self,
        id: StreamId,
        code: ErrorCode,
        reason: &'static str,
        now: Instant,
    ) -> Result<(), ConnectionError> {
        // A server that breaks rules is merely unhelpful.
        if self.role == Role::Server {
            too_many_resets(self.budgets.provoked(now))?;
        }
        let window = match self.remove(id) {
            Some(stream) => {
                let cause = ResetCause::Violation(code, reason);
                self.events.push_back(Event::Reset { stream: id, cause });
                stream.receive.window()
            }
            None => self.credit.initial_window(),
        };
        self.encode_reset(id, code, window);
        self.induced += frame::FrameHead::LEN + 4;
        Ok(())
    }

    /// The peer may have sent as much as `window` allows before it hears of it.
    fn encode_reset(&mut self, id: StreamId, code: ErrorCode, window: u32) {
        self.departed.remember(id, window);
        self.budgets.reset_sent();
        frame::Reset {
            stream_id: id,
            code,
        }
        .encode(self.output.buffer());
    }

    fn spend_control(&mut self, now: Instant) -> Result<(), ConnectionError> {
        too_many_controls(self.budgets.control(now))
    }
}

fn too_many_controls(spent: Result<(), Spent>) -> Result<(), ConnectionError> {
    spent.map_err(|Spent| ConnectionError::calm("too many frames that carry no work"))
}

fn too_many_resets(spent: Result<(), Spent>) -> Result<(), ConnectionError> {
    spent.map_err(|Spent| {
        ConnectionError::calm("too many calls that were reset before they could be answered")
    })
}

#[inline]
fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("role", &self.role)
            .field("streams", &self.streams.len())
            .field("drain", &self.drain)
            .finish_non_exhaustive()
    }
}
