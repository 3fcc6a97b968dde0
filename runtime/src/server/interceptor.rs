//! Interceptors around a server's handlers, and how a route is wrapped in them. A route
//! without interceptors has no cost from those of other routes.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;

use super::context::Context;
use super::handler::{Input, Invocation, Route, panic_of, panicked};
use crate::call::command::Finished;
use crate::call::envelope::Envelope;
use crate::call::ledger::Ledger;
use crate::clock;
use crate::deadline::Deadline;
use crate::framing::{PREFIX_LEN, Payload};
use crate::method::Method;
use crate::observe::ended_call::{EndedCall, Traffic};
use crate::status::{Code, Status};

/// Stands around the handlers of a server, or of one of its services: it sees
/// each call before they do and its outcome after them, and can answer in their
/// place.
///
/// [`ServerBuilder::interceptor`](crate::ServerBuilder::interceptor) adds one for all
/// services, [`Service::interceptor`](crate::Service::interceptor) for one. A server's
/// interceptors run outside of a service's, and one that was added earlier runs outside of
/// one that was added later.
///
/// The call's deadline also covers the interceptor. When it passes, or the caller cancels,
/// this future is dropped together with the handler's. So count and log calls in
/// [`Next::on_end`], which is called at every end. A panic, here or in the handler, answers
/// the call with `INTERNAL`.
///
/// # Which calls it sees
///
/// All calls that reach a handler and, for an interceptor of the whole server, calls to
/// methods that the server does not have. The [`Context::method`] of the latter is
/// [`Method::UNKNOWN`](crate::Method::UNKNOWN), so that callers cannot make up keys for
/// metrics by method, and their outcome is `UNIMPLEMENTED` with the path in the message. So
/// an interceptor that authenticates hides from strangers which methods exist.
///
/// Requests that are refused before they are complete do not reach interceptors, which keeps
/// refusing them cheap: requests that are not gRPC calls or break the protocol; metadata
/// above the limit; a deadline that has passed on arrival; an encoding that the server does
/// not accept; and, for methods that take one message, a message above the limit. A client
/// that goes away, or whose deadline passes, before its one message is complete does not
/// reach them either.
///
/// ```
/// use grpc_runtime::{Context, Next, Outcome, ServerInterceptor};
///
/// struct Log;
///
/// impl ServerInterceptor for Log {
///     async fn intercept(&self, context: &mut Context, mut next: Next<'_>) -> Outcome {
///         let peer = context.peer().clone();
///         next.on_end(move |call| {
///             let (path, code, took) = (call.method().path(), call.code(), call.elapsed());
///             let (sent, received) = (call.sent().bytes, call.received().bytes);
///             println!("{peer} {path} {code:?} {took:?} {received} B in {sent} B out");
///         });
///         next.run(context).await
///     }
/// }
///
/// let server = grpc_runtime::Server::builder().interceptor(Log);
/// # drop(server);
/// ```
///
/// A function of the context is one too, which runs ahead of the handler and lets
/// the call pass or refuses it:
///
/// ```
/// use grpc_runtime::{Context, Server, Status};
///
/// let server = Server::builder().interceptor(|context: &mut Context| {
///     match context.metadata().get("authorization") {
///         Some("Bearer mF_9.B5f-4.1JqM") => Ok(()),
///         _ => Err(Status::unauthenticated("a token, please")),
///     }
/// });
/// # drop(server);
/// ```
pub trait ServerInterceptor: Send + Sync + 'static {
    /// Sees one call: [`next.run(context)`](Next::run) gives it to the interceptors
    /// inside of this one and to the handler. Without that the call is answered
    /// with what this returns: `Status::unauthenticated("…").into()`.
    fn intercept(
        &self,
        context: &mut Context,
        next: Next<'_>,
    ) -> impl Future<Output = Outcome> + Send;
}

impl<F> ServerInterceptor for F
where
    F: Fn(&mut Context) -> Result<(), Status> + Send + Sync + 'static,
{
    async fn intercept(&self, context: &mut Context, next: Next<'_>) -> Outcome {
        match self(context) {
            Ok(()) => next.run(context).await,
            Err(status) => status.into(),
        }
    }
}

