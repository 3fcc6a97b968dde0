//! A method's handler with its types erased, and how one is run: polled once where the call
//! arrived, and on a task of its own if it did not finish there or its method is heavy. A
//! handler's panic ends its call alone.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::context::Context;
use super::weight::{SharedWeight, Weight};
use crate::call::command::{Command, Finished, Link};
use crate::call::ledger::Ledger;
use crate::call::state::CallState;
use crate::call::validator::{RequestJudge, RequestValidator};
use crate::clock;
use crate::framing::Payload;
use crate::limits::CallLimits;
use crate::method::Method;
use crate::observe::call_observer::CallObserver;
use crate::status::{Code, Status};

/// The arguments of one run of a handler.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) context: Context,
    pub(crate) input: Input,
}

/// A handler's request, and the limits for its messages.
#[derive(Debug)]
pub(crate) struct Input {
    /// The request's one message, where the method takes one.
    pub(crate) message: Option<Payload>,
    /// The streaming halves, where the method has any.
    pub(crate) state: Option<Arc<CallState>>,
    /// Present where interceptors or observers watch the call.
    pub(crate) ledger: Option<Arc<Ledger>>,
    pub(crate) limits: CallLimits,
    /// Present where the service judges its requests.
    pub(crate) validator: Option<Arc<RequestValidator>>,
}

pub(crate) type HandlerFuture = Pin<Box<dyn Future<Output = Finished> + Send>>;
pub(crate) type Handler = Box<dyn Fn(Invocation) -> HandlerFuture + Send + Sync>;

/// A method and its handler.
pub(crate) struct Route {
    pub(crate) method: Method,
    handler: Handler,
    /// Whether interceptors want to know what passes.
    pub(super) is_intercepted: bool,
    weight: SharedWeight,
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Route")
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

/// How far a handler got in its first turn.
pub(crate) enum Begun {
    Finished(Finished),
    /// It waits for something.
    Waits(HandlerFuture),
    Panicked(Box<dyn Any + Send>),
}

impl Route {
    pub(crate) fn new(method: Method, handler: Handler) -> Self {
        Self {
            method,
            handler,
            is_intercepted: false,
            weight: SharedWeight::default(),
        }
    }

    /// This route with its requests judged before its handler has them.
    pub(super) fn validated(self: &Arc<Self>, judge: &RequestJudge) -> Arc<Self> {
        let (route, validator) = (Arc::clone(self), judge.of(self.method));
        let handler = move |mut invocation: Invocation| -> HandlerFuture {
            invocation.input.validator = Some(Arc::clone(&validator));
            route.handle(invocation)
        };
        Arc::new(Self::new(self.method, Box::new(handler)))
    }

    /// A route with interceptors around its handler. Its weight is theirs too.
    pub(super) fn intercepted(method: Method, handler: Handler) -> Self {
        Self {
            is_intercepted: true,
            ..Self::new(method, handler)
        }
    }

    /// Makes the handler's future, which may be the handler's first work.
    pub(super) fn handle(&self, invocation: Invocation) -> HandlerFuture {
        (self.handler)(invocation)
    }

    pub(super) fn weight(&self) -> Weight {
        self.weight.get()
    }

    /// Records the duration of a first turn.
    pub(super) fn weigh(&self, turn: Duration) {
        self.weight.add(turn);
    }

    /// Gives the handler its first turn, in the caller's place. Most unary
    /// handlers end right there, which saves a task, two wake-ups and a queue.
    pub(super) fn begin(&self, invocation: Invocation) -> Begun {
        // The waker does nothing: a handler that waits is polled again by its own
        // task, whose waker then takes this one's place.
        let mut context = TaskContext::from_waker(Waker::noop());
        let begun = catch_unwind(AssertUnwindSafe(|| {
            let mut future = self.handle(invocation);
            match future.as_mut().poll(&mut context) {
                Poll::Ready(finished) => Begun::Finished(finished),
                Poll::Pending => Begun::Waits(future),
            }
        }));
        begun.unwrap_or_else(Begun::Panicked)
    }

    /// Gives a heavy handler its first turn on a task of its own, where it also
    /// stays.
    pub(super) fn spawn(self: Arc<Self>, invocation: Invocation, link: Link) -> JoinHandle<()> {
        let begin = async move {
            // A task that yields runs only after the runtime has looked for I/O,
            // so that the connection has its turn between two heavy handlers.
            tokio::task::yield_now().await;
            let began = clock::now();
            let deadline = invocation.context.deadline();
            if deadline.is_some_and(|deadline| deadline.is_past(began)) {
                // The connection's timer is due: it answers, as it does for a
                // handler that began.
                return;
            }
            let ledger = invocation.input.ledger.clone();
            begin_turn(ledger.as_deref());
            let begun = self.begin(invocation);
            end_turn(ledger.as_deref(), &begun);
            self.weigh(clock::now().saturating_duration_since(began));
            match begun {
                Begun::Finished(finished) => link.send(Command::Finish(link.stream, finished)),
                Begun::Panicked(_) => {
                    link.send(Command::Finish(link.stream, panicked(self.method)));
                }
                Begun::Waits(future) => {
                    link.send(Command::Begun(link.stream));
                    HandlerTask::new(future, link, self.method, ledger).await;
                }
            }
        };
        tokio::spawn(begin)
    }
}

#[cold]
pub(super) fn panicked(method: Method) -> Finished {
    Finished::failed(panic_of(method))
}

/// The panic itself has been reported by the panic hook; its text may hold what
/// no caller should see.
pub(super) fn panic_of(method: Method) -> Status {
    let text = format!("the handler of {} panicked", method.path());
    Status::new(Code::Internal, text)
}

/// A handler on a task of its own, from its second turn on.
pub(super) struct HandlerTask {
    future: HandlerFuture,
    link: Link,
    method: Method,
    ledger: Option<Arc<Ledger>>,
}

impl HandlerTask {
    pub(super) fn new(
        future: HandlerFuture,
        link: Link,
        method: Method,
        ledger: Option<Arc<Ledger>>,
    ) -> Self {
        Self {
            future,
            link,
            method,
            ledger,
        }
    }
}

/// Reports to the call's observers that its handler runs.
#[inline]
pub(super) fn begin_turn(ledger: Option<&Ledger>) {
    if let Some(ledger) = ledger {
        ledger.follow(CallObserver::turn_began);
    }
}

/// The same of the end of its first turn, and observers of its panic.
#[inline]
pub(super) fn end_turn(ledger: Option<&Ledger>, begun: &Begun) {
    if let Some(ledger) = ledger {
        if let Begun::Panicked(payload) = begun {
            ledger.panicked(&**payload);
        }
        ledger.end_turn();
    }
}

impl Future for HandlerTask {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let task = &mut *self;
        let ledger = task.ledger.as_deref();
        begin_turn(ledger);
        let polled = catch_unwind(AssertUnwindSafe(|| task.future.as_mut().poll(cx)));
        if let Some(ledger) = ledger {
            if let Err(payload) = &polled {
                ledger.panicked(&**payload);
            }
            ledger.end_turn();
        }
        let finished = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(finished)) => finished,
            Err(_) => panicked(task.method),
        };
        task.link.send(Command::Finish(task.link.stream, finished));
        Poll::Ready(())
    }
}
