//! The calls of one server connection: from a request's head to its trailers.
//! The connection's task owns this; handlers reach it through its command queue
//! alone. It must never wait, and never run a handler that has no request.
//!
//! ```text
//! head → Gathering (one message expected) → Running → Ending → gone
//!      └────────── (a stream expected) ───────┘
//! ```
//! A call leaves from every stage when its stream is reset or its deadline
//! passes: the handler's task is aborted, which drops its future.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as TaskContext, Poll};
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;

use super::answer;
use super::context::{Context, PeerAddress};
use super::handler::{Invocation, Started};
use super::router::{RouteId, Router};
use crate::call::command::{Command, Finished, Link};
use crate::call::gather::Gather;
use crate::call::request_head::{ReceivedRequest, Refusal};
use crate::call::sends::Sends;
use crate::call::state::{CallState, Outgoing};
use crate::deadline::Deadline;
use crate::framing::{Payload, Side};
use crate::limits::CallLimits;
use crate::status::{Code, Status};
use crate::transport::driver::Application;
use crate::transport::http2::connection::Connection;
use crate::transport::http2::error_code::ErrorCode;
use crate::transport::http2::event::{ConnectionError, Event, StreamId};
use crate::transport::http2::fields::Fields;
use crate::transport::http2::stream::StreamMap;

/// Commands taken from the queue in one go.
const COMMAND_BATCH: usize = 128;

/// What every connection of a server shares.
#[derive(Debug)]
pub(crate) struct ServerShared {
    pub(crate) router: Router,
    pub(crate) limits: CallLimits,
    /// Calls that a forced end of the server cut off.
    pub(crate) calls_cut: AtomicUsize,
}

/// The calls of one connection.
#[derive(Debug)]
pub(crate) struct ServerConnection {
    shared: Arc<ServerShared>,
    peer: PeerAddress,
    commands: UnboundedReceiver<Command>,
    sender: UnboundedSender<Command>,
    batch: Vec<Command>,
    /// Streams with something to send at the next write.
    sends: Sends,
    calls: StreamMap<Call>,
    deadlines: BTreeSet<(Instant, StreamId)>,
}

#[derive(Debug)]
struct Call {
    stage: Stage,
    deadline: Option<Instant>,
}

#[derive(Debug)]
enum Stage {
    Gathering(Box<Gathering>),
    Running(Running),
    /// The trailers are queued; the stream drains.
    Ending,
}

#[derive(Debug)]
struct Gathering {
    request: ReceivedRequest,
    route: RouteId,
    gather: Gather,
}

#[derive(Debug, Default)]
struct Running {
    /// Present where either half streams.
    state: Option<Arc<CallState>>,
    task: Option<AbortHandle>,
    head_sent: bool,
}

impl ServerConnection {
    pub(crate) fn new(shared: Arc<ServerShared>, peer: PeerAddress) -> Self {
        let (sender, commands) = unbounded_channel();
        Self {
            shared,
            peer,
            commands,
            sender,
            batch: Vec::new(),
            sends: Sends::default(),
            calls: StreamMap::default(),
            deadlines: BTreeSet::new(),
        }
    }

    /// The queue through which the connection takes orders.
    pub(crate) fn sender(&self) -> UnboundedSender<Command> {
        self.sender.clone()
    }

    // --- requests ----------------------------------------------------------------

