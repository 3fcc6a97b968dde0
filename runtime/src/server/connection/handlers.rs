//! How handlers begin: in place, or on tasks of their own, in turn, where their method is
//! heavy. A method's first calls run in place, which is how its weight is learnt.

use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::ServerConnection;
use crate::call::command::{Command, Finished, Link, Progress};
use crate::call::early_head::EarlyHead;
use crate::call::ledger::Ledger;
use crate::call::state::CallState;
use crate::clock;
use crate::deadline::Deadline;
use crate::framing::{PREFIX_LEN, Payload, Side};
use crate::method::Shape;
use crate::observe::begun_call::BegunCall;
use crate::server::answer;
use crate::server::calls::{CallStage, Request, RunningHandler, WaitingHandler};
use crate::server::context::Context;
use crate::server::handler::{self, Begun, HandlerTask, Input, Invocation, Route};
use crate::server::limits::{Entrance, InLine};
use crate::server::turns::Turns;
use crate::transport::http2::connection::Connection;
use crate::transport::http2::event::StreamId;

impl ServerConnection {
    /// Begins the handler of a call that is complete and not yet in the table: at once, or
    /// in its turn if the method is heavy.
    #[expect(
        clippy::inline_always,
        reason = "its arguments are large, and it is but a branch"
    )]
    #[inline(always)]
    pub(super) fn start(
        &mut self,
        connection: &mut Connection,
        request: Request,
        message: Option<Payload>,
        now: Instant,
    ) {
        if message.is_some() {
            connection.tally().received(1);
        }
        if self.shared.router.entry(request.route).bounds.is_some() {
            return self.start_bounded(connection, request, message, now);
        }
        self.start_held(connection, request, message, None, now);
    }

    /// The same where there are limits.
    #[cold]
    fn start_bounded(
        &mut self,
        connection: &mut Connection,
        mut request: Request,
        message: Option<Payload>,
        now: Instant,
    ) {
        let bounds = self.shared.router.entry(request.route).bounds.as_ref();
        let line = match bounds.and_then(|bounds| bounds.enter().transpose()) {
            None => None,
            Some(Ok(Entrance::Enters(places))) => {
                request.envelope.held = Some(places.settle());
                None
            }
            Some(Ok(Entrance::Waits(line))) => Some(Box::new(line)),
            Some(Err(status)) => {
                return self.refuse_whole(connection, &request, message.as_ref(), status);
            }
        };
        self.start_held(connection, request, message, line, now);
    }

    /// A call with all the places that it needs, or with one in the line for them.
    fn start_held(
        &mut self,
        connection: &mut Connection,
        mut request: Request,
        message: Option<Payload>,
        line: Option<Box<InLine>>,
        now: Instant,
    ) {
        let (stream, id) = (request.stream, request.route);
        let compression = &mut request.envelope.compression;
        compression.request_was_compressed = message.as_ref().is_some_and(Payload::is_compressed);
        let (sends, receives) = (compression.response, compression.request);
        let entry = self.shared.router.entry(request.route);
        let route = &entry.route;
        let shape = route.method.shape();
        let weight = route.weight();
        let is_watched = route.is_intercepted || self.observers.want_calls();
        let ledger = is_watched.then(|| {
            let call = BegunCall {
                side: Side::Server,
                method: route.method,
                target: None,
                peer: Some(&self.peer.address),
                metadata: &request.envelope.request,
                deadline: request.deadline.map(Deadline::at),
            };
            let ledger = Ledger::begin(self.observers.clone(), &call, request.began);
            // Of a call that is intercepted it counts once its handler begins.
            if let Some(message) = &message
                && !route.is_intercepted
            {
                ledger.received.set_one(message.len());
            }
            ledger
        });
        let state = (shape.client_streams || shape.server_streams).then(|| {
            let send_buffer = connection.options().send_buffer;
            let state = CallState::new(send_buffer, sends, receives, ledger.clone());
            let early = if shape == Shape::BIDI_STREAMING {
                // A handler that waits in a line or for its turn begins outside of this
                // task, where an early head is not looked for.
                EarlyHead::armed(!weight.is_heavy() && line.is_none())
            } else {
                EarlyHead::default()
            };
            state.attach_handler(self.link(stream), connection.reports(), early);
            state
        });
        let replies = state.clone().filter(|_| shape.server_streams);
        let mut invocation = Invocation {
            context: Context::new(
                request.envelope,
                route.method,
                request.deadline.map(Deadline::at),
                self.peer.clone(),
                replies,
            ),
            input: Input {
                message,
                state: state.clone(),
                ledger: ledger.clone(),
                limits: entry.limits,
                validator: None,
            },
        };
        let mut running = RunningHandler {
            state,
            ledger,
            ..RunningHandler::default()
        };
        if let Some(line) = line {
            let route = Arc::clone(route);
            running.task = Some(self.wait_in_line(stream, route, invocation, line));
            let stage = CallStage::Running(running);
            return self.calls.insert(stream, id, stage, request.deadline);
        }
        if weight.is_heavy() {
            if let Some(message) = &mut invocation.input.message {
                message.unpin();
            }
            let route = Arc::clone(route);
            running.waiting = Some(Box::new(WaitingHandler { route, invocation }));
            let stage = CallStage::Running(running);
            self.calls.insert(stream, id, stage, request.deadline);
            self.turns.get_or_insert_with(turns).wait(stream);
            return self.give_turns(connection);
        }
        if invocation.input.message.is_some() {
            connection.release(stream, usize::MAX);
        }
        handler::begin_turn(running.ledger.as_deref());
        let begun = if self.watch.is_close() || !weight.is_known() {
            let began = clock::now();
            let begun = route.begin(invocation);
            let ended = clock::now();
            route.weigh(ended.saturating_duration_since(began));
            self.watch.timed(ended);
            begun
        } else {
            let begun = route.begin(invocation);
            if self.watch.ran(now) {
                self.watch.lap(clock::now());
            }
            begun
        };
        handler::end_turn(running.ledger.as_deref(), &begun);
        match begun {
            // The response is unary, so no other task has a reference to the call.
            Begun::Finished(finished) if running.state.is_none() && finished.answers() => {
                end(connection, stream, false, finished, running.ledger.take());
                if connection.has_queued(stream) {
                    self.calls
                        .insert(stream, id, CallStage::Ending, request.deadline);
                } else {
                    self.depart(id);
                }
            }
            Begun::Finished(finished) => {
                let stage = CallStage::Running(running);
                self.calls.insert(stream, id, stage, request.deadline);
                self.finish(connection, stream, finished);
            }
            Begun::Panicked(_) => {
                let finished = handler::panicked(route.method);
                let stage = CallStage::Running(running);
                self.calls.insert(stream, id, stage, request.deadline);
                self.finish(connection, stream, finished);
            }
            Begun::Waits(future) => {
                if shape == Shape::BIDI_STREAMING {
                    // It may wait for a client that waits for its head.
                    self.sends.push(stream);
                }
                let ledger = running.ledger.clone();
                let task = HandlerTask::new(future, self.link(stream), route.method, ledger);
                running.task = Some(tokio::spawn(task));
                let stage = CallStage::Running(running);
                self.calls.insert(stream, id, stage, request.deadline);
            }
        }
    }

    /// Puts a call that found no place in its line: it waits on a separate task, where its
    /// handler then begins. Until then the connection holds its request.
    #[cold]
    fn wait_in_line(
        &self,
        stream: StreamId,
        route: Arc<Route>,
        mut invocation: Invocation,
        line: Box<InLine>,
    ) -> JoinHandle<()> {
        let (link, method) = (self.link(stream), route.method);
        let ledger = invocation.input.ledger.clone();
        let holds = match &mut invocation.input.message {
            Some(message) => {
                message.unpin();
                Some(self.link(stream))
            }
            None => None,
        };
        let handler = Box::pin(async move {
            invocation.context.hold(line.await.settle());
            if let Some(link) = holds {
                let all = Progress {
                    consumed: usize::MAX,
                    awaits: 0,
                };
                link.send(Command::Read(link.stream, all));
            }
            route.handle(invocation).await
        });
        tokio::spawn(HandlerTask::new(handler, link, method, ledger))
    }

    /// Lets heavy handlers begin that have waited longest. Their requests were the
    /// connection's until now.
    pub(super) fn give_turns(&mut self, connection: &mut Connection) {
        let Some(turns) = &mut self.turns else {
            return;
        };
        while let Some(stream) = turns.next() {
            let link = Link {
                commands: self.commands.sender(),
                stream,
            };
            // A call that was cancelled or ran out of time waits no more.
            if let Some(running) = self.calls.running(stream)
                && let Some(waiting) = running.waiting.take()
            {
                let WaitingHandler { route, invocation } = *waiting;
                if invocation.input.message.is_some() {
                    connection.release(stream, usize::MAX);
                }
                running.turn = route.weight().nanos();
                turns.begin(running.turn);
                running.task = Some(route.spawn(invocation, link));
            }
        }
    }

    /// A heavy handler's first turn is over, or will not be.
    pub(super) fn end_turn(&mut self, nanos: u32) {
        if let Some(turns) = &mut self.turns {
            turns.end(nanos);
        }
    }

    fn link(&self, stream: StreamId) -> Link {
        Link {
            commands: self.commands.sender(),
            stream,
        }
    }
}

