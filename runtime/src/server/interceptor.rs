//! Interceptors around a server's handlers, and how a route is wrapped in them.
//! A route that has none must never pay for those of others.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;

use super::context::Context;
use super::handler::{Input, Invocation, Route, panicked};
use crate::call::command::Finished;
use crate::call::envelope::Envelope;
use crate::call::ledger::Traffic;
use crate::framing::{PREFIX_LEN, Payload};
use crate::status::{Code, Status};

/// Stands around the handlers of a server, or of one of its services: it sees
/// each call before they do and its outcome after them, and can answer in their
/// place.
///
/// [`ServerBuilder::interceptor`](crate::ServerBuilder::interceptor) adds one for
/// all services, [`Service::interceptor`](crate::Service::interceptor) for one. A
/// server's stand outside of a service's, and one that was added earlier outside
/// of one that was added later.
///
/// The call's deadline goes on. When it passes, or the caller cancels, this
/// future is dropped together with the handler's: what has to happen then belongs
/// into a destructor. A panic, here or in the handler, answers the call with
/// `INTERNAL`.
///
/// # Which calls it sees
///
/// All that get as far as a handler, and, where it stands around the whole server,
/// those to methods that the server does not have: their [`Context::method`] is
/// [`Method::UNKNOWN`](crate::Method::UNKNOWN), so that what counts by method is
/// not at the mercy of what callers think up, and their outcome is
/// `UNIMPLEMENTED`, with the path in its message. So one that lets in only whom it
/// knows tells nobody else which methods there are.
///
/// What is refused before the request is whole does not get here, since it costs
/// the server next to nothing and should go on doing so: what is no gRPC call at
/// all, or breaks its protocol; metadata above the limit; a deadline that has
/// passed on arrival; an encoding that the server does not take; and, of methods
/// that take one message, a message above the limit. A client that goes away, or
/// whose deadline passes, before its one message is whole has made no call either.
///
/// ```
/// use std::time::Instant;
///
/// use grpc_runtime::{Context, Next, Outcome, ServerInterceptor};
///
/// struct Log;
///
/// impl ServerInterceptor for Log {
///     async fn intercept(&self, context: &mut Context, next: Next<'_>) -> Outcome {
///         let began = Instant::now();
///         let outcome = next.run(context).await;
///         let (method, peer) = (context.method(), context.peer());
///         let (code, took) = (outcome.code(), began.elapsed());
///         let (sent, received) = (outcome.sent().bytes, outcome.received().bytes);
///         println!("{peer} {} {code:?} {took:?} {received} B in {sent} B out", method.path());
///         outcome
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
    /// How the call ended.
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

    /// The messages that the handler sent. Nothing has been sent of a call that
    /// failed before its only message.
    pub fn sent(&self) -> Traffic {
        self.sent
    }

    /// The messages that the handler got; those of a stream that it did not read
    /// are not among them.
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

/// What an [interceptor](ServerInterceptor) stands around: the interceptors inside
/// of it, and the handler.
#[derive(Debug)]
pub struct Next<'a> {
    inner: &'a [Arc<dyn Erased>],
    route: &'a Route,
    input: Input,
}

impl Next<'_> {
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
    let state = input.state.clone();
    let invocation = Invocation {
        context: context.lend(),
        input,
    };
    let mut handler = pin!(async move { route.handle(invocation).await });
    let finished = poll_fn(|cx| {
        Envelope::salvage(|| handler.as_mut().poll(cx)).unwrap_or_else(|envelope| {
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
    let ledger = state.as_ref().and_then(|state| state.ledger());
    let streamed = ledger.map(|ledger| (ledger.sent.traffic(), ledger.received.traffic()));
    let (mut sent, mut received) = streamed.unwrap_or_default();
    if let Some(message) = &finished.message {
        sent = Traffic::one(message.len() - PREFIX_LEN);
    }
    if let Some(length) = request {
        received = Traffic::one(length);
    }
    Outcome {
        result: finished.result,
        message: finished.message,
        sent,
        received,
    }
}

/// A [`ServerInterceptor`] with its type erased.
trait Erased: Send + Sync {
    fn intercept_boxed<'a>(
        &'a self,
        context: &'a mut Context,
        next: Next<'a>,
    ) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;
}

impl<I: ServerInterceptor> Erased for I {
    fn intercept_boxed<'a>(
        &'a self,
        context: &'a mut Context,
        next: Next<'a>,
    ) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>> {
        Box::pin(self.intercept(context, next))
    }
}

impl fmt::Debug for dyn Erased {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerInterceptor")
    }
}

/// The interceptors of a server or a service, the outermost first.
#[derive(Clone, Debug, Default)]
pub(super) struct Interceptors(Vec<Arc<dyn Erased>>);

impl Interceptors {
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
        let interceptors: Arc<[Arc<dyn Erased>]> = self.0.as_slice().into();
        let inner = Arc::clone(route);
        let handler = move |invocation: Invocation| -> super::handler::HandlerFuture {
            let (interceptors, inner) = (Arc::clone(&interceptors), Arc::clone(&inner));
            let Invocation { mut context, input } = invocation;
            Box::pin(async move {
                let next = Next {
                    inner: &interceptors,
                    route: &inner,
                    input,
                };
                let outcome = next.run(&mut context).await;
                Finished {
                    // A call that failed has no message, whoever failed it.
                    message: outcome.message.filter(|_| outcome.result.is_ok()),
                    result: outcome.result,
                    envelope: Some(context.into_envelope()),
                }
            })
        };
        Arc::new(Route::watched(route.method, Box::new(handler)))
    }
}
