//! The calls of a connection that did not end where they arrived, and their deadlines.
//!
//! ```text
//! Gathering (one message expected) → Running → Ending → gone
//!            (a stream expected) ─────┘
//! ```

use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinHandle;

use super::handler::{Invocation, Route};
use super::router::RouteId;
use crate::call::deadlines::Deadlines;
use crate::call::envelope::Envelope;
use crate::call::gather::Gather;
use crate::call::ledger::Ledger;
use crate::call::state::CallState;
use crate::status::Status;
use crate::transport::http2::connection::Connection;
use crate::transport::http2::event::StreamId;
use crate::transport::http2::stream::{self, StreamMap};

/// A request's head that has its route.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) stream: StreamId,
    pub(super) route: RouteId,
    pub(super) began: Instant,
    pub(super) deadline: Option<Instant>,
    pub(super) envelope: Box<Envelope>,
}

#[derive(Debug)]
pub(super) struct ServerCall {
    pub(super) route: RouteId,
    pub(super) stage: CallStage,
    pub(super) deadline: Option<Instant>,
}

#[derive(Debug)]
pub(super) enum CallStage {
    Gathering(Box<Gathering>),
    Running(RunningHandler),
    /// The trailers are queued; the stream drains.
    Ending,
}

#[derive(Debug)]
pub(super) struct Gathering {
    pub(super) request: Request,
    pub(super) gather: Gather,
}

#[derive(Debug, Default)]
pub(super) struct RunningHandler {
    /// Present where either half streams.
    pub(super) state: Option<Arc<CallState>>,
    /// Present where interceptors or observers watch the call.
    pub(super) ledger: Option<Arc<Ledger>>,
    pub(super) head_sent: bool,
    /// A heavy handler that waits for its turn.
    pub(super) waiting: Option<Box<WaitingHandler>>,
    /// The number of the connection's turns that the handler's first turn, now running,
    /// occupies.
    pub(super) turn: u32,
    pub(super) task: Option<JoinHandle<()>>,
}

/// The arguments of a handler that has not begun.
#[derive(Debug)]
pub(super) struct WaitingHandler {
    pub(super) route: Arc<Route>,
    pub(super) invocation: Invocation,
}

impl RunningHandler {
    /// Ends the handler, begun or not: drops its future. Returns the number of the
    /// connection's turns that it occupied.
    pub(super) fn stop(self, why: impl FnOnce() -> Status) -> u32 {
        if self.state.is_some() || self.ledger.is_some() {
            let why = why();
            if let Some(ledger) = self.ledger {
                ledger.break_off(why.clone());
            }
            if let Some(state) = self.state {
                state.deliver_end(Err(why));
            }
        }
        if let Some(task) = self.task {
            task.abort();
        }
        self.turn
    }
}

/// The calls of a connection, by stream.
#[derive(Debug, Default)]
pub(super) struct ServerCalls {
    calls: StreamMap<ServerCall>,
    deadlines: Deadlines,
}

impl ServerCalls {
    pub(super) fn insert(
        &mut self,
        stream: StreamId,
        route: RouteId,
        stage: CallStage,
        deadline: Option<Instant>,
    ) {
        self.deadlines.insert(deadline, stream);
        let call = ServerCall {
            route,
            stage,
            deadline,
        };
        self.calls.insert(stream, call);
    }

    /// Readers have to tell how far they are, and whoever waits for a large message
    /// asks for it anew.
    pub(super) fn report(&self, connection: &mut Connection, now: Instant) {
        let reports = connection.reports();
        for (stream, call) in &self.calls {
            match &call.stage {
                CallStage::Gathering(gathering) => {
                    gathering.gather.give_credit(connection, *stream, now);
                }
                CallStage::Running(RunningHandler {
                    state: Some(state), ..
                }) => state.set_reports(reports).apply(connection, *stream, now),
                CallStage::Running(_) | CallStage::Ending => {}
            }
        }
    }

    /// There may be memory for responses that wait for it.
    pub(super) fn offer_room(&self) {
        for state in self.all_streaming() {
            state.offer_room();
        }
    }

    /// What there is to read keeps nothing of what it was read with.
    pub(super) fn unpin(&mut self, connection: &Connection) {
        for (stream, call) in &mut self.calls {
            match &mut call.stage {
                // The peer may have its credit back already.
                CallStage::Gathering(gathering) => gathering.gather.unpin(),
                CallStage::Running(running) if connection.has_unread(*stream) => {
                    if let Some(state) = &running.state {
                        state.unpin();
                    }
                    if let Some(waiting) = &mut running.waiting
                        && let Some(message) = &mut waiting.invocation.input.message
                    {
                        message.unpin();
                    }
                }
                CallStage::Running(_) | CallStage::Ending => {}
            }
        }
    }

    fn all_streaming(&self) -> impl Iterator<Item = &Arc<CallState>> {
        self.calls.values().filter_map(|call| match &call.stage {
            CallStage::Running(running) => running.state.as_ref(),
            CallStage::Gathering(_) | CallStage::Ending => None,
        })
    }

    /// Looks at responses that hold memory: gives those that did not get on since the last
    /// look, where that `is_wanted`.
    pub(super) fn unread(&self, is_wanted: bool) -> Vec<StreamId> {
        let is_unread = |stream: &StreamId| {
            let state = self.streaming(*stream);
            state.is_some_and(|state| state.look()) && is_wanted
        };
        self.calls.keys().copied().filter(is_unread).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    pub(super) fn get_mut(&mut self, stream: StreamId) -> Option<&mut ServerCall> {
        self.calls.get_mut(&stream)
    }

    /// The call's handler, if it has one that has not ended.
    pub(super) fn running(&mut self, stream: StreamId) -> Option<&mut RunningHandler> {
        match &mut self.calls.get_mut(&stream)?.stage {
            CallStage::Running(running) => Some(running),
            CallStage::Gathering(_) | CallStage::Ending => None,
        }
    }

    /// The shared state of a running call of which a half streams.
    pub(super) fn streaming(&self, stream: StreamId) -> Option<&Arc<CallState>> {
        match &self.calls.get(&stream)?.stage {
            CallStage::Running(running) => running.state.as_ref(),
            CallStage::Gathering(_) | CallStage::Ending => None,
        }
    }

    /// Takes a call's handler out and leaves the place for the trailers.
    pub(super) fn take_running(&mut self, stream: StreamId) -> Option<RunningHandler> {
        let running = self.running(stream)?;
        let head_sent = running.head_sent;
        let place = RunningHandler {
            head_sent,
            ..RunningHandler::default()
        };
        Some(std::mem::replace(running, place))
    }

    pub(super) fn remove(&mut self, stream: StreamId) -> Option<ServerCall> {
        let call = self.calls.remove(&stream)?;
        stream::shrink(&mut self.calls);
        self.deadlines.remove(call.deadline, stream);
        Some(call)
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// A call whose deadline has passed, each once.
    pub(super) fn expired(&mut self, now: Instant) -> Option<StreamId> {
        self.deadlines.take_past(now)
    }

    /// The streams of all calls, in the order in which they were opened.
    pub(super) fn streams(&self) -> Vec<StreamId> {
        let mut streams: Vec<StreamId> = self.calls.keys().copied().collect();
        streams.sort_unstable();
        streams
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = ServerCall> {
        self.deadlines.clear();
        self.calls.drain().map(|(_, call)| call)
    }
}
