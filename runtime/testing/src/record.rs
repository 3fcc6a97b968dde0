//! The record of the calls that a scripted server received.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use grpc_runtime::prost::bytes::Bytes;
use grpc_runtime::prost::{DecodeError, Message};
use grpc_runtime::{Code, Context, Metadata, PeerAddress, Status};
use tokio::time::Instant;

/// A call that a [`Script`](crate::Script) got. It is a view: while the call lasts, its
/// requests and its end are added.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// use grpc_runtime::{Channel, Code, Method, UnaryCall};
/// use grpc_testing::{Reply, Script};
///
/// const GET: Method = Method::unary("/shop.Orders/Get");
///
/// let script = Script::new().on(GET.path(), Reply::empty().then_message(&"a book".to_owned()));
/// let channel = Channel::in_process(script.server())?;
/// let call = UnaryCall::<String>::new(&channel, GET, &"order 7".to_owned());
/// call.timeout(Duration::from_secs(5)).metadata("x-user", "ann").await?;
///
/// let call = &script.calls_to(GET.path())[0];
/// assert_eq!(call.requests::<String>()?, ["order 7"]);
/// assert_eq!(call.metadata().get("x-user"), Some("ann"));
/// assert!(call.time_remaining() <= Some(Duration::from_secs(5)));
/// assert_eq!(call.code(), Some(Code::Ok));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RecordedCall(Arc<Entry>);

#[derive(Debug)]
struct Entry {
    /// The called path, also for a method that the script does not have.
    path: Box<str>,
    method: &'static str,
    metadata: Metadata,
    peer: PeerAddress,
    time_remaining: Option<Duration>,
    began: Instant,
    progress: Mutex<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    requests: Vec<Bytes>,
    has_all_requests: bool,
    end: Option<Result<(), Status>>,
}

impl RecordedCall {
    pub(crate) fn begin(context: &Context) -> Self {
        Self(Arc::new(Entry {
            path: context.path().into(),
            method: context.method().path(),
            metadata: context.metadata().clone(),
            peer: context.peer().clone(),
            time_remaining: context.time_remaining(),
            began: Instant::now(),
            progress: Mutex::default(),
        }))
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        let progress = &self.0.progress;
        progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add_request(&self, message: Bytes) {
        self.progress().requests.push(message);
    }

    pub(crate) fn set_has_all_requests(&self) {
        self.progress().has_all_requests = true;
    }

    pub(crate) fn set_end(&self, end: Result<(), Status>) {
        self.progress().end = Some(end);
    }

    /// The call, where it has not ended, in the words of a failed assertion.
    pub(crate) fn leftover(&self) -> Option<String> {
        let (path, peer, took) = (self.path(), self.peer(), self.0.began.elapsed());
        let is_left = self.code().is_none();
        is_left.then(|| format!("call {path} from {peer}, for {took:?}"))
    }

    /// The path of the method, `/package.Service/Method`; for a method that the script does
    /// not have, the path of [`Method::UNKNOWN`](grpc_runtime::Method::UNKNOWN).
    pub fn method(&self) -> &'static str {
        self.0.method
    }

    /// The path that the client asked for, also where the script does not have it.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// The metadata that the client sent.
    pub fn metadata(&self) -> &Metadata {
        &self.0.metadata
    }

    /// The caller: the client's name on a [`Network`](crate::Network).
    pub fn peer(&self) -> &PeerAddress {
        &self.0.peer
    }

    /// The time until the call's deadline when it arrived; `None` without a deadline.
    pub fn time_remaining(&self) -> Option<Duration> {
        self.0.time_remaining
    }

    /// The moment when it arrived, of tokio's clock.
    pub fn began(&self) -> Instant {
        self.0.began
    }

    /// The request messages that have come until now, decoded.
    ///
    /// # Errors
    /// Bytes that are no `M`.
    pub fn requests<M: Message + Default>(&self) -> Result<Vec<M>, DecodeError> {
        let requests = self.progress().requests.clone();
        requests.into_iter().map(M::decode).collect()
    }

    /// The request messages that have come until now, as they came.
    pub fn request_bytes(&self) -> Vec<Bytes> {
        self.progress().requests.clone()
    }

    /// Whether the client has said that there are no more requests.
    pub fn has_all_requests(&self) -> bool {
        self.progress().has_all_requests
    }

    /// How the call ended at the server; `None` while it lasts. A client that gave up is
    /// `CANCELLED`, and a deadline that passed `DEADLINE_EXCEEDED`.
    pub fn code(&self) -> Option<Code> {
        let progress = self.progress();
        let end = progress.end.as_ref()?;
        Some(end.as_ref().map_or_else(Status::code, |()| Code::Ok))
    }

    /// The status of a call that failed; `None` while it lasts, and after `OK`. Of a method
    /// that the script does not have, its message tells the path.
    pub fn failure(&self) -> Option<Status> {
        self.progress().end.as_ref()?.as_ref().err().cloned()
    }
}
