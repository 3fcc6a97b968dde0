//! Interceptors of a channel's calls, and what they see.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::open_call::OpenCall;
use crate::clock;
use crate::deadline::Deadline;
use crate::metadata::Metadata;
use crate::method::Method;
use crate::observe::ended_call::EndedCall;
use crate::status::Status;

/// Sees each call of a channel before it goes out, may change or refuse it, and
/// may ask to hear of its end.
///
/// [`ChannelBuilder::interceptor`](crate::ChannelBuilder::interceptor) adds one to
/// a channel, [`Channel::with_interceptor`](crate::Channel::with_interceptor) to a
/// clone of it: for one stub, say. They run in the order in which they were added,
/// ahead of the call's credentials, and before it waits for a connection.
///
/// It runs on the runtime of the call, or on the channels' own thread for a
/// blocking one that has to wait, within the call's deadline; it is dropped when
/// the call is cancelled. A panic fails the call with `INTERNAL`.
///
/// ```
/// use grpc_runtime::{ClientInterceptor, OutgoingCall, Status};
///
/// struct Token;
///
/// impl Token {
///     async fn get(&self) -> Result<String, Status> {
///         // Ask whoever makes out tokens, unless there is one that still lives.
///         Ok("mF_9.B5f-4.1JqM".to_owned())
///     }
/// }
///
/// impl ClientInterceptor for Token {
///     async fn start(&self, call: &mut OutgoingCall) -> Result<(), Status> {
///         let token = self.get().await?;
///         call.metadata_mut().append("x-token", &token)?;
///         Ok(())
///     }
/// }
/// ```
///
/// A function of the call is one too, where nothing has to be waited for:
///
/// ```
/// # fn main() -> Result<(), grpc_runtime::ChannelError> {
/// use grpc_runtime::{Channel, ChannelCredentials, EndedCall, OutgoingCall};
///
/// let channel = Channel::builder("localhost:50051")?
///     .interceptor(|call: &mut OutgoingCall| {
///         call.on_end(|ended: &EndedCall| {
///             let (path, code) = (ended.method().path(), ended.code());
///             println!("{path} {code:?} {:?}", ended.elapsed());
///         });
///         Ok(())
///     })
///     .build(ChannelCredentials::insecure())?;
/// # drop(channel);
/// # Ok(())
/// # }
/// ```
pub trait ClientInterceptor: Send + Sync + 'static {
    /// Sees one call before it goes out. An error is the call's end, with that
    /// status.
    fn start(&self, call: &mut OutgoingCall) -> impl Future<Output = Result<(), Status>> + Send;
}

impl<F> ClientInterceptor for F
where
    F: Fn(&mut OutgoingCall) -> Result<(), Status> + Send + Sync + 'static,
{
    fn start(&self, call: &mut OutgoingCall) -> impl Future<Output = Result<(), Status>> + Send {
        std::future::ready(self(call))
    }
}

/// A call that has not gone out, as its [interceptors](ClientInterceptor) see it.
#[derive(Debug)]
pub struct OutgoingCall {
    pub(in crate::channel) open: Box<OpenCall>,
    pub(in crate::channel) authority: Arc<str>,
}

impl OutgoingCall {
    /// The method that is called.
    pub fn method(&self) -> Method {
        self.open.method
    }

    /// What the request will name as `:authority`: the server's name, as a rule. An
    /// endpoint may have [another](crate::Endpoint::authority), which is not known yet.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The request's metadata so far. What credentials add is not among it.
    pub fn metadata(&self) -> &Metadata {
        &self.open.options.metadata
    }

    /// The same, to change.
    pub fn metadata_mut(&mut self) -> &mut Metadata {
        &mut self.open.options.metadata
    }

    /// When the call has to have ended; `None` if it has no deadline.
    pub fn deadline(&self) -> Option<Deadline> {
        self.open.options.deadline.map(Deadline::at)
    }

    /// Gives the call another deadline. The interceptor itself still runs within
    /// the one that there was.
    pub fn set_deadline(&mut self, deadline: Instant) {
        self.open.options.deadline = Some(deadline);
    }

    /// As [`set_deadline`](Self::set_deadline), counted from now. A time that the clock
    /// cannot count is none: the call then has no deadline.
    pub fn set_timeout(&mut self, timeout: Duration) {
        // A timeout beyond what the clock can count is none.
        self.open.options.deadline = clock::now().checked_add(timeout);
    }

    /// Whether the call waits for a connection instead of failing with
    /// `UNAVAILABLE` when there is none to be had.
    pub fn waits_for_ready(&self) -> bool {
        self.open.options.wait_for_ready
    }

    /// Says whether the call waits for a connection, in place of what its caller said.
    pub fn set_wait_for_ready(&mut self, wait: bool) {
        self.open.options.wait_for_ready = wait;
        self.open.options.is_ready_said = true;
    }

    /// Calls `listener` once when the call has ended, in whatever way, and its
    /// caller has seen that or has dropped the call. Those of interceptors that
    /// were added later are called first.
    ///
    /// It runs in the caller's task and must not block.
    pub fn on_end(&mut self, listener: impl FnOnce(&EndedCall<'_>) + Send + 'static) {
        // A call that is intercepted has a ledger.
        if let Some(ledger) = self.open.state.ledger() {
            ledger.on_end(Box::new(listener));
        }
    }
}

/// A [`ClientInterceptor`] with its type erased.
trait ErasedClientInterceptor: Send + Sync {
    fn start_boxed<'a>(
        &'a self,
        call: &'a mut OutgoingCall,
    ) -> Pin<Box<dyn Future<Output = Result<(), Status>> + Send + 'a>>;
}

impl<I: ClientInterceptor> ErasedClientInterceptor for I {
    fn start_boxed<'a>(
        &'a self,
        call: &'a mut OutgoingCall,
    ) -> Pin<Box<dyn Future<Output = Result<(), Status>> + Send + 'a>> {
        Box::pin(self.start(call))
    }
}

impl fmt::Debug for dyn ErasedClientInterceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientInterceptor")
    }
}

/// The interceptors of a channel, in the order in which they run. One word, since
/// calls are made of channels and are moved about.
#[derive(Clone, Debug, Default)]
pub(in crate::channel) struct ClientInterceptors(
    Option<Arc<Vec<Arc<dyn ErasedClientInterceptor>>>>,
);

impl ClientInterceptors {
    pub(in crate::channel) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(in crate::channel) fn len(&self) -> usize {
        self.0.as_deref().map_or(0, Vec::len)
    }

    pub(in crate::channel) fn push(&mut self, interceptor: impl ClientInterceptor) {
        let list = Arc::make_mut(self.0.get_or_insert_default());
        list.push(Arc::new(interceptor));
    }

    /// Runs one of them.
    pub(in crate::channel) async fn start(
        &self,
        index: usize,
        call: &mut OutgoingCall,
    ) -> Result<(), Status> {
        match self.0.as_deref().and_then(|list| list.get(index)) {
            Some(interceptor) => interceptor.start_boxed(call).await,
            None => Ok(()),
        }
    }
}
