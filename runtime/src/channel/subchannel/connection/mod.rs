//! The calls of one client connection, from a waiting call to its end. The connection's
//! task owns this; callers reach it through queues. It neither waits nor dials.

mod responses;
mod watching;

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;

use self::responses::{ResponseOutcome, no_trailers};
use super::identity::Identity;
use super::unopened::Unopened;
use super::watch::watches::Watches;
use crate::call::command::{Command, Link};
use crate::call::commands::Commands;
use crate::call::deadlines::Deadlines;
use crate::call::gather::stalled;
use crate::call::sends::Sends;
use crate::call::state::Outgoing;
use crate::call::{reset, response_head};
use crate::channel::address::Destination;
use crate::channel::backoff::Waits;
use crate::channel::call::open_call::OpenCall;
use crate::channel::call::response_state::ResponseState;
use crate::clock;
use crate::framing::{PREFIX_LEN, Side};
use crate::observe::observation::Observation;
use crate::snapshot::sockets::Socket;
use crate::status::{Code, Phase, Status};
use crate::transport::PeerAddress;
use crate::transport::driver::{Application, Closed};
use crate::transport::http2::connection::{CannotOpen, Connection};
use crate::transport::http2::error_code::ErrorCode;
use crate::transport::http2::event::{Event, ResetCause, StreamId};
use crate::transport::http2::stream::{self, StreamMap};

/// A request head of more bytes than this waits for the limit in the server's SETTINGS.
/// Servers do not use lower limits, and a server may close the connection, with all its
/// calls, over a head that is far above its limit.
const HEAD_UNASKED: usize = 8 << 10;

/// The calls of one connection.
#[derive(Debug)]
pub(crate) struct ClientConnection {
    identity: Arc<Identity>,
    peer: Option<PeerAddress>,
    commands: Commands,
    /// Streams with something to send at the next write.
    sends: Sends,
    calls: StreamMap<Box<OpenCall>>,
    deadlines: Deadlines,
    pub(crate) unopened: Unopened,
    watches: Watches,
    /// The address it leads to, once HTTP/2 is established and it is its subchannel's
    /// connection.
    destination: Option<Destination>,
    /// The error of the server's GOAWAY, if it had one.
    go_away: Option<String>,
    /// The server closed the connection because of too many PINGs.
    pub(crate) pinged_too_often: bool,
    /// The server has answered a call.
    pub(crate) has_answered: bool,
    /// Set if there are observers.
    observation: Option<Box<Observation>>,
    /// Its entry in the record of its subchannel.
    _socket: Socket,
}

impl ClientConnection {
    pub(crate) fn new(
        identity: Arc<Identity>,
        peer: Option<PeerAddress>,
        unopened: Unopened,
        waits: Waits,
        observation: Option<Box<Observation>>,
        socket: Socket,
    ) -> Self {
        Self {
            identity,
            peer,
            commands: Commands::new(),
            sends: Sends::default(),
            calls: StreamMap::default(),
            deadlines: Deadlines::default(),
            unopened,
            watches: Watches::new(waits),
            destination: None,
            go_away: None,
            pinged_too_often: false,
            has_answered: false,
            observation,
            _socket: socket,
        }
    }

    /// The connection has ended: ends its calls, with the status that this returns.
    pub(crate) fn close(
        &mut self,
        closed: Closed,
        peer: &str,
        established: bool,
        now: Instant,
    ) -> Status {
        self.deadlines.clear();
        let go_away = self.go_away.as_deref();
        let status = reset::status_of_closed(closed, peer, go_away, established);
        for (_, open) in self.calls.drain() {
            open.fail_attempt(status.clone(), self.peer.as_ref(), now);
        }
        status
    }

    /// The channel was closed: ends every call and tells the server.
    pub(crate) fn abandon(&mut self, connection: &mut Connection, status: &Status, now: Instant) {
        self.deadlines.clear();
        for (stream, open) in self.calls.drain() {
            open.fail(status.clone(), now);
            connection.reset(stream, ErrorCode::CANCEL);
        }
        connection.drain(now);
        self.look(connection, now);
    }

