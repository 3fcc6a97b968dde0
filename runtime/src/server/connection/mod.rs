//! The calls of one server connection: from a request's head to its trailers. The connection's
//! task owns this; handlers reach it through its command queue.
//!
//! Most calls never enter the table: their head and their message arrive one
//! after the other, and their handler ends in its first turn. A call that is in
//! the table leaves from every stage when its stream is reset or its deadline
//! passes: the handler's task is aborted, which drops its future.

mod handlers;
mod refused;
mod requests;

use self::handlers::end;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Instant;

use super::answer;
use super::call_count::CallCount;
use super::calls::{CallStage, Request, RunningHandler, ServerCall, ServerCalls};
use super::context::Peer;
use super::farewell::Farewell;
use super::limits::{Admission, Admitted};
use super::record::{ServerRecord, ServerSnapshot};
use super::router::{RouteId, Router};
use super::turns::Turns;
use super::weight::Watch;
use crate::call::command::{Command, Finished};
use crate::call::commands::Commands;
use crate::call::envelope::Parting;
use crate::call::gather::stalled;
use crate::call::ledger::Ledger;
use crate::call::queue::QueueSender;
use crate::call::sends::Sends;
use crate::call::shutdown::{Shutdown, ShutdownStage};
use crate::call::state::Outgoing;
use crate::chance::Chance;
use crate::clock;
use crate::framing::{Encodings, Side};
use crate::observe::observation::Observation;
use crate::observe::observer::Observers;
use crate::snapshot::entries::Inspected;
use crate::snapshot::sockets::{HasSockets, Socket, Sockets};
use crate::status::{Code, Status};
use crate::transport::driver::{Application, Closed};
use crate::transport::http2::connection::Connection;
use crate::transport::http2::error_code::ErrorCode;
use crate::transport::http2::event::{ConnectionError, Event, StreamId};
use crate::transport::http2::memory::Memory;
use crate::transport::http2::options::UpkeepOptions;

/// The state that all connections of a server share.
#[derive(Debug)]
pub(crate) struct ServerShared {
    pub(crate) router: Router,
    /// The encodings that requests may be compressed with.
    pub(crate) encodings: Encodings,
    /// The budget of received bytes for all its connections together.
    pub(crate) memory: Arc<Memory>,
    /// How long its connections live, and how they are known to live.
    pub(crate) upkeep: UpkeepOptions,
    /// Random source that spreads the connections' age limits.
    pub(crate) chance: Chance,
    /// Present where the server limits how many connections it has.
    pub(crate) admission: Option<Arc<Admission>>,
    /// Tells calls that the server shuts down.
    pub(crate) shutdown: Shutdown,
    /// Counts what a shutdown drains and cuts.
    pub(crate) farewell: Farewell,
    pub(crate) observers: Observers,
    /// The server's record, read by observers and channelz.
    pub(crate) record: ServerRecord,
}

impl HasSockets for ServerShared {
    fn sockets(&self) -> &Sockets {
        &self.record.sockets
    }
}

impl Inspected<ServerSnapshot> for ServerShared {
    fn inspect(&self) -> ServerSnapshot {
        self.record.snapshot()
    }
}

/// The calls of one connection.
#[derive(Debug)]
pub(crate) struct ServerConnection {
    shared: Arc<ServerShared>,
    peer: Peer,
    commands: Commands,
    /// Streams with something to send at the next write.
    sends: Sends,
    calls: ServerCalls,
    call_count: Arc<CallCount>,
    /// Requests whose heads came in this turn of the driver, in the order of their
    /// streams: most often their messages come in it too.
    /// Invariant: empty between two turns.
    fresh: VecDeque<Request>,
    watch: Watch,
    /// Made with the first heavy call.
    turns: Option<Turns>,
    /// The server's grace has begun: the connection reports how its calls end.
    is_draining: bool,
    /// Why its calls were cut, and it with them.
    cut: Option<&'static str>,
    /// They hear of its calls.
    observers: Observers,
    /// Its place among the server's connections, where these are limited.
    pub(super) admitted: Option<Admitted>,
    /// Present where there are any.
    observation: Option<Box<Observation>>,
    /// Its place among the connections of its server.
    _socket: Socket,
}

