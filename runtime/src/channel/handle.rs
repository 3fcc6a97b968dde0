//! The channel that users hold: a cheap handle to what all its clones share. It never
//! blocks and does no I/O on the caller's thread.

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

/// A connection to a server, made when the first call needs it and made again
/// when it is lost.
///
/// A channel is cheap to clone; its clones share the connection. Creating one
/// neither blocks nor connects. Calls that start while the server cannot be
/// reached fail with `UNAVAILABLE`, unless they ask to wait
/// (`wait_for_ready`). Once an attempt to connect has failed, the channel goes on
/// trying until one succeeds, whether calls come or not. The attempts are spaced by
/// gRPC's backoff: 1 s, growing by 1.6 to 120 s, ±20 %, unless
/// [`reconnect_backoff`](crate::ChannelBuilder::reconnect_backoff) says otherwise.
///
/// The connection runs on the tokio runtime of the first call, or on a
/// background thread of its own if that call came from a thread without one, or if
/// [`background_connections`](crate::ChannelBuilder::background_connections) asks for it.
/// When that runtime is shut down, the calls that run end with `UNAVAILABLE`, and the
/// next one connects anew. A single-threaded runtime stands still while nobody is in
/// its `block_on`: the first call that comes from elsewhere moves the channel to a
/// connection that does not depend on it, on the caller's runtime if that has threads
/// of its own, or else on the background thread. The calls that run end where they
/// began.
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

    /// The same channel, whose calls this [interceptor](ClientInterceptor) sees
    /// too, after those that are there: for one stub, say. The connection is
    /// shared.
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

    /// Whether calls have to keep a ledger.
    pub(crate) fn is_watched(&self) -> bool {
        !self.interceptors.is_empty()
            || self.shared.calls.is_observed && self.shared.common.dial.observers().want_calls()
    }

    /// Where a call keeps what passes, for those who watch it.
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

    /// For calls that have no deadline.
    pub(crate) fn default_timeout(&self) -> Option<Duration> {
        self.shared.calls.timeout
    }

    /// Shows `say` what a service config says of the calls of a method, if anything; `Err`
    /// where that cannot be said yet.
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

    /// Whether a service config may have a say in calls.
    #[inline]
    pub(crate) fn has_terms(&self) -> bool {
        self.shared.outlook.has_terms()
    }

    fn home(&self) -> Arc<dyn Home> {
        let shared: Arc<ChannelShared> = Arc::clone(&self.shared);
        shared
    }

    /// Has the call attempted more than once, as its method's config says.
    pub(crate) fn repeat(&self, open: &mut OpenCall, repeats: Arc<RepeatPolicy>) {
        open.repeat(repeats, self.home());
    }

    /// Has the call's end count for the further attempts of others.
    pub(crate) fn count(&self, open: &mut OpenCall) {
        open.count(self.home());
    }

    /// Has the config's say in a call that began at `start` once it is known.
    pub(crate) fn await_config(&self, open: &mut OpenCall, start: Instant) {
        open.await_config(start, self.home());
    }

    /// Starts a call: with its interceptors and its credentials, if it has any,
    /// and then on a connection.
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

    /// What the channel is doing: the best of what its connections do.
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

    /// What is so of the channel, its endpoints and their connections at this moment: the
    /// data of gRPC's channelz (gRFC A14), as plain values. No call waits for it.
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

    /// Asks for a connection though no call needs it yet. One that is there, or
    /// is being made, is enough; a failure is told by [`state`](Self::state), and
    /// the channel tries again after each backoff. After a failure it tries at once, in
    /// place of waiting for the rest of the
    /// [backoff](crate::ChannelBuilder::reconnect_backoff), which begins anew: for a program
    /// that knows that the server is back.
    ///
    /// # Errors
    /// `CANCELLED` if the channel was closed. `UNAVAILABLE` if this thread has
    /// no runtime and none could be started.
    pub fn connect(&self) -> Result<(), Status> {
        match self.state() {
            ConnectivityState::Connecting | ConnectivityState::Ready if self.shared.is_driven() => {
                Ok(())
            }
            _ => self.shared.connect(),
        }
    }

    /// Ends the channel, for all its clones and at once: the calls that run or
    /// wait end with `CANCELLED`, and so does every later one. Dropping the
    /// last clone instead lets the calls that run come to their ends.
    pub fn close(&self) {
        self.shared.close();
    }
}