    fn on_headers(
        &mut self,
        connection: &mut Connection,
        stream: StreamId,
        fields: &Fields,
        end_stream: bool,
        now: Instant,
    ) {
        if fields.overflowed() {
            let text = "the request's metadata is above the server's limit \
                        (Http2Options::max_header_list_size)";
            let status = Status::new(Code::ResourceExhausted, text);
            return answer::refuse(connection, stream, status);
        }
        let request = match ReceivedRequest::read(fields) {
            Ok(request) => request,
            Err(Refusal::Grpc(status)) => return answer::refuse(connection, stream, status),
            Err(Refusal::Encoding(status)) => {
                return answer::refuse_encoding(connection, stream, &Err(status));
            }
            Err(Refusal::Http(http, text)) => {
                return answer::refuse_http(connection, stream, http, text);
            }
        };
        let router = &self.shared.router;
        let route = match router.find(fields.get(b":path").unwrap_or_default()) {
            Ok(route) => route,
            Err(status) => return answer::refuse(connection, stream, status),
        };
        let deadline = request
            .timeout
            .and_then(|timeout| Deadline::after(now, timeout));
        if deadline.is_some_and(|deadline| deadline.is_past(now)) {
            return answer::refuse(connection, stream, expired());
        }
        let deadline = deadline.map(Deadline::instant);
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, stream));
        }
        if router.route(route).method.shape().client_streams {
            self.calls.insert(
                stream,
                Call {
                    stage: Stage::Ending,
                    deadline,
                },
            );
            self.start(connection, stream, route, request, None);
            if end_stream {
                self.half_close(stream);
            }
            return;
        }
        let gathering = Gathering {
            request,
            route,
            gather: Gather::new(self.shared.limits.max_receive_message_size, Side::Server),
        };
        let stage = Stage::Gathering(Box::new(gathering));
        self.calls.insert(stream, Call { stage, deadline });
        if end_stream {
            self.end_of_request(connection, stream);
        }
    }

    fn on_data(&mut self, connection: &mut Connection, stream: StreamId, data: Bytes) {
        let Some(call) = self.calls.get_mut(&stream) else {
            return;
        };
        match &mut call.stage {
            Stage::Gathering(gathering) => {
                let length = data.len();
                if let Err(status) = gathering.gather.push(data) {
                    return self.finish(connection, stream, Finished::failed(status));
                }
                // A message must arrive whole before anyone can consume it; its
                // size is what bounds it.
                connection.release(stream, length);
            }
            Stage::Running(Running {
                state: Some(state), ..
            }) => state.deliver_data(data),
            Stage::Running(_) | Stage::Ending => connection.release(stream, data.len()),
        }
    }

    /// The peer's half ended in order.
    fn end_of_request(&mut self, connection: &mut Connection, stream: StreamId) {
        let Some(call) = self.calls.get_mut(&stream) else {
            return;
        };
        if !matches!(call.stage, Stage::Gathering(_)) {
            return self.half_close(stream);
        }
        let Stage::Gathering(gathering) = std::mem::replace(&mut call.stage, Stage::Ending) else {
            return;
        };
        let Gathering {
            request,
            route,
            gather,
        } = *gathering;
        let message = gather.finish().and_then(|message| {
            message.ok_or_else(|| {
                Status::new(
                    Code::Unimplemented,
                    "the request of a unary call holds no message",
                )
            })
        });
        match message {
            Ok(message) => self.start(connection, stream, route, request, Some(message)),
            Err(status) => answer::refuse(connection, stream, status),
        }
    }

    /// The shared state of a running call of which a half streams.
    fn streaming(&self, stream: StreamId) -> Option<&Arc<CallState>> {
        match &self.calls.get(&stream)?.stage {
            Stage::Running(running) => running.state.as_ref(),
            Stage::Gathering(_) | Stage::Ending => None,
        }
    }

    fn half_close(&mut self, stream: StreamId) {
        if let Some(state) = self.streaming(stream) {
            state.deliver_half_close();
        }
    }

    /// Runs the handler of a call that has what it needs to begin.
    fn start(
        &mut self,
        connection: &mut Connection,
        stream: StreamId,
        route: RouteId,
        request: ReceivedRequest,
        message: Option<Payload>,
    ) {
        let route = self.shared.router.route(route);
        let Some(call) = self.calls.get_mut(&stream) else {
            return;
        };
        let link = || Link {
            commands: self.sender.clone(),
            stream,
        };
        let shape = route.method.shape();
        let state = (shape.client_streams || shape.server_streams).then(|| {
            let state = CallState::new(connection.options().send_buffer);
            state.attach(link());
            state
        });
        let replies = state.clone().filter(|_| shape.server_streams);
        let deadline = call.deadline.map(Deadline::at);
        let invocation = Invocation {
            context: Context::new(
                route.method,
                request.metadata,
                deadline,
                self.peer.clone(),
                replies,
            ),
            message,
            state: state.clone(),
            limits: self.shared.limits,
            release_step: connection.options().stream_window as usize / 4,
        };
        call.stage = Stage::Running(Running {
            state,
            ..Running::default()
        });
        match route.start(invocation, link) {
            Started::Finished(finished) => self.finish(connection, stream, finished),
            Started::Spawned(task) => {
                if let Stage::Running(running) = &mut call.stage {
                    running.task = Some(task);
                }
            }
        }
    }

    // --- responses ---------------------------------------------------------------

    /// Sends what a streaming handler has pushed.
    fn send(&mut self, connection: &mut Connection, stream: StreamId) {
        if let Some(state) = self.streaming(stream) {
            let outgoing = state.take_outbound();
            self.pass_on(connection, stream, outgoing);
        }
    }

    fn pass_on(&mut self, connection: &mut Connection, stream: StreamId, outgoing: Outgoing) {
        let Some(Call {
            stage: Stage::Running(running),
            ..
        }) = self.calls.get_mut(&stream)
        else {
            return;
        };
        if !running.head_sent && (outgoing.head.is_some() || !outgoing.chunks.is_empty()) {
            let head = outgoing.head.unwrap_or_default();
            running.head_sent = answer::send_head(connection, stream, &head);
            if !running.head_sent {
                stop(std::mem::take(running), answer::head_too_large);
                let failed = Finished::failed(answer::head_too_large());
                return self.finish(connection, stream, failed);
            }
        }
        for chunk in outgoing.chunks {
            connection.send_data(stream, chunk, false);
        }
    }

    /// The end of a call, from its handler or in its place.
    fn finish(&mut self, connection: &mut Connection, stream: StreamId, finished: Finished) {
        self.send(connection, stream);
        let Some(call) = self.calls.get_mut(&stream) else {
            return;
        };
        let head_sent = match std::mem::replace(&mut call.stage, Stage::Ending) {
            Stage::Ending => return,
            Stage::Gathering(_) => false,
            Stage::Running(running) => {
                if let Some(state) = &running.state {
                    state.deliver_end(Err(Status::new(Code::Cancelled, "the handler has ended")));
                }
                running.head_sent
            }
        };
        answer::end(connection, stream, head_sent, finished);
    }

    /// Takes a call away; its handler's future is dropped.
    fn remove(&mut self, stream: StreamId, why: impl FnOnce() -> Status) {
        let Some(call) = self.calls.remove(&stream) else {
            return;
        };
        if let Some(deadline) = call.deadline {
            self.deadlines.remove(&(deadline, stream));
        }
        if let Stage::Running(running) = call.stage {
            stop(running, why);
        }
    }

    fn apply(&mut self, connection: &mut Connection, command: Command, now: Instant) {
        match command {
            Command::Send(stream) => self.sends.push(stream),
            Command::Release(stream, bytes) => connection.release(stream, bytes),
            Command::Cancel(stream) => {
                self.remove(stream, cancelled);
                connection.reset(stream, ErrorCode::CANCEL);
            }
            Command::Finish(stream, finished) => self.finish(connection, stream, finished),
            Command::Drain => connection.drain(now),
            Command::Close => self.close(connection),
        }
    }

    /// The server's grace is over: what still runs is cut.
    fn close(&mut self, connection: &mut Connection) {
        let mut open: Vec<StreamId> = self.calls.keys().copied().collect();
        open.sort_unstable();
        self.shared
            .calls_cut
            .fetch_add(open.len(), Ordering::Relaxed);
        let status = || Status::new(Code::Unavailable, "the server is shutting down");
        for stream in open {
            if let Some(Call {
                stage: Stage::Running(running),
                ..
            }) = self.calls.get_mut(&stream)
            {
                let head_sent = running.head_sent;
                let running = std::mem::replace(
                    running,
                    Running {
                        head_sent,
                        ..Running::default()
                    },
                );
                stop(running, status);
            }
            self.finish(connection, stream, Finished::failed(status()));
            connection.reset(stream, ErrorCode::CANCEL);
        }
        connection.abort(ConnectionError::new(
            ErrorCode::NO_ERROR,
            "the server is shutting down",
        ));
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
                self.on_headers(connection, stream, &fields, end_stream, now);
                connection.recycle(fields);
            }
            Event::Data {
                stream,
                data,
                end_stream,
            } => {
                if !data.is_empty() {
                    self.on_data(connection, stream, data);
                }
                if end_stream {
                    self.end_of_request(connection, stream);
                }
            }
            // gRPC requests have no trailers; a client that sends them has
            // still ended its half in order.
            Event::Trailers { stream, fields } => {
                connection.recycle(fields);
                self.end_of_request(connection, stream);
            }
            Event::Reset { stream, .. } | Event::Closed { stream } => {
                self.remove(stream, cancelled);
            }
            Event::Sent { stream, bytes } => {
                if let Some(state) = self.streaming(stream) {
                    state.sent(bytes);
                }
            }
            Event::GoAway { .. } => {}
        }
    }

    fn poll_commands(
        &mut self,
        connection: &mut Connection,
        now: Instant,
        cx: &mut TaskContext<'_>,
    ) -> bool {
        let mut batch = std::mem::take(&mut self.batch);
        let taken = self.commands.poll_recv_many(cx, &mut batch, COMMAND_BATCH);
        for command in batch.drain(..) {
            self.apply(connection, command, now);
        }
        self.batch = batch;
        matches!(taken, Poll::Ready(1..))
    }

    fn flush(&mut self, connection: &mut Connection, now: Instant) {
        let due = self.sends.take();
        for stream in due.iter().copied() {
            let Some(state) = self.streaming(stream) else {
                continue;
            };
            match state.take_when_due(now) {
                Some(outgoing) => self.pass_on(connection, stream, outgoing),
                None => self.sends.hold(stream, now),
            }
        }
        self.sends.recycle(due);
    }

    fn next_timeout(&self) -> Option<Instant> {
        let deadline = self.deadlines.first().map(|(deadline, _)| *deadline);
        [deadline, self.sends.next_timeout()]
            .into_iter()
            .flatten()
            .min()
    }

    fn on_timeout(&mut self, connection: &mut Connection, now: Instant) {
        self.sends.on_timeout(now);
        while let Some((deadline, stream)) = self.deadlines.first().copied() {
            if deadline > now {
                return;
            }
            self.deadlines.remove(&(deadline, stream));
            let Some(call) = self.calls.get_mut(&stream) else {
                continue;
            };
            if let Stage::Running(running) = &mut call.stage {
                // Its task goes, its place stays for the trailers.
                let head_sent = running.head_sent;
                let running = std::mem::replace(
                    running,
                    Running {
                        head_sent,
                        ..Running::default()
                    },
                );
                stop(running, expired);
            }
            if connection.has_queued(stream) {
                // The peer does not read: trailers would wait behind its window.
                self.remove(stream, expired);
                connection.reset(stream, ErrorCode::CANCEL);
            } else {
                self.finish(connection, stream, Finished::failed(expired()));
            }
        }
    }
}

impl Drop for ServerConnection {
    /// A connection that is gone takes its calls with it.
    fn drop(&mut self) {
        for (_, call) in self.calls.drain() {
            if let Stage::Running(running) = call.stage {
                stop(running, cancelled);
            }
        }
    }
}

fn stop(running: Running, why: impl FnOnce() -> Status) {
    if let Some(task) = running.task {
        task.abort();
    }
    if let Some(state) = running.state {
        state.deliver_end(Err(why()));
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
