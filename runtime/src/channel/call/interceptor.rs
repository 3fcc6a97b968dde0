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

/// Sees each call of a channel before it is sent. It may change or refuse the call, and may
/// register a listener for its end.
///
/// [`ChannelBuilder::interceptor`](crate::ChannelBuilder::interceptor) adds an interceptor
/// to a channel, [`Channel::with_interceptor`](crate::Channel::with_interceptor) to a clone
/// of the channel, for example for one stub. Interceptors run in the order in which they
/// were added, before the call's credentials and before the call waits for a connection.
///
/// An interceptor runs on the call's runtime, or on the background thread if the call is
/// blocking and the interceptor waits. It runs within the call's deadline, and is dropped
/// when the call is cancelled. A panic fails the call with `INTERNAL`.
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
/// If nothing has to be awaited, a function of the call is an interceptor too:
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
    /// Sees one call before it is sent. An error ends the call with that status.
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

/// A call before it is sent, as its [interceptors](ClientInterceptor) see it.
#[derive(Debug)]
pub struct OutgoingCall {
    pub(in crate::channel) open: Box<OpenCall>,
    pub(in crate::channel) authority: Arc<str>,
}

impl OutgoingCall {
    /// The call's method.
    pub fn method(&self) -> Method {
        self.open.method
    }

    /// The `:authority` of the request, most often the server's name. An endpoint may have
    /// [another authority](crate::Endpoint::authority), which is not known yet.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The request's metadata so far, without what credentials will add.
    pub fn metadata(&self) -> &Metadata {
        &self.open.options.metadata
    }

    /// The request's metadata so far, mutably.
    pub fn metadata_mut(&mut self) -> &mut Metadata {
        &mut self.open.options.metadata
    }

    /// The call's deadline; `None` if it has none.
    pub fn deadline(&self) -> Option<Deadline> {
        self.open.options.deadline.map(Deadline::at)
    }

    /// Sets the call's deadline. The interceptor itself still runs within the previous one.
    pub fn set_deadline(&mut self, deadline: Instant) {
        self.open.options.deadline = Some(deadline);
    }

    /// Sets the call's deadline, counted from now. With a timeout beyond what the clock can
    /// represent the call has no deadline.
    pub fn set_timeout(&mut self, timeout: Duration) {
        // A timeout beyond what the clock can represent is no deadline.
        self.open.options.deadline = clock::now().checked_add(timeout);
    }

    /// Whether the call waits for a connection instead of failing with `UNAVAILABLE` when
    /// connecting fails.
    pub fn waits_for_ready(&self) -> bool {
        self.open.options.wait_for_ready
    }

    /// Sets whether the call waits for a connection, instead of what its caller has set.
    pub fn set_wait_for_ready(&mut self, wait: bool) {
        self.open.options.wait_for_ready = wait;
        self.open.options.is_ready_said = true;
    }

    /// Calls `listener` once, after the call has ended in any way and its caller has
    /// received the result or dropped the call. Listeners of interceptors that were added
    /// later are called first.
    ///
    /// It runs in the caller's task and must not block.
    pub fn on_end(&mut self, listener: impl FnOnce(&EndedCall<'_>) + Send + 'static) {
        // An intercepted call has a ledger.
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

/// The interceptors of a channel, in the order in which they run. One pointer in size,
/// since calls contain channels and are moved often.
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
