//! One HTTP/2 connection as a state machine: bytes and the time go in, events and bytes come
//! out. Client and server differ only in their [`Role`]. It does no I/O, reads no clock and
//! is independent of gRPC.
//!
//! - `receive` (in `receive.rs`, with `data.rs`, `blocks.rs`, `control.rs`) takes
//!   the peer's bytes and queues [`Event`]s;
//! - `open`, `send_*`, `reset`, `release` (in `send.rs`) are the owner's commands;
//! - [`Connection::output`] has the bytes that the owner must write.
//!
//! Invariants: a stream is in `streams` from its first HEADERS until both halves ended or it
//! was reset; header blocks enter the output in the order in which they were encoded; no
//! input of the peer causes a panic.

mod blocks;
mod control;
mod credit;
mod data;
#[cfg(test)]
mod hostile_tests;
mod keeping;
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

use super::account::Account;
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
use super::options::Http2Options;
use super::output::Output;
use super::stream::{self, Stream, StreamMap};
use super::tally::{ConnectionCounts, Tally};
use keeping::KeptMemory;
use upkeep::Upkeep;

/// RFC 9113 section 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Above this the queued data of streams waits until some output is written.
pub(crate) const OUTPUT_HIGH_WATER: usize = 256 << 10;
/// The limit on queued replies to the peer in bytes (PING and SETTINGS acknowledgements,
/// resets, window updates): above this we stop reading until some are written.
const INDUCED_LIMIT: usize = 64 << 10;
/// Above this a server reads no more requests.
const OUTPUT_LIMIT: usize = 2 * OUTPUT_HIGH_WATER;
/// The payload of the PING that follows the first GOAWAY.
const DRAIN_PING: [u8; 8] = *b"draining";
/// If the peer does not answer that PING, draining goes on without it.
const DRAIN_PING_TIMEOUT: Duration = Duration::from_secs(5);

/// Which side of the connection we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Server,
}

/// The peer's SETTINGS.
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

/// The stage of a graceful shutdown (RFC 9113 section 6.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drain {
    No,
    /// GOAWAY(2³¹−1) and a PING are sent. New streams are served until the PING is answered
    /// or this moment. The last GOAWAY gives the reason.
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

/// A DATA frame of which some payload is still to come. Pieces are passed on as they arrive,
/// so that large frames are not gathered.
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
    /// This connection's account in the server's memory.
    account: Option<Box<Account>>,
    /// Buffers that were let go of since unread bytes were last copied out of them.
    pinned: usize,
    kept: StreamMap<KeptMemory>,
    /// What of the output the account has.
    output_kept: usize,
    /// The unread bytes of closed streams that a caller may still read.
    lingering: StreamMap<u32>,
    send_window: SendWindow,
    /// Streams with something to frame, each at most once.
    ready: VecDeque<StreamId>,
    output: Output,
    events: VecDeque<Event>,
    /// Field lists for reuse.
    spare_fields: Vec<Fields>,
    /// The next stream a client opens.
    next_stream: StreamId,
    /// The highest stream the peer opened.
    last_peer_stream: StreamId,
    /// The latest streams that the peer skipped by opening a higher one.
    skipped: VecDeque<RangeInclusive<StreamId>>,
    departed: Departed,
    /// Bytes of the client's preface that have not come yet.
    preface_left: usize,
    settings_received: bool,
    partial_block: Option<PartialBlock>,
    partial_data: Option<PartialData>,
    drain: Drain,
    /// The code and reason of this side's first GOAWAY.
    said_go_away: Option<ConnectionError>,
    peer_going_away: bool,
    budgets: Budgets,
    /// Calls that were answered and reset before a byte of their body came, since the
    /// budgets were last charged.
    unpaid: u32,
    /// Bytes of replies to the peer that were queued since the output was last empty.
    induced: usize,
    handshake_deadline: Option<Instant>,
    header_deadline: Option<Instant>,
    /// `None` if no option of it is set.
    upkeep: Option<Box<Upkeep>>,
    ping_limits: PingLimits,
    ping_strikes: PingStrikes,
    /// HEADERS or DATA was sent since the peer's last PING.
    sent_since_ping: bool,
    tally: Tally,
}

impl Connection {
    /// A connection with its preface and SETTINGS in the output.
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
            pinned: 0,
            kept: StreamMap::default(),
            output_kept: 0,
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