impl ServerConnection {
    pub(crate) fn new(
        shared: Arc<ServerShared>,
        peer: Peer,
        observation: Option<Box<Observation>>,
        socket: Socket,
        now: Instant,
    ) -> Self {
        let observers = shared.observers.apart();
        Self {
            shared,
            peer,
            commands: Commands::new(),
            sends: Sends::default(),
            calls: ServerCalls::default(),
            call_count: Arc::default(),
            fresh: VecDeque::new(),
            watch: Watch::new(now),
            turns: None,
            is_draining: false,
            cut: None,
            observers,
            admitted: None,
            observation,
            _socket: socket,
        }
    }

    /// The queue through which the connection takes orders.
    pub(crate) fn sender(&self) -> QueueSender<Command> {
        self.commands.sender()
    }

    /// How many calls it has, as its last turn began.
    pub(super) fn call_count(&self) -> &Arc<CallCount> {
        &self.call_count
    }

    /// Reports changes of the connection to the observers.
    #[inline]
    fn look(&mut self, connection: &Connection, now: Instant) {
        if let Some(observation) = &mut self.observation {
            observation.look(connection, now);
        }
    }

    // --- requests ----------------------------------------------------------------

    /// Sends the messages that a streaming handler has pushed.
    fn send(&mut self, connection: &mut Connection, stream: StreamId) {
        if let Some(state) = self.calls.streaming(stream) {
            let outgoing = state.take_outbound();
            self.pass_on(connection, stream, outgoing);
        }
    }

    fn pass_on(&mut self, connection: &mut Connection, stream: StreamId, outgoing: Outgoing) {
        let Some(running) = self.calls.running(stream) else {
            return;
        };
        if !running.head_sent && (outgoing.head.is_some() || !outgoing.chunks.is_empty()) {
            let head = outgoing.head.unwrap_or_default();
            running.head_sent = answer::send_head(connection, stream, outgoing.coding, &head);
            if running.head_sent
                && let Some(ledger) = &running.ledger
            {
                ledger.follow(|it| it.head_sent(&head));
            }
            if !running.head_sent {
                self.stop(connection, stream, answer::head_too_large);
                let failed = Finished::failed(answer::head_too_large());
                return self.finish(connection, stream, failed);
            }
        }
        if outgoing.messages > 0 {
            connection.tally().sent(outgoing.messages);
        }
        for chunk in outgoing.chunks {
            connection.send_data(stream, chunk, false);
        }
    }

    /// The end of a call in the table, from its handler or in its place.
    fn finish(&mut self, connection: &mut Connection, stream: StreamId, finished: Finished) {
        self.send(connection, stream);
        let Some(call) = self.calls.get_mut(stream) else {
            return;
        };
        let (head_sent, ledger) = match std::mem::replace(&mut call.stage, CallStage::Ending) {
            CallStage::Ending => return,
            CallStage::Gathering(gathering) => {
                if let Err(status) = &finished.result {
                    self.tell_unbegun(&gathering.request, status);
                }
                (false, None)
            }
            CallStage::Running(running) => {
                if let Some(state) = &running.state {
                    let ended = Status::new(Code::Cancelled, "the handler has ended");
                    if let Some(reserve) = state.deliver_handlers_end(Err(ended)) {
                        connection.adopt(stream, reserve);
                    }
                }
                self.end_turn(running.turn);
                (running.head_sent, running.ledger)
            }
        };
        if finished.answers() {
            return end(connection, stream, head_sent, finished, ledger);
        }
        self.part(connection, stream, head_sent, finished, ledger);
    }

    /// The handler wants more, or less, than an answer.
    #[cold]
    fn part(
        &mut self,
        connection: &mut Connection,
        stream: StreamId,
        head_sent: bool,
        finished: Finished,
        ledger: Option<Arc<Ledger>>,
    ) {
        match finished.parting() {
            Parting::Answers => return end(connection, stream, head_sent, finished, ledger),
            Parting::Drains => {
                end(connection, stream, head_sent, finished, ledger);
                return connection.drain(clock::now());
            }
            Parting::Resets(code) => {
                self.take_away(stream);
                connection.reset(stream, ErrorCode(code));
            }
            Parting::Cuts => {
                self.take_away(stream);
                for other in self.calls.streams() {
                    self.remove(connection, other, cancelled);
                }
                connection.cut();
            }
        }
        if let Some(ledger) = ledger {
            ledger.close_answered(&finished);
            Ledger::give_back(ledger);
        }
        finished.end();
    }

    /// Ends a call whose client does not read its response.
    fn cut_unread(&mut self, connection: &mut Connection, stream: StreamId) {
        self.remove(connection, stream, refused::unread);
        connection.reset(stream, ErrorCode::ENHANCE_YOUR_CALM);
    }

