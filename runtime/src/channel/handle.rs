//! The channel that users hold: a handle that is cheap to clone. It does not block and does
//! no I/O on the caller's thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::call::call_options::CallOptions;
use super::call::interceptor::{ClientInterceptor, ClientInterceptors};
use super::call::open_call::{Home, OpenCall};
use super::config::method_config::{MethodTerms, RepeatPolicy};
use super::connectivity::{ConnectivityState, StateWatch};
use super::outlook::Later;
use super::prepare::prepare;
use super::record::ChannelSnapshot;
use super::shared::ChannelShared;
use crate::call::ledger::Ledger;
use crate::clock;
use crate::deadline::Deadline;
use crate::framing::{Compression, Side};
use crate::limits::CallLimits;
use crate::method::Method;
use crate::observe::begun_call::BegunCall;
use crate::snapshot::entries::Inspected;
use crate::status::Status;
use crate::transport::Http2Options;

/// A connection to a server, or to several, established when the first call needs it and
/// again when it is lost.
///
/// A channel is cheap to clone; clones share the connections. Creating one neither blocks
/// nor connects. Calls that start while the server cannot be reached fail with
/// `UNAVAILABLE`, unless they use `wait_for_ready`. Once an attempt to connect has failed,
/// the channel keeps trying until one succeeds, even without calls. The waits between
/// attempts follow gRPC's backoff: 1 s, growing by a factor of 1.6 up to 120 s, ±20 %,
/// unless [`reconnect_backoff`](crate::ChannelBuilder::reconnect_backoff) sets others.
///
/// The connections run on the tokio runtime of the first call. They run on the process's
/// background thread if that call came from a thread without a runtime, or with
/// [`background_connections`](crate::ChannelBuilder::background_connections). When the
/// runtime shuts down, running calls end with `UNAVAILABLE`, and the next call connects
/// again.
///
/// A single-threaded runtime only runs while a thread is in its `block_on`. The first call
/// from elsewhere therefore moves the channel to new connections: on the caller's runtime
/// if that is multi-threaded, else on the background thread. Calls that are running stay on
/// the old connections.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use grpc_runtime::Channel;
///
/// let channel = Channel::insecure("localhost:50051")?;
/// # drop(channel);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Channel {
    shared: Arc<ChannelShared>,
    interceptors: ClientInterceptors,
}

impl Channel {
    pub(super) fn of(shared: Arc<ChannelShared>, interceptors: ClientInterceptors) -> Self {
        Self {
            shared,
            interceptors,
        }
    }

    /// The same channel with a further [interceptor](ClientInterceptor), which sees calls
    /// after the existing ones; for example for one stub. The connections are shared.
    ///
    /// ```
    /// use grpc_runtime::{Channel, OutgoingCall};
    ///
    /// fn of_tenant(channel: &Channel, name: &'static str) -> Channel {
    ///     channel.with_interceptor(move |call: &mut OutgoingCall| {
    ///         call.metadata_mut().append("x-tenant", name)?;
    ///         Ok(())
    ///     })
    /// }
    /// ```
    #[must_use]
    pub fn with_interceptor(&self, interceptor: impl ClientInterceptor) -> Self {
        let mut channel = self.clone();
        channel.interceptors.push(interceptor);
        channel
    }

    /// Whether calls need a ledger: interceptors or observers watch them.
    pub(crate) fn is_watched(&self) -> bool {
        !self.interceptors.is_empty()
            || self.shared.calls.is_observed && self.shared.common.dial.observers().want_calls()
    }

    /// The ledger of a call, for its interceptors and observers.
    #[cold]
    pub(crate) fn ledger(&self, method: Method, options: &CallOptions) -> Arc<Ledger> {
        let observers = self.shared.common.dial.observers().clone();
        let call = BegunCall {
            side: Side::Client,
            method,
            target: self.shared.common.dial.observers().target(),
            peer: None,
            metadata: &options.metadata,
            deadline: options.deadline.map(Deadline::at),
        };
        Ledger::begin(observers, &call, clock::now())
    }

    /// The timeout of calls without a deadline.
    pub(crate) fn default_timeout(&self) -> Option<Duration> {
        self.shared.calls.timeout
    }

