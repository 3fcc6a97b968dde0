//! A server that answers as a test says, without generated code.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use grpc_runtime::{
    Context, Method, Next, Outcome, Receiver, Sender, Server, ServerBuilder, ServerInterceptor,
    Service, Status,
};
use tokio::sync::watch;

use crate::leftovers::Leftovers;
use crate::raw::Raw;
use crate::record::RecordedCall;
use crate::reply::{Reply, Step};

/// The answers of a test's servers, by the method's path, and the record of the calls that
/// they received. Clones share the script.
///
/// It needs no generated code, and takes calls of all four shapes.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use grpc_runtime::{Channel, Code, Method, Status, UnaryCall};
/// use grpc_testing::{Reply, Script};
///
/// const GET: Method = Method::unary("/shop.Orders/Get");
///
/// let script = Script::new()
///     .on("/shop.Orders/Get", Reply::status(Status::not_found("no such order")))
///     .on("/shop.Orders/Get", Reply::message(&"a book".to_owned()));
/// let channel = Channel::in_process(script.server())?;
///
/// let get = || UnaryCall::<String>::new(&channel, GET, &"order 7".to_owned());
/// assert_eq!(get().await.unwrap_err().code(), Code::NotFound);
/// // The last answer is given again and again.
/// assert_eq!(get().await?, "a book");
/// assert_eq!(get().await?, "a book");
/// assert_eq!(script.calls().len(), 3);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Script(Arc<SharedScript>);

#[derive(Debug, Default)]
struct SharedScript {
    plans: Mutex<BTreeMap<&'static str, Plan>>,
    calls: Mutex<Vec<RecordedCall>>,
    /// How many calls have come.
    count: watch::Sender<usize>,
}

/// The answers of one method.
#[derive(Debug, Default)]
struct Plan {
    replies: Vec<Reply>,
    /// The place of the next one.
    next: usize,
}

impl Script {
    /// A script without a method: all calls end with `UNIMPLEMENTED`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers a call to `method`, a path like `/package.Service/Method`. Of several
    /// answers for one method each is for one call, in their order, and the last one for
    /// all calls after that. The order is that in which calls arrive, at whichever server
    /// of the script.
    ///
    /// Answers may be added while calls go on; a method that is new then is not known to
    /// servers that were made before.
    ///
    /// # Panics
    /// If `method` is not of that form.
    #[must_use]
    pub fn on(self, method: &str, reply: Reply) -> Self {
        let path = Method::bidi_streaming(lasting(method)).path();
        lock(&self.0.plans)
            .entry(path)
            .or_default()
            .replies
            .push(reply);
        self
    }

    /// A server that answers by this script: for
    /// [`Channel::in_process`](grpc_runtime::Channel::in_process), for
    /// [`Network::bind`](crate::Network::bind), or to listen on a socket. There may be
    /// several.
    pub fn server(&self) -> ServerBuilder {
        let mut services: BTreeMap<&'static str, Vec<Method>> = BTreeMap::new();
        for path in lock(&self.0.plans).keys() {
            // On the wire, all shapes are cases of this one.
            let method = Method::bidi_streaming(path);
            services.entry(method.service()).or_default().push(method);
        }
        let builder = Server::builder().interceptor(Recorder(Arc::clone(&self.0)));
        services.into_iter().fold(builder, |builder, service| {
            let (name, methods) = service;
            let service = Service::builder(name, Arc::clone(&self.0));
            let service = methods.into_iter().fold(service, |service, method| {
                service.bidi_streaming(method, answer)
            });
            builder.add_service(service.build())
        })
    }

    /// All calls, in the order in which they came. Calls to methods that the script does
    /// not have are among them.
    pub fn calls(&self) -> Vec<RecordedCall> {
        lock(&self.0.calls).clone()
    }

    /// The calls to one method, in the order in which they came.
    pub fn calls_to(&self, method: &str) -> Vec<RecordedCall> {
        let mut calls = self.calls();
        calls.retain(|call| call.method() == method);
        calls
    }

    /// Waits until `count` calls have come since the script was made, whether they have
    /// ended or not.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// use grpc_runtime::{Channel, Code, Method, ServerStreamingCall};
    /// use grpc_testing::{Reply, Script, no_leftovers};
    ///
    /// const WATCH: Method = Method::server_streaming("/shop.Orders/Watch");
    ///
    /// let script = Script::new().on(WATCH.path(), Reply::hang());
    /// let channel = Channel::in_process(script.server())?;
    /// let replies = ServerStreamingCall::<String>::new(&channel, WATCH, &()).start();
    /// script.received(1).await;
    /// drop(replies);
    /// no_leftovers(&script, Duration::from_secs(1)).await;
    /// assert_eq!(script.calls()[0].code(), Some(Code::Cancelled));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn received(&self, count: usize) {
        let mut counted = self.0.count.subscribe();
        // Its sender lives as long as `self`.
        let _ = counted.wait_for(|counted| *counted >= count).await;
    }
}