    /// Reports what is new of the connection to observers.
    #[inline]
    fn look(&mut self, connection: &Connection, now: Instant) {
        if let Some(observation) = &mut self.observation {
            observation.look(connection, now);
        }
    }

    // --- requests ----------------------------------------------------------------

    fn open_waiting(&mut self, connection: &mut Connection, now: Instant) {
        while connection.can_open().is_ok() {
            let Some(open) = self.unopened.pop(connection.is_established()) else {
                break;
            };
            if let Some(open) = self.open(connection, open, now) {
                self.unopened.put_first(open);
                break;
            }
        }
        if self.unopened.is_closed() {
            self.leave(connection, now);
        }
    }

    /// Takes a call that waited at another connection; this one is established.
    pub(crate) fn adopt(&mut self, connection: &mut Connection, open: Box<OpenCall>, now: Instant) {
        if let Some(open) = self.open(connection, open, now) {
            self.open_again(open, now);
        }
    }

    /// Opens a stream for a call. Returns the call if it has to wait for the server's
    /// SETTINGS.
    fn open(
        &mut self,
        connection: &mut Connection,
        mut open: Box<OpenCall>,
        now: Instant,
    ) -> Option<Box<OpenCall>> {
        let timeout = open
            .options
            .deadline
            .map(|deadline| deadline.saturating_duration_since(now));
        if timeout.is_some_and(|timeout| timeout.is_zero()) {
            open.fail(self.unopened.expired(), now);
            return None;
        }
        let mut fields = connection.take_fields();
        let (path, encoding) = (open.method.path(), open.options.compression);
        let followed = open.state.ledger().and_then(|ledger| {
            let (own, number) = (&open.options.metadata, open.attempt.number);
            ledger.attempt_metadata(own, number)
        });
        let metadata = followed.as_ref().unwrap_or(&open.options.metadata);
        self.identity
            .template
            .write(path, timeout, encoding, metadata, &mut fields);
        if open.attempt.number > 0 {
            let number = open.attempt.number.to_string();
            fields.push(b"grpc-previous-rpc-attempts", number.as_bytes());
        }
        if fields.size() > HEAD_UNASKED && !connection.is_established() {
            connection.recycle(fields);
            return Some(open);
        }
        if fields.size() > connection.peer_header_list_limit() {
            let text = format!(
                "the call's metadata is above the server's limit: {} bytes of {} \
                 (SETTINGS_MAX_HEADER_LIST_SIZE)",
                fields.size(),
                connection.peer_header_list_limit()
            );
            open.fail(
                Status::new(Code::ResourceExhausted, text).with_phase(Phase::Send),
                now,
            );
            connection.recycle(fields);
            return None;
        }
        let opened = connection.open(&fields, now);
        connection.recycle(fields);
        let stream = match opened {
            Ok(stream) => stream,
            Err(CannotOpen::Later | CannotOpen::Never) => {
                self.open_again(open, now);
                return None;
            }
        };
        connection.tally().call();
        let link = Link {
            commands: self.commands.sender(),
            stream,
        };
        if !open.attach(link, connection.reports(), now) {
            connection.reset(stream, ErrorCode::CANCEL);
            return None;
        }
        self.deadlines.insert(open.options.deadline, stream);
        if let Some(ledger) = open.state.ledger() {
            ledger.attempt_goes_to(open.attempt.number, self.peer.as_ref(), now);
            if let Some(request) = &open.request {
                let wire_size = request.len() - PREFIX_LEN;
                let size = match open.options.plain_size {
                    0 => wire_size,
                    plain => plain as usize,
                };
                ledger.count_sent_one(size, wire_size);
            }
        }
        if let Some(request) = &open.request {
            connection.send_whole(stream, request, true);
            connection.tally().sent(1);
        } else if let Some(outgoing) = open.take(|state, _| Some(state.take_outbound())) {
            pass_on(connection, stream, &mut open, outgoing);
        }
        self.calls.insert(stream, open);
        None
    }