/// How a handler ended, on its way to the caller.
///
/// The trailing metadata that goes with it is in the [`Context`], which an
/// interceptor has back by then: [`Context::trailing_metadata_mut`].
#[derive(Debug)]
#[must_use = "an interceptor returns it, and the caller gets it"]
pub struct Outcome {
    result: Result<(), Status>,
    /// The message of a response that does not stream, with its prefix.
    message: Option<Bytes>,
    sent: Traffic,
    received: Traffic,
}

impl Outcome {
    /// How the call ended: an error is the status that it failed with.
    pub fn result(&self) -> Result<(), &Status> {
        self.result.as_ref().map(|&()| ())
    }

    /// The code of [`result`](Self::result).
    pub fn code(&self) -> Code {
        self.result.as_ref().err().map_or(Code::Ok, Status::code)
    }

    /// The same outcome with another status where the call failed.
    pub fn map_err(mut self, change: impl FnOnce(Status) -> Status) -> Self {
        self.result = self.result.map_err(change);
        self
    }

    /// The messages that the handler sent; 0 for a call that failed before its only message.
    pub fn sent(&self) -> Traffic {
        self.sent
    }

    /// The messages that the handler received; messages of a stream that it did not read do
    /// not count.
    pub fn received(&self) -> Traffic {
        self.received
    }
}

/// A call that is refused.
impl From<Status> for Outcome {
    fn from(status: Status) -> Self {
        Self {
            result: Err(status),
            message: None,
            sent: Traffic::default(),
            received: Traffic::default(),
        }
    }
}

/// The rest of the chain that an [interceptor](ServerInterceptor) wraps: the interceptors
/// inside of it, and the handler.
#[derive(Debug)]
pub struct Next<'a> {
    inner: &'a [Arc<dyn ErasedServerInterceptor>],
    route: &'a Route,
    input: Input,
}

impl Next<'_> {
    /// Calls `listener` once when the call has ended on this server, with the status that
    /// was sent, or with `CANCELLED` if its caller cancelled, `DEADLINE_EXCEEDED` if its
    /// deadline passed, `UNAVAILABLE` if a shutdown cut it, `INTERNAL` if an interceptor
    /// panicked. By then the handler has ended or is dropped; a handler that blocks its
    /// thread delays the listener. Listeners of inner interceptors are called first.
    ///
    /// The counts of messages are those that the handler sent and received. Whether the
    /// caller received them is not known on the server.
    ///
    /// It must not block. A panic in it is dropped.
    pub fn on_end(&mut self, listener: impl FnOnce(&EndedCall<'_>) + Send + 'static) {
        // A call that is intercepted has a ledger.
        if let Some(ledger) = &self.input.ledger {
            ledger.on_end(Box::new(listener));
        }
    }

    /// Runs the handler and gives its outcome. Dropping the future drops the
    /// handler.
    ///
    /// The handler has the context's content meanwhile. It comes back with the
    /// outcome, from a handler that panicked too, with all that was set in it.
    pub async fn run(mut self, context: &mut Context) -> Outcome {
        match self.inner.split_first() {
            Some((interceptor, inner)) => {
                self.inner = inner;
                interceptor.intercept_boxed(context, self).await
            }
            None => handle(self.route, self.input, context).await,
        }
    }
}

/// Runs the handler itself, whose panic is an outcome too.
async fn handle(route: &Route, input: Input, context: &mut Context) -> Outcome {
    let request = input.message.as_ref().map(Payload::len);
    let ledger = input.ledger.clone();
    if let (Some(ledger), Some(length)) = (&ledger, request) {
        ledger.received.set_one(length);
    }
    let invocation = Invocation {
        context: context.lend(),
        input,
    };
    let mut handler = pin!(async move { route.handle(invocation).await });
    let finished = poll_fn(|cx| {
        let polled = Envelope::salvage(|| handler.as_mut().poll(cx));
        polled.unwrap_or_else(|(payload, envelope)| {
            if let Some(ledger) = &ledger {
                ledger.panicked(&*payload);
            }
            Poll::Ready(Finished {
                envelope,
                ..panicked(route.method)
            })
        })
    })
    .await;
    if let Some(envelope) = finished.envelope {
        context.take_back(envelope);
    }
    let passed = ledger.map(|ledger| {
        if let Some(message) = &finished.message {
            ledger.sent.set_one(message.len() - PREFIX_LEN);
        }
        (ledger.sent.traffic(), ledger.received.traffic())
    });
    let (sent, received) = passed.unwrap_or_default();
    Outcome {
        result: finished.result,
        message: finished.message,
        sent,
        received,
    }
}