    /// Ends a call's handler and leaves the call its place.
    fn stop(
        &mut self,
        connection: &mut Connection,
        stream: StreamId,
        why: impl FnOnce() -> Status,
    ) {
        if let Some(running) = self.calls.take_running(stream) {
            let state = running.state.as_ref();
            if let Some(reserve) = state.and_then(|state| state.surrender()) {
                connection.adopt(stream, reserve);
            }
            self.halt(running, why);
        }
    }

    fn halt(&mut self, mut running: RunningHandler, why: impl FnOnce() -> Status) {
        let awaited = running.task.take_if(|_| self.is_draining);
        let turn = running.stop(why);
        if let Some(task) = awaited {
            task.abort();
            self.shared.farewell.stopped(task);
        }
        self.end_turn(turn);
    }

    fn take_away(&mut self, stream: StreamId) -> Option<CallStage> {
        let call = self.calls.remove(stream)?;
        self.depart(call.route);
        Some(call.stage)
    }

    /// A call that had its route is over.
    #[inline]
    fn depart(&self, route: RouteId) {
        if self.is_draining {
            let method = self.shared.router.entry(route).route.method;
            self.shared.farewell.finished(method);
        }
    }

    /// Takes a call away; its handler's future is dropped.
    fn remove(
        &mut self,
        connection: &mut Connection,
        stream: StreamId,
        why: impl FnOnce() -> Status,
    ) {
        match self.take_away(stream) {
            Some(CallStage::Running(running)) => {
                let_go(connection, &running);
                self.halt(running, why);
            }
            Some(CallStage::Gathering(gathering)) => self.tell_unbegun(&gathering.request, &why()),
            Some(CallStage::Ending) | None => {}
        }
    }

    fn apply(&mut self, connection: &mut Connection, command: Command, now: Instant) {
        match command {
            Command::Send(stream) => self.sends.push(stream),
            Command::Read(stream, progress) => progress.apply(connection, stream, now),
            Command::Cancel(stream) => {
                self.remove(connection, stream, cancelled);
                connection.reset(stream, ErrorCode::CANCEL);
            }
            Command::Begun(stream) => {
                if let Some(running) = self.calls.running(stream) {
                    let turn = std::mem::take(&mut running.turn);
                    self.end_turn(turn);
                }
            }
            Command::Finish(stream, finished) => self.finish(connection, stream, finished),
            Command::Starve => connection.starve(),
            Command::Drain => {
                let signal = self.shared.shutdown.signal();
                self.is_draining = signal.has_reached(ShutdownStage::Draining);
                connection.drain(now);
            }
            Command::Close => self.close(connection, "the server is shutting down"),
        }
    }

    /// The grace is over: what still runs is cut.
    fn close(&mut self, connection: &mut Connection, why: &'static str) {
        self.cut.get_or_insert(why);
        let status = || Status::new(Code::Unavailable, why);
        for stream in self.calls.streams() {
            if self.is_draining
                && let Some(call) = self.calls.get_mut(stream)
            {
                let method = self.shared.router.entry(call.route).route.method;
                self.shared.farewell.cut(method);
            }
            self.stop(connection, stream, status);
            self.finish(connection, stream, Finished::failed(status()));
        }
        connection.abort(ConnectionError::new(ErrorCode::NO_ERROR, why));
        self.call_count.close();
        // The calls that were cut have been reported.
        self.is_draining = false;
    }
}