    /// Calls still wait after the streams that could be opened were.
    #[cold]
    fn look_at_waiting(&mut self, connection: &mut Connection, now: Instant, cx: &mut Context<'_>) {
        if !connection.is_established() {
            self.unopened.give_back_unless_sole();
        } else if !self.unopened.is_left() {
            return;
        }
        // The last call that waited here, for the server's SETTINGS or for room on a
        // connection that is otherwise not needed, may have been cancelled.
        self.unopened.settle(cx.waker());
        if self.unopened.is_closed() {
            self.leave(connection, now);
        }
    }

    /// A call that the server did not process waits for another stream.
    fn open_again(&mut self, mut open: Box<OpenCall>, now: Instant) {
        open.detach();
        open.attempt.end(Code::Unavailable, None);
        open.tell_unprocessed(now);
        if let Err(open) = self.unopened.put_back(open) {
            let status = reset::status_of(ResetCause::Unprocessed);
            open.fail_attempt(status, self.peer.as_ref(), now);
        }
    }

    /// The status of a call whose deadline passes while it has a stream.
    fn expired(&self, stream: StreamId, established: bool) -> Status {
        let peer = self.peer.as_ref().map(ToString::to_string);
        let peer = peer.unwrap_or_else(|| "the server".to_owned());
        let awaited = self
            .calls
            .get(&stream)
            .is_none_or(|open| matches!(open.attempt.response, ResponseState::Awaited));
        let text = match (established, awaited) {
            (false, _) => {
                format!("the call's deadline passed before {peer} sent its HTTP/2 SETTINGS")
            }
            (true, true) => format!("the call's deadline passed before {peer} answered"),
            (true, false) => format!("the call's deadline passed while {peer} answered"),
        };
        Status::new(Code::DeadlineExceeded, text).with_phase(Phase::Call)
    }

    #[inline]
    fn remove(&mut self, stream: StreamId) -> Option<Box<OpenCall>> {
        let open = self.calls.remove(&stream)?;
        stream::shrink(&mut self.calls);
        self.deadlines.remove(open.options.deadline, stream);
        Some(open)
    }

    fn apply(&mut self, connection: &mut Connection, command: &Command, now: Instant) {
        match *command {
            Command::Send(stream) => self.sends.push(stream),
            Command::Read(stream, progress) => progress.apply(connection, stream, now),
            Command::Cancel(stream) => {
                self.remove(stream);
                connection.reset(stream, ErrorCode::CANCEL);
                connection.forget(stream);
            }
            // These commands are sent only to servers' connections.
            Command::Begun(_)
            | Command::Finish(..)
            | Command::Starve
            | Command::Drain
            | Command::Close => {}
        }
    }
}

/// Sends what a streaming caller has pushed.
fn pass_on(connection: &mut Connection, stream: StreamId, open: &mut OpenCall, outgoing: Outgoing) {
    open.attempt.untouched &= outgoing.chunks.is_empty() && !outgoing.end;
    if outgoing.messages > 0 {
        connection.tally().sent(outgoing.messages);
    }
    let last = outgoing.chunks.len();
    for (index, chunk) in outgoing.chunks.into_iter().enumerate() {
        connection.send_data(stream, chunk, outgoing.end && index + 1 == last);
    }
    if outgoing.end && last == 0 {
        connection.send_data(stream, Bytes::new(), true);
    }
}