/// The end of an intercepted call. Dropped before [`tell`](Self::tell), the call was
/// broken off.
struct InterceptedEnd {
    ledger: Option<Arc<Ledger>>,
    method: Method,
    deadline: Option<Deadline>,
}

impl InterceptedEnd {
    fn new(context: &Context, input: &Input) -> Self {
        Self {
            ledger: input.ledger.clone(),
            method: context.method(),
            deadline: context.deadline(),
        }
    }

    /// It was answered with this.
    fn tell(mut self, finished: &Finished) {
        // A result that came too late is not sent: the drop of this guard reports the
        // reason.
        let Some(ledger) = self.ledger.take_if(|ledger| !ledger.is_broken_off()) else {
            return;
        };
        ledger.tell_answered(finished);
    }
}

impl Drop for InterceptedEnd {
    fn drop(&mut self) {
        let Some(ledger) = self.ledger.take() else {
            return;
        };
        let (method, deadline) = (self.method, self.deadline);
        ledger.tell_broken_off(|| {
            if std::thread::panicking() {
                return panic_of(method);
            }
            // The connection is gone, and its deadlines with it.
            if deadline.is_some_and(|deadline| deadline.is_past(clock::now())) {
                Status::new(Code::DeadlineExceeded, "the call's deadline passed")
            } else {
                Status::new(Code::Cancelled, "the call's connection was lost")
            }
        });
    }
}

/// A [`ServerInterceptor`] with its type erased.
trait ErasedServerInterceptor: Send + Sync {
    fn intercept_boxed<'a>(
        &'a self,
        context: &'a mut Context,
        next: Next<'a>,
    ) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;
}

impl<I: ServerInterceptor> ErasedServerInterceptor for I {
    fn intercept_boxed<'a>(
        &'a self,
        context: &'a mut Context,
        next: Next<'a>,
    ) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>> {
        Box::pin(self.intercept(context, next))
    }
}

impl fmt::Debug for dyn ErasedServerInterceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerInterceptor")
    }
}

/// The interceptors of a server or a service, the outermost first.
#[derive(Clone, Debug, Default)]
pub(super) struct ServerInterceptors(Vec<Arc<dyn ErasedServerInterceptor>>);

impl ServerInterceptors {
    pub(super) fn push(&mut self, interceptor: impl ServerInterceptor) {
        self.0.push(Arc::new(interceptor));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These, and `inner` inside of them.
    pub(super) fn around(&self, inner: &Self) -> Self {
        Self(self.0.iter().chain(&inner.0).cloned().collect())
    }

    /// The route with these around its handler. Without any it is the same route.
    pub(super) fn wrap(&self, route: &Arc<Route>) -> Arc<Route> {
        if self.is_empty() {
            return Arc::clone(route);
        }
        let interceptors: Arc<[Arc<dyn ErasedServerInterceptor>]> = self.0.as_slice().into();
        let inner = Arc::clone(route);
        let handler = move |invocation: Invocation| -> super::handler::HandlerFuture {
            let (interceptors, inner) = (Arc::clone(&interceptors), Arc::clone(&inner));
            let Invocation { mut context, input } = invocation;
            Box::pin(async move {
                let end = InterceptedEnd::new(&context, &input);
                let next = Next {
                    inner: &interceptors,
                    route: &inner,
                    input,
                };
                let outcome = next.run(&mut context).await;
                let finished = Finished {
                    // A call that failed has no message, whoever failed it.
                    message: outcome.message.filter(|_| outcome.result.is_ok()),
                    result: outcome.result,
                    envelope: Some(context.into_envelope()),
                };
                end.tell(&finished);
                finished
            })
        };
        Arc::new(Route::intercepted(route.method, Box::new(handler)))
    }
}