impl Application for ServerConnection {
    fn on_event(&mut self, connection: &mut Connection, event: Event, now: Instant) {
        match event {
            Event::Headers {
                stream,
                fields,
                end_stream,
            } => {
                // Its first call may be over before the turn is.
                self.look(connection, now);
                self.on_headers(connection, stream, &fields, end_stream, now);
                connection.recycle(fields);
            }
            Event::Data {
                stream,
                data,
                end_stream,
            } => self.on_data(connection, stream, data, end_stream, now),
            // gRPC requests have no trailers; a client that sends them has
            // still ended its half in order.
            Event::Trailers { stream, fields } => {
                connection.recycle(fields);
                self.settle();
                self.end_of_request(connection, stream, now);
            }
            Event::Reset { stream, .. } => {
                if let Some(request) = self.take_fresh(stream) {
                    self.tell_unbegun(&request, &cancelled());
                }
                self.remove(connection, stream, cancelled);
            }
            Event::Closed { stream } => self.remove(connection, stream, cancelled),
            Event::Sent {
                stream,
                bytes,
                begun,
            } => {
                if let Some(state) = self.calls.streaming(stream)
                    && let Some(free) = state.sent(bytes, begun)
                {
                    connection.let_go_when_written(free);
                }
            }
            Event::GoAway { code, debug } => {
                if let Some(observation) = &mut self.observation {
                    observation.hear_go_away(connection, code.0, &debug);
                }
            }
            Event::Report => {
                self.settle();
                self.calls.report(connection, now);
            }
            Event::Granted { stream } => {
                if let Some(state) = self.calls.streaming(stream) {
                    state.grant_room();
                }
            }
            Event::Stalled { stream } => {
                let status = || stalled(Side::Server);
                self.stop(connection, stream, status);
                self.finish(connection, stream, Finished::failed(status()));
            }
            Event::Unpin => self.calls.unpin(connection),
            Event::Room => self.calls.offer_room(),
            Event::Look { is_wanted } => {
                for stream in self.calls.unread(is_wanted) {
                    self.cut_unread(connection, stream);
                }
            }
            Event::Unread { stream } => self.cut_unread(connection, stream),
            Event::Overstayed => {
                self.settle();
                let why = "the connection has reached its maximum age, and its grace is over";
                self.close(connection, why);
            }
        }
    }

    fn poll_commands(
        &mut self,
        connection: &mut Connection,
        now: Instant,
        cx: &mut TaskContext<'_>,
    ) -> bool {
        self.settle();
        self.look(connection, now);
        self.call_count.set(self.calls.len());
        if self.watch.in_lap() {
            self.watch.lap(clock::now());
        }
        let mut asked = false;
        if let Poll::Ready(mut batch) = self.commands.poll_take(cx) {
            for command in batch.drain(..) {
                self.apply(connection, command, now);
            }
            self.commands.recycle(batch);
            asked = true;
        }
        self.give_turns(connection);
        asked
    }

    fn flush(&mut self, connection: &mut Connection, now: Instant) {
        let due = self.sends.take();
        for stream in due.iter().copied() {
            let Some(state) = self.calls.streaming(stream) else {
                continue;
            };
            match state.take_when_due(now) {
                Some(outgoing) => self.pass_on(connection, stream, outgoing),
                None => self.sends.hold(stream, now),
            }
        }
        self.sends.recycle(due);
    }

    fn in_flight(&self) -> usize {
        self.calls.len()
    }

    fn next_timeout(&self) -> Option<Instant> {
        [self.calls.next_deadline(), self.sends.next_timeout()]
            .into_iter()
            .flatten()
            .min()
    }

    fn on_timeout(&mut self, connection: &mut Connection, now: Instant) {
        self.sends.on_timeout(now);
        while let Some(stream) = self.calls.expired(now) {
            self.stop(connection, stream, expired);
            if connection.has_queued(stream) {
                // The peer does not read: trailers would wait behind its window.
                self.remove(connection, stream, expired);
                connection.reset(stream, ErrorCode::CANCEL);
            } else {
                self.finish(connection, stream, Finished::failed(expired()));
            }
        }
    }

    fn on_closed(&mut self, connection: &mut Connection, closed: &Closed, now: Instant) {
        let Some(observation) = &mut self.observation else {
            return;
        };
        match (closed, self.cut) {
            (Closed::Drained, Some(why)) => {
                let cut = ConnectionError::new(ErrorCode::NO_ERROR, why);
                observation.end(connection, &Closed::Protocol(cut), now);
            }
            _ => observation.end(connection, closed, now),
        }
    }
}

impl Drop for ServerConnection {
    /// A connection that is gone takes its calls with it.
    fn drop(&mut self) {
        self.settle();
        let calls: Vec<ServerCall> = self.calls.drain().collect();
        for call in calls {
            self.depart(call.route);
            match call.stage {
                CallStage::Running(running) => self.halt(running, cancelled),
                CallStage::Gathering(gathering) => {
                    self.tell_unbegun(&gathering.request, &cancelled());
                }
                CallStage::Ending => {}
            }
        }
    }
}

/// What a response had of the server's memory goes with what the output has of it.
#[cold]
fn let_go(connection: &mut Connection, running: &RunningHandler) {
    let state = running.state.as_ref();
    if let Some(reserve) = state.and_then(|state| state.surrender()) {
        connection.let_go_when_written(reserve);
    }
}

fn cancelled() -> Status {
    Status::new(Code::Cancelled, "the call was cancelled by its caller")
}

fn expired() -> Status {
    Status::new(
        Code::DeadlineExceeded,
        "the call's deadline passed before the server answered",
    )
}