impl Application for ClientConnection {
    fn on_event(&mut self, connection: &mut Connection, event: Event, now: Instant) {
        match event {
            Event::Headers {
                stream,
                fields,
                end_stream,
            } => {
                let outcome = self.on_headers(connection, stream, &fields, end_stream, now);
                connection.recycle(fields);
                self.apply_outcome(connection, stream, outcome, now);
            }
            Event::Data {
                stream,
                data,
                end_stream,
            } => {
                let mut outcome = ResponseOutcome::Goes;
                if !data.is_empty() {
                    outcome = self.on_data(connection, stream, data, now);
                }
                if end_stream && matches!(outcome, ResponseOutcome::Goes) {
                    outcome = ResponseOutcome::Fails(no_trailers());
                }
                self.apply_outcome(connection, stream, outcome, now);
            }
            Event::Trailers { stream, fields } => {
                let ended = response_head::read_trailers(&fields);
                connection.recycle(fields);
                self.apply_outcome(connection, stream, ResponseOutcome::Ends(ended), now);
            }
            Event::Reset { stream, cause } => self.on_reset(connection, stream, cause, now),
            Event::Sent { stream, bytes, .. } => {
                // A whole request has no sender that waits for room.
                if let Some(open) = self.calls.get(&stream)
                    && open.request.is_none()
                {
                    open.sent(bytes);
                }
            }
            // Both halves ended, so the trailers' event came before this one. There is room
            // for another call.
            Event::Closed { .. } => {
                // Watches begin before waiting calls, which could otherwise keep them from
                // beginning.
                if !self.watches.is_empty() {
                    self.watches.begin(connection, &self.identity, now);
                }
                if !self.unopened.is_empty() {
                    self.open_waiting(connection, now);
                }
            }
            Event::GoAway { code, debug } => {
                if let Some(observation) = &mut self.observation {
                    observation.hear_go_away(connection, code.0, &debug);
                }
                self.on_go_away(connection.keepalive_time(), code, &debug);
            }
            Event::Report => self.report(connection, now),
            Event::Granted { stream } => {
                if let Some(open) = self.calls.get(&stream) {
                    open.state.grant_room();
                }
            }
            Event::Unpin => {
                for (stream, open) in &self.calls {
                    if connection.has_unread(*stream) {
                        open.state.unpin();
                    }
                }
            }
            Event::Stalled { stream } => {
                self.fail(connection, stream, stalled(Side::Client), now);
            }
            // Only a server's connections have a maximum age, and share memory.
            Event::Overstayed | Event::Room | Event::Look { .. } | Event::Unread { .. } => {}
        }
    }

    fn poll_commands(
        &mut self,
        connection: &mut Connection,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> bool {
        self.look(connection, now);
        let mut asked = false;
        if let Poll::Ready(mut batch) = self.commands.poll_take(cx) {
            for command in batch.drain(..) {
                self.apply(connection, &command, now);
            }
            self.commands.recycle(batch);
            asked = true;
        }
        let came = self.unopened.poll(cx);
        if came || !self.unopened.is_empty() {
            self.open_waiting(connection, now);
            if !self.unopened.is_empty() {
                self.look_at_waiting(connection, now, cx);
            }
            if self.unopened.take_watched_change() {
                self.watch(connection, now);
            }
        }
        // There may be room now, for whatever reason.
        if !self.watches.is_empty() {
            self.watches.begin(connection, &self.identity, now);
        }
        came || asked
    }

    fn flush(&mut self, connection: &mut Connection, now: Instant) {
        let due = self.sends.take();
        for stream in due.iter().copied() {
            let Some(open) = self.calls.get_mut(&stream) else {
                continue;
            };
            let taken = open.take(|state, at_once| {
                if at_once {
                    Some(state.take_outbound())
                } else {
                    state.take_when_due(now)
                }
            });
            match taken {
                Some(outgoing) => pass_on(connection, stream, open, outgoing),
                None => self.sends.hold(stream, now),
            }
        }
        self.sends.recycle(due);
    }

    fn in_flight(&self) -> usize {
        self.calls.len()
    }

    fn next_timeout(&self) -> Option<Instant> {
        let running = self.deadlines.next();
        let unopened = self.unopened.next_timeout();
        let calls = clock::earlier(clock::earlier(running, unopened), self.sends.next_timeout());
        if self.watches.is_empty() {
            return calls;
        }
        clock::earlier(calls, self.watches.next_timeout())
    }

    fn on_timeout(&mut self, connection: &mut Connection, now: Instant) {
        self.unopened.expire(now);
        self.sends.on_timeout(now);
        while let Some(stream) = self.deadlines.take_past(now) {
            let status = self.expired(stream, connection.is_established());
            self.fail(connection, stream, status, now);
        }
    }

    fn on_closed(&mut self, connection: &mut Connection, closed: &Closed, now: Instant) {
        if let Some(observation) = &mut self.observation {
            observation.end(connection, closed, now);
        }
    }
}

#[cfg(test)]
mod tests;
