//! A model of the tasks that share a call, over their interleavings: a caller that cancels,
//! the sending half, the reader, and a connection that gives the call a stream, takes it
//! back and ends it. Run by `tests/model.sh`.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use shuttle::rand::Rng;
use shuttle::thread;

use super::{CallState, Ended};
use crate::call::command::{Command, Link};
use crate::call::queue::{QueueReceiver, QueueSender, queue};
use crate::call::response_head::Coding;
use crate::framing::{Compression, MessageReader};
use crate::metadata::Metadata;
use crate::status::{Code, Status};
use crate::transport::http2::credit::Reports;
use crate::transport::http2::event::StreamId;

const INTERLEAVINGS: usize = 3_000;

/// The connection's side of one call, with what it knows itself.
struct Connection {
    state: Arc<CallState>,
    sender: QueueSender<Command>,
    commands: QueueReceiver<Command>,
    next: u32,
    /// The stream that is open to the server.
    open: Option<StreamId>,
    /// The bytes that the call's sending half has sent.
    sent: usize,
    half_closed: bool,
}

impl Connection {
    fn new(state: &Arc<CallState>) -> Self {
        let (sender, commands) = queue();
        Self {
            state: Arc::clone(state),
            sender,
            commands,
            next: 1,
            open: None,
            sent: 0,
            half_closed: false,
        }
    }

    /// Opens a stream for the call, unless the call is over.
    fn attach(&mut self) {
        let stream = StreamId::from(self.next);
        self.next += 2;
        let link = Link {
            commands: self.sender.clone(),
            stream,
        };
        let reports = Reports {
            step: 1,
            large: usize::MAX,
        };
        if self.state.attach(link, reports) {
            self.open = Some(stream);
            self.take();
        }
    }

    /// The server refused the stream.
    fn refuse(&mut self) {
        if self.open.take().is_some() {
            self.state.detach();
        }
    }

    fn take(&mut self) {
        let outgoing = self.state.take_outbound();
        self.sent += outgoing.chunks.iter().map(bytes::Bytes::len).sum::<usize>();
        self.half_closed |= outgoing.end;
    }

    fn end(&mut self, ended: Ended) {
        if self.open.take().is_some() {
            self.state.deliver_end(ended);
        }
    }

    fn look(&mut self) {
        let mut batch = Vec::new();
        let mut cx = Context::from_waker(Waker::noop());
        let _ = self.commands.poll_take(&mut batch, &mut cx);
        for command in batch {
            match command {
                Command::Send(stream) if self.open == Some(stream) => self.take(),
                Command::Cancel(stream) if self.open == Some(stream) => self.open = None,
                _ => {}
            }
        }
    }
}

fn call() -> Arc<CallState> {
    CallState::new(usize::MAX, Coding::default(), Compression::Identity, None)
}

fn push(state: &CallState) {
    state.push(6, |buffer| buffer.extend_from_slice(&[0, 0, 0, 0, 1, 7]));
}

/// Whatever the connection does at the same time, a cancelled call leaves no stream open.
#[test]
fn model_of_a_call_that_is_given_up() {
    let model = || {
        let state = call();
        let caller = {
            let state = Arc::clone(&state);
            thread::spawn(move || state.cancel())
        };
        let sending = {
            let state = Arc::clone(&state);
            thread::spawn(move || {
                push(&state);
                state.finish();
            })
        };
        let mut connection = Connection::new(&state);
        let steps = shuttle::rand::thread_rng().gen_range(1..4);
        for step in 0..steps {
            if step > 0 {
                connection.refuse();
            }
            connection.attach();
            connection.look();
        }
        if shuttle::rand::thread_rng().gen_bool(0.2) {
            connection.end(Ok(Metadata::default()));
        }
        caller.join().unwrap();
        sending.join().unwrap();
        connection.look();
        assert!(state.is_over());
        assert_eq!(connection.open, None, "the server's stream stays open");
    };
    shuttle::check_random(model, INTERLEAVINGS);
}

/// Nothing that a sender pushed before it finished is lost, and the end comes.
#[test]
fn model_of_a_call_that_finishes() {
    let model = || {
        let state = call();
        let sending = {
            let state = Arc::clone(&state);
            thread::spawn(move || {
                push(&state);
                push(&state);
                state.finish();
            })
        };
        let mut connection = Connection::new(&state);
        connection.attach();
        connection.look();
        sending.join().unwrap();
        connection.look();
        assert_eq!(connection.sent, 12);
        assert!(connection.half_closed);
    };
    shuttle::check_random(model, INTERLEAVINGS);
}

/// A call has one end, the caller's or the connection's, and not both.
#[test]
fn model_of_two_ends() {
    let model = || {
        let state = call();
        let mut connection = Connection::new(&state);
        connection.attach();
        let caller = {
            let state = Arc::clone(&state);
            thread::spawn(move || state.give_up(Status::cancelled("by the caller")))
        };
        let reading = {
            let state = Arc::clone(&state);
            thread::spawn(move || {
                let mut reader = MessageReader::new();
                let mut cx = Context::from_waker(Waker::noop());
                let mut seen = Vec::new();
                for _ in 0..3 {
                    if let Poll::Ready(Some(ended)) = state.poll_inbound(&mut reader, 1, 0, &mut cx)
                    {
                        seen.push(ended.err().map(|status| status.code()));
                    }
                }
                seen
            })
        };
        connection.end(Err(Status::unavailable("by the server")));
        connection.look();
        caller.join().unwrap();
        let mut seen = reading.join().unwrap();
        connection.look();
        seen.dedup();
        assert!(seen.len() <= 1, "two ends were told: {seen:?}");
        let (_, ended) = state.seen_so_far();
        let last = ended.unwrap().unwrap_err().code();
        assert!(matches!(last, Code::Cancelled | Code::Unavailable));
        assert!(seen.iter().all(|code| *code == Some(last)));
    };
    shuttle::check_random(model, INTERLEAVINGS);
}