/// Ends a call with its handler's word, of which its observers hear as it was sent.
pub(super) fn end(
    connection: &mut Connection,
    stream: StreamId,
    head_sent: bool,
    mut finished: Finished,
    ledger: Option<Arc<Ledger>>,
) {
    let sizes = ledger.as_ref().and_then(|_| sizes(&finished));
    answer::end(connection, stream, head_sent, &mut finished);
    if let Some(ledger) = ledger {
        // A message that does not fit the caller's limits is not sent.
        if let (Some((size, wire_size)), Ok(())) = (sizes, &finished.result) {
            if !head_sent && let Some(envelope) = &finished.envelope {
                ledger.follow(|it| it.head_sent(&envelope.initial));
            }
            ledger.count_sent_one(size, wire_size);
        }
        ledger.close_answered(&finished);
        Ledger::give_back(ledger);
    }
    finished.end();
}

/// The bytes of a response's one message, before and after it was compressed.
#[cold]
fn sizes(finished: &Finished) -> Option<(usize, usize)> {
    let wire_size = finished.message.as_ref()?.len() - PREFIX_LEN;
    let envelope = finished.envelope.as_ref();
    let size = match envelope.map_or(0, |envelope| envelope.compression.plain) {
        0 => wire_size,
        plain => plain - PREFIX_LEN,
    };
    Some((size, wire_size))
}

/// For a connection whose task runs, so that there is a runtime.
fn turns() -> Turns {
    Turns::new(Handle::try_current().map_or(1, |runtime| runtime.metrics().num_workers()))
}
