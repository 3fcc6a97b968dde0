//! Handlers: begun in place, and moved to tasks of their own where they wait. It
//! must never begin one twice.

use super::ServerConnection;
use crate::call::command::Link;
use crate::call::state::CallState;
use crate::deadline::Deadline;
use crate::framing::Payload;
use crate::server::answer;
use crate::server::calls::{Request, Running, Stage};
use crate::server::context::Context;
use crate::server::handler::{Begun, HandlerTask, Invocation};
use crate::transport::http2::connection::Connection;
use crate::transport::http2::event::StreamId;

impl ServerConnection {
    /// Begins the handler of a call that has what it needs, and is not in the
    /// table.
    pub(super) fn start(
        &mut self,
        connection: &mut Connection,
        request: Request,
        message: Option<Payload>,
    ) {
        let stream = request.stream;
        let route = self.shared.router.route(request.route);
        let shape = route.method.shape();
        let state = (shape.client_streams || shape.server_streams).then(|| {
            let state = CallState::new(connection.options().send_buffer);
            state.attach(self.link(stream));
            state
        });
        let replies = state.clone().filter(|_| shape.server_streams);
        let invocation = Invocation {
            context: Context::new(
                request.envelope,
                route.method,
                request.deadline.map(Deadline::at),
                self.peer.clone(),
                replies,
            ),
            message,
            state: state.clone(),
            limits: self.shared.limits,
            release_step: connection.options().stream_window as usize / 4,
        };
        let mut running = Running {
            state,
            ..Running::default()
        };
        match route.begin(invocation) {
            // A unary response, so nobody else knows of the call.
            Begun::Finished(mut finished) if running.state.is_none() => {
                answer::end(connection, stream, false, &mut finished);
                finished.end();
                if connection.has_queued(stream) {
                    self.calls.insert(stream, Stage::Ending, request.deadline);
                }
            }
            Begun::Finished(finished) => {
                let stage = Stage::Running(running);
                self.calls.insert(stream, stage, request.deadline);
                self.finish(connection, stream, finished);
            }
            Begun::Waits(future) => {
                let task = HandlerTask::new(future, self.link(stream), route.method);
                running.task = Some(tokio::spawn(task).abort_handle());
                let stage = Stage::Running(running);
                self.calls.insert(stream, stage, request.deadline);
            }
        }
    }

    fn link(&self, stream: StreamId) -> Link {
        Link {
            commands: self.sender.clone(),
            stream,
        }
    }
}