/// The calls that have not ended.
impl Leftovers for Script {
    fn leftovers(&self) -> Vec<String> {
        let calls = self.calls();
        calls.iter().filter_map(RecordedCall::leftover).collect()
    }
}

impl SharedScript {
    fn next_reply(&self, path: &str) -> Reply {
        let mut plans = lock(&self.plans);
        let Some(plan) = plans.get_mut(path) else {
            return Reply::status(Status::unimplemented("the script has no such method"));
        };
        let place = plan.next.min(plan.replies.len().saturating_sub(1));
        plan.next = place + 1;
        plan.replies
            .get(place)
            .cloned()
            .unwrap_or_else(Reply::empty)
    }
}

/// Records what passes through a server of the script.
struct Recorder(Arc<SharedScript>);

impl ServerInterceptor for Recorder {
    async fn intercept(&self, context: &mut Context, mut next: Next<'_>) -> Outcome {
        let call = RecordedCall::begin(context);
        let ending = call.clone();
        next.on_end(move |end| ending.set_end(end.result().map_err(Clone::clone)));
        context.extensions_mut().insert(call.clone());
        let count = {
            let mut calls = lock(&self.0.calls);
            calls.push(call);
            calls.len()
        };
        self.0.count.send_replace(count);
        next.run(context).await
    }
}

/// The handler of every method.
async fn answer(
    script: &SharedScript,
    requests: &mut Receiver<Raw>,
    replies: &mut Sender<Raw>,
    context: &mut Context,
) -> Result<(), Status> {
    let Some(call) = context.extensions().get::<RecordedCall>().cloned() else {
        return Err(Status::internal(
            "an interceptor took the call's record away",
        ));
    };
    let reply = script.next_reply(call.method());
    // The kind of call is the client's choice, whatever the service declares; on the wire
    // all kinds look alike.
    context.hold_initial_metadata()?;
    // Initial metadata is sent before a failure too, and clients do not retry a call after
    // it.
    if !reply.initial.is_empty() {
        context.set_initial_metadata(reply.initial)?;
    }
    context.trailing_metadata_mut().extend(&reply.trailing);
    let mut awaited = 0;
    while awaited < reply.after && read(requests, &call).await? {
        awaited += 1;
    }
    let listen = async {
        while !call.has_all_requests() {
            read(requests, &call).await?;
        }
        Ok(())
    };
    if reply.is_last {
        context.drain_connection();
    }
    let break_off = alongside(speak(reply.steps, replies), listen).await?;
    let Some(step) = break_off else {
        return Ok(());
    };
    let text = if let Step::Reset(code) = step {
        context.reset_stream(code);
        "the script resets the stream"
    } else {
        context.cut_connection();
        "the script cuts the connection"
    };
    // The text is for the record; clients do not receive it.
    Err(Status::unavailable(text))
}

/// Records one request; `false` if there are no more.
async fn read(requests: &mut Receiver<Raw>, call: &RecordedCall) -> Result<bool, Status> {
    let request = requests.next().await?;
    let is_there = request.is_some();
    match request {
        Some(Raw(message)) => call.add_request(message),
        None => call.set_has_all_requests(),
    }
    Ok(is_there)
}

/// Says all there is; the step by which the answer breaks off, if it does.
async fn speak(steps: Vec<Step>, replies: &mut Sender<Raw>) -> Result<Option<Step>, Status> {
    for step in steps {
        match step {
            Step::Message(message) => replies.send(Raw(message)).await?,
            Step::Delay(delay) => tokio::time::sleep(delay).await,
            Step::Fail(status) => return Err(status),
            Step::Hang => pending().await,
            Step::Reset(_) | Step::Cut => return Ok(Some(step)),
        }
    }
    Ok(None)
}

/// Runs both until `first` has ended, or either failed.
async fn alongside<T, E>(
    first: impl Future<Output = Result<T, E>>,
    second: impl Future<Output = Result<(), E>>,
) -> Result<T, E> {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let mut second_runs = true;
    poll_fn(|cx| {
        if second_runs && let Poll::Ready(ended) = second.as_mut().poll(cx) {
            ended?;
            second_runs = false;
        }
        first.as_mut().poll(cx)
    })
    .await
}

/// Leaks `path`, once for each distinct path: a method's path is `&'static str`, since
/// generated code declares it as a constant.
fn lasting(path: &str) -> &'static str {
    static PATHS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut paths = lock(&PATHS);
    if let Some(known) = paths.get(path) {
        return known;
    }
    let path: &'static str = Box::leak(path.into());
    paths.insert(path);
    path
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