    /// The counters, for the owner to update.
    #[inline]
    pub(crate) fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }

    /// The counters, for reading from other threads.
    pub(crate) fn counts(&self) -> &Arc<ConnectionCounts> {
        self.tally.counts()
    }

    /// Publishes the counters, with this many calls in flight, when the owner rests or has
    /// done much.
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

    /// The socket has taken `written` bytes of the output.
    pub(crate) fn written(&mut self, written: usize) {
        self.output.advance(written);
        if let Some(account) = &mut self.account {
            account.written(written);
        }
        if self.output.is_empty() {
            self.induced = 0;
        }
    }

    /// Lends the output memory for encoding frames, if it has none.
    pub(crate) fn lend_output_buffer(&mut self, buffer: BytesMut) {
        self.output.lend(buffer);
    }

    /// Takes that memory back if there is nothing to write.
    pub(crate) fn take_output_buffer(&mut self) -> Option<BytesMut> {
        self.output.take_buffer()
    }

    /// Whether this is a client's connection on which the server has sent nothing yet.
    pub(crate) fn awaits_settings(&self) -> bool {
        self.role == Role::Client && !self.settings_received
    }

    /// Whether the owner should read more. Not while too many replies wait for the peer to
    /// read them.
    pub(crate) fn wants_input(&self) -> bool {
        self.induced < INDUCED_LIMIT
    }

    /// Whether a server reads requests at all: not while heads and trailers of responses,
    /// which no window bounds, are not taken. PINGs and their answers are not read meanwhile:
    /// keepalive finds such a client dead. A client reads in any case, since its server may
    /// wait for that.
    pub(crate) fn is_clogged(&self) -> bool {
        self.output.len() >= OUTPUT_LIMIT && self.role == Role::Server
    }

    /// Returns a field list for reuse by the next header block.
    #[inline(always)]
    pub(crate) fn recycle(&mut self, mut fields: Fields) {
        const KEEP: usize = 4;
        if self.spare_fields.len() < KEEP {
            fields.clear();
            self.spare_fields.push(fields);
        }
    }

    /// An empty field list, a reused one if there is any.
    #[inline]
    pub(crate) fn take_fields(&mut self) -> Fields {
        self.spare_fields.pop().unwrap_or_default()
    }

    pub(crate) fn options(&self) -> &Http2Options {
        &self.options
    }

    /// Whether both sides' settings are known, so that the connection is ready.
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
        let rare = earlier(rare, self.next_look());
        earlier(earlier(own, rare), upkeep)
    }

    /// Handles the timeouts that are due.
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
        self.report_unread(now)?;
        self.handle_upkeep_timeout(now)
    }

    /// Begins a graceful shutdown. With RFC 9113 section 6.8's two GOAWAYs, no call that the
    /// peer has already sent is lost.
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
        // The first GOAWAY does not contain the reason.
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

    /// Queues the GOAWAY before the owner closes the socket. Open streams are not reset,
    /// since nobody cancelled them: they end with their connection.
    pub(crate) fn abort(&mut self, error: ConnectionError) {
        self.cut();
        self.go_away(self.last_peer_stream, error.code, error.reason);
    }

    /// Ends the connection once the output is written, without a GOAWAY.
    pub(crate) fn cut(&mut self) {
        self.drain = Drain::Final;
        self.streams.clear();
        self.ready.clear();
        self.events.clear();
        self.let_go_of_all();
    }

    /// Whether no stream is open, none can be opened, and all output is written.
    pub(crate) fn is_finished(&self) -> bool {
        (self.drain == Drain::Final || self.peer_going_away)
            && self.streams.is_empty()
            && self.events.is_empty()
            && self.output.is_empty()
    }

    /// The code and reason of this side's GOAWAY, once it accepts no more calls.
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

    /// Removes a stream from the table and settles its credit.
    fn remove(&mut self, id: StreamId) -> Option<Stream> {
        let stream = self.streams.remove(&id)?;
        stream::shrink(&mut self.streams);
        self.settle(id, &stream);
        if !self.kept.is_empty() {
            self.let_go(id, &stream);
        }
        Some(stream)
    }

    /// Reports and removes a stream of which both halves have ended in order.
    fn close(&mut self, id: StreamId) {
        self.budgets.ended_in_order();
        self.remove_closed(id);
    }

    fn remove_closed(&mut self, id: StreamId) {
        self.remove(id);
        self.events.push_back(Event::Closed { stream: id });
    }

    /// Resets a stream after a stream error of the peer (RFC 9113 section 5.4.2). It costs
    /// the peer as much as its own resets.
    fn violate(
        &mut self,
        id: StreamId,
        code: ErrorCode,
        reason: &'static str,
        now: Instant,
    ) -> Result<(), ConnectionError> {
        // A client does not limit the stream errors of its server.
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

    /// Sends RST_STREAM. The peer may have sent as much as `window` allows before it
    /// receives that.
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