    /// Passes to `say` what the service config sets for a method's calls, if anything;
    /// `Err` if it is not known yet.
    #[inline]
    pub(crate) fn terms_of<T>(
        &self,
        method: &Method,
        say: impl FnOnce(MethodTerms<'_>) -> T,
    ) -> Result<Option<T>, Later> {
        self.shared.outlook.terms_of(method, say)
    }

    pub(crate) fn limits(&self) -> CallLimits {
        self.shared.calls.limits
    }

    pub(crate) fn compression(&self) -> Compression {
        self.shared.calls.compression
    }

    pub(crate) fn http2(&self) -> &Http2Options {
        &self.shared.common.http2
    }

    /// Whether a service config may apply to calls.
    #[inline]
    pub(crate) fn has_terms(&self) -> bool {
        self.shared.outlook.has_terms()
    }

    fn home(&self) -> Arc<dyn Home> {
        let shared: Arc<ChannelShared> = Arc::clone(&self.shared);
        shared
    }

    /// Lets the call be attempted more than once, as its method's config says.
    pub(crate) fn repeat(&self, open: &mut OpenCall, repeats: Arc<RepeatPolicy>) {
        open.repeat(repeats, self.home());
    }

    /// Counts the call's result for the throttling of retries.
    pub(crate) fn count(&self, open: &mut OpenCall) {
        open.count(self.home());
    }

    /// Applies the service config to a call that began at `start`, once the config is
    /// known.
    pub(crate) fn await_config(&self, open: &mut OpenCall, start: Instant) {
        open.await_config(start, self.home());
    }

    /// Starts a call: runs its interceptors and credentials, if any, and then passes it to
    /// a connection.
    pub(crate) fn open(&self, mut open: Box<OpenCall>) {
        let own = open.options.credentials.take();
        let credentials = match (&self.shared.calls.credentials, own) {
            (None, None) if self.interceptors.is_empty() => return self.shared.begin(open, false),
            (Some(shared), Some(own)) => Some(shared.clone().and(own)),
            (Some(shared), None) => Some(shared.clone()),
            (None, own) => own,
        };
        prepare(&self.shared, &self.interceptors, open, credentials);
    }

    /// The channel's connectivity state.
    pub fn state(&self) -> ConnectivityState {
        self.shared.outlook.state()
    }

    /// Follows the state of the channel.
    ///
    /// ```no_run
    /// # async fn ready() -> Result<(), Box<dyn std::error::Error>> {
    /// use grpc_runtime::{Channel, ConnectivityState};
    ///
    /// let channel = Channel::insecure("localhost:50051")?;
    /// let mut states = channel.watch_state();
    /// channel.connect()?;
    /// states.wait_for(ConnectivityState::Ready).await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn watch_state(&self) -> StateWatch {
        self.shared.outlook.connectivity().watch()
    }

    /// The data of gRPC's channelz (gRFC A14) at this moment: the channel, its endpoints
    /// and their connections, as plain values. Taking it delays no call.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use grpc_runtime::Channel;
    ///
    /// let channel = Channel::insecure("localhost:50051")?;
    /// let snapshot = channel.snapshot();
    /// assert_eq!(snapshot.target(), "localhost:50051");
    /// for subchannel in snapshot.subchannels() {
    ///     println!("{:?}: {}", subchannel.addresses(), subchannel.state());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn snapshot(&self) -> ChannelSnapshot {
        self.shared.inspect()
    }

    /// Establishes a connection although no call needs one yet. If one exists or is being
    /// established, nothing more happens. It returns at once: [`state`](Self::state) shows
    /// whether connecting failed, and the channel tries again after each backoff. Called in
    /// that state, it tries at once and restarts the
    /// [backoff](crate::ChannelBuilder::reconnect_backoff): use it when the program knows
    /// that the server is back.
    ///
    /// # Errors
    /// `CANCELLED` if the channel was closed. `UNAVAILABLE` if this thread has no runtime
    /// and the background runtime could not be started.
    pub fn connect(&self) -> Result<(), Status> {
        match self.state() {
            ConnectivityState::Connecting | ConnectivityState::Ready if self.shared.is_driven() => {
                Ok(())
            }
            _ => self.shared.connect(),
        }
    }

    /// Closes the channel at once, for all its clones: running and waiting calls end with
    /// `CANCELLED`, and so does every later call. To let running calls complete, drop the
    /// last clone instead.
    pub fn close(&self) {
        self.shared.close();
    }
}
