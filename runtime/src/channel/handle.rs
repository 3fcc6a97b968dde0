//! The channel that users hold: a cheap handle to a subchannel's queue. It must
//! never block and never do I/O on the caller's thread.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;

use super::background;
use super::backoff::{Backoff, Waits};
use super::carrier::{self, Carrier};
use super::connection::Identity;
use super::connectivity::{Connectivity, ConnectivityState};
use super::dial::{CONNECT_TIMEOUT, Destination, Dial};
use super::error::ChannelError;
use super::interceptor::{ClientInterceptor, Interceptors};
use super::open::{self, Ask, Open};
use super::prepare::prepare;
use super::security::Security;
use super::subchannel::Subchannel;
use super::target::Target;
use super::waiting::ask_to_open;
use crate::call::queue::{QueueSender, queue};
use crate::call::request_head::{RequestTemplate, USER_AGENT};
use crate::clock;
use crate::credentials::{CallCredentials, ChannelCredentials};
use crate::framing::{Compression, Encodings};
use crate::limits::CallLimits;
use crate::status::Status;
use crate::transport::Http2Options;
use crate::transport::http2::options::UpkeepOptions;

/// A connection to a server, made when the first call needs it and made again
/// when it is lost.
///
/// A channel is cheap to clone; its clones share the connection. Creating one
/// neither blocks nor connects. Calls that start while the server cannot be
/// reached fail with `UNAVAILABLE`, unless they ask to wait
/// (`wait_for_ready`). Attempts to connect are spaced by gRPC's backoff: 1 s,
/// growing by 1.6 to 120 s, ±20 %, unless
/// [`reconnect_backoff`](ChannelBuilder::reconnect_backoff) says otherwise.
///
/// The connection runs on the tokio runtime of the first call, or on a
/// background thread of its own if that call came from a thread without one, or if
/// [`background_connections`](ChannelBuilder::background_connections) asks for it.
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
    shared: Arc<Shared>,
    interceptors: Interceptors,
}

#[derive(Debug)]
struct Shared {
    dial: Dial,
    identity: Arc<Identity>,
    http2: Http2Options,
    upkeep: UpkeepOptions,
    backoff: Waits,
    in_background: bool,
    carrier: Carrier,
    limits: CallLimits,
    compression: Compression,
    connectivity: Arc<Connectivity>,
    /// What every call carries.
    credentials: Option<CallCredentials>,
    /// The first subchannel, which as a rule is the only one: calls reach it
    /// without a lock around the channel.
    first: OnceLock<QueueSender<Ask>>,
    /// The one that runs since the first was left. Held while a subchannel is started
    /// or ended.
    later: Mutex<Option<QueueSender<Ask>>>,
}

/// Configures a [`Channel`].
#[derive(Debug)]
pub struct ChannelBuilder {
    destination: Destination,
    /// The target's own.
    default_authority: String,
    authority: Option<String>,
    user_agent: String,
    http2: Http2Options,
    pub(super) upkeep: UpkeepOptions,
    pub(super) backoff: Waits,
    pub(super) connect_timeout: Duration,
    pub(super) in_background: bool,
    limits: CallLimits,
    compression: Compression,
    encodings: Encodings,
    interceptors: Interceptors,
}

impl Channel {
    /// A channel to `target`, secured as `credentials` say: `host:port`,
    /// `dns:///host:port`, `ipv4:1.2.3.4:port`, `ipv6:[::1]:port` or
    /// `unix:/path`. The port is 443 unless it is given.
    ///
    /// `ipv4:` and `ipv6:` take several addresses of one service, with commas
    /// between them: `ipv4:10.0.0.1:50051,10.0.0.2:50051`. Those, and those that a
    /// name resolves to, are tried one after the other until one of them speaks
    /// HTTP/2, over TLS where the credentials ask for it. The next one is tried as
    /// soon as one fails, or after 250 ms beside it; each may take 20 s. A failure
    /// tells what was wrong with which address. The first address of a list is
    /// its authority, unless
    /// [another](ChannelBuilder::authority) is given.
    ///
    /// # Errors
    /// The text is not a target. Whether anything answers there shows in calls.
    pub fn new(
        target: impl AsRef<str>,
        credentials: ChannelCredentials,
    ) -> Result<Self, ChannelError> {
        Self::builder(target)?.build(credentials)
    }

    /// A channel without encryption: [`new`](Self::new) with
    /// [`ChannelCredentials::insecure`].
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn insecure(target: impl AsRef<str>) -> Result<Self, ChannelError> {
        Self::new(target, ChannelCredentials::insecure())
    }

    /// Begins a channel with options of its own.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn builder(target: impl AsRef<str>) -> Result<ChannelBuilder, ChannelError> {
        let target = Target::parse(target.as_ref())?;
        let authority = target.authority();
        Ok(ChannelBuilder::new(Destination::Target(target), authority))
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

    pub(super) fn interceptors(&self) -> &Interceptors {
        &self.interceptors
    }

    /// Whether calls have to keep a ledger.
    pub(crate) fn is_watched(&self) -> bool {
        !self.interceptors.is_empty()
    }

    pub(crate) fn limits(&self) -> CallLimits {
        self.shared.limits
    }

    pub(crate) fn compression(&self) -> Compression {
        self.shared.compression
    }

    pub(crate) fn http2(&self) -> &Http2Options {
        &self.shared.http2
    }

    /// Starts a call: with its interceptors and its credentials, if it has any,
    /// and then on a connection.
    pub(crate) fn open(&self, mut open: Box<Open>) {
        let own = open.options.credentials.take();
        let credentials = match (&self.shared.credentials, own) {
            (None, None) if self.interceptors.is_empty() => return self.enqueue(open),
            (Some(shared), Some(own)) => Some(shared.clone().and(own)),
            (Some(shared), None) => Some(shared.clone()),
            (None, own) => own,
        };
        prepare(self, open, credentials);
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.shared.dial.is_encrypted()
    }

    pub(super) fn identity(&self) -> &Arc<Identity> {
        &self.shared.identity
    }

    /// Hands a call to the connection's task.
    pub(super) fn enqueue(&self, open: Box<Open>) {
        let Err(open) = self.shared.try_open(open) else {
            return;
        };
        if let Err((ask, status)) = self.shared.start(Ask::Open(open))
            && let Ask::Open(open) = ask
        {
            open.fail(status, clock::now());
        }
    }

    pub(crate) fn connectivity(&self) -> &Connectivity {
        &self.shared.connectivity
    }

    /// Asks for a connection though no call needs it yet. One that is there, or
    /// is being made, is enough; a failure is told by [`state`](Self::state)
    /// and tried again with the first call. After a failure it tries at once, in
    /// place of waiting for the rest of the
    /// [backoff](ChannelBuilder::reconnect_backoff), which begins anew: for a program
    /// that knows that the server is back.
    ///
    /// # Errors
    /// `CANCELLED` if the channel was closed. `UNAVAILABLE` if this thread has
    /// no runtime and none could be started.
    pub fn connect(&self) -> Result<(), Status> {
        match self.state() {
            ConnectivityState::Connecting | ConnectivityState::Ready => Ok(()),
            ConnectivityState::Idle
            | ConnectivityState::TransientFailure
            | ConnectivityState::Shutdown => self
                .shared
                .start(Ask::Connect)
                .map_err(|(_, status)| status),
        }
    }

    /// Ends the channel, for all its clones and at once: the calls that run or
    /// wait end with `CANCELLED`, and so does every later one. Dropping the
    /// last clone instead lets the calls that run come to their ends.
    pub fn close(&self) {
        self.shared.connectivity.shut_down();
        let later = self.shared.later();
        for asks in self.shared.first.get().iter().copied().chain(later.iter()) {
            // A subchannel whose runtime has gone has nothing left to end.
            let _ = asks.send(Ask::Close);
        }
    }
}

impl Shared {
    fn try_open(&self, open: Box<Open>) -> Result<(), Box<Open>> {
        match self.first.get() {
            Some(asks) if self.carrier.is_driven() => ask_to_open(asks, open),
            _ => Err(open),
        }
    }

    /// No one panics while this is held.
    fn later(&self) -> MutexGuard<'_, Option<QueueSender<Ask>>> {
        self.later.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a subchannel for the first call, or in place of one that this caller
    /// cannot rely on: its runtime has gone, or may not be driven.
    fn start(&self, ask: Ask) -> Result<(), (Ask, Status)> {
        let mut later = self.later();
        if self.connectivity.state() == ConnectivityState::Shutdown {
            return Err((ask, open::closed()));
        }
        let mut ask = ask;
        if let Some(first) = self.first.get() {
            if self.carrier.is_driven() {
                match first.send(ask) {
                    Ok(()) => return Ok(()),
                    Err(back) => ask = back,
                }
            }
            if self.carrier.leave() {
                // It may have gone.
                let _ = first.send(Ask::Retire);
            }
        }
        if let Some(running) = &*later {
            match running.send(ask) {
                Ok(()) => return Ok(()),
                Err(back) => ask = back,
            }
        }
        let runtime = match self.runtime() {
            Ok(runtime) => runtime,
            Err(status) => return Err((ask, status)),
        };
        let (sender, receiver) = queue();
        let subchannel = Subchannel::new(
            self.dial.clone(),
            Arc::clone(&self.identity),
            self.http2.clone(),
            self.upkeep,
            Backoff::new(self.backoff),
            Arc::clone(&self.connectivity),
        );
        let again = sender.downgrade();
        // The receiver is right here, so this cannot fail.
        let _ = sender.send(ask);
        runtime.spawn(subchannel.run(receiver, again));
        if self.carrier.is_left() {
            *later = Some(sender);
        } else {
            self.carrier.begin(&runtime);
            // The lock is held, so nobody else has set it.
            let _ = self.first.set(sender);
        }
        Ok(())
    }

    /// Where the next subchannel runs. One that had to move does not depend on a
    /// caller again.
    fn runtime(&self) -> Result<Handle, Status> {
        let runtime = background::handle(self.in_background)?;
        if self.carrier.is_left() && carrier::rests(&runtime) {
            return background::handle(true);
        }
        Ok(runtime)
    }
}

impl ChannelBuilder {
    pub(crate) fn new(destination: Destination, default_authority: String) -> Self {
        Self {
            destination,
            default_authority,
            authority: None,
            user_agent: USER_AGENT.to_owned(),
            http2: Http2Options::default(),
            upkeep: UpkeepOptions::client(),
            backoff: Waits::default(),
            connect_timeout: CONNECT_TIMEOUT,
            in_background: false,
            limits: CallLimits::default(),
            compression: Compression::Identity,
            encodings: Encodings::all(),
            interceptors: Interceptors::default(),
        }
    }

    /// Adds an [interceptor](ClientInterceptor), which sees calls after those that
    /// were added before.
    #[must_use]
    pub fn interceptor(mut self, interceptor: impl ClientInterceptor) -> Self {
        self.interceptors.push(interceptor);
        self
    }

    /// What requests name as `:authority`; the target's host and port unless
    /// set. Over TLS the server's certificate has to name its host, unless the
    /// credentials have a server name of their own.
    #[must_use]
    pub fn authority(mut self, authority: impl Into<String>) -> Self {
        self.authority = Some(authority.into());
        self
    }

    /// Puts `prefix`, which is printable ASCII, before the runtime's own user agent.
    #[must_use]
    pub fn user_agent(mut self, prefix: &str) -> Self {
        self.user_agent = format!("{prefix} {USER_AGENT}");
        self
    }

    /// Windows, frame sizes and limits of the connection.
    #[must_use]
    pub fn http2(mut self, options: Http2Options) -> Self {
        self.http2 = options.in_range();
        self
    }

    /// The largest response message a call takes, in bytes; 4 MiB unless set. A
    /// larger one fails its call with `RESOURCE_EXHAUSTED`.
    #[must_use]
    pub fn max_receive_message_size(mut self, bytes: usize) -> Self {
        self.limits.max_receive_message_size = bytes;
        self
    }

    /// The largest request message a call sends, in bytes; unlimited unless set.
    /// A larger one fails its call with `RESOURCE_EXHAUSTED`.
    #[must_use]
    pub fn max_send_message_size(mut self, bytes: usize) -> Self {
        self.limits.max_send_message_size = bytes;
        self
    }

    /// How request messages are compressed, where a call does not say it; not at
    /// all unless set. A server that does not take the encoding fails the call
    /// with `UNIMPLEMENTED`.
    ///
    /// ```
    /// # fn main() -> Result<(), grpc_runtime::ChannelError> {
    /// use grpc_runtime::{Channel, ChannelCredentials, Compression};
    ///
    /// let channel = Channel::builder("localhost:50051")?
    ///     .compression(Compression::Gzip)
    ///     .build(ChannelCredentials::insecure())?;
    /// # drop(channel);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// The encodings that servers may compress responses with, beside identity;
    /// all that this build knows unless set. A response in another fails its call
    /// with `INTERNAL`.
    ///
    /// ```
    /// # fn main() -> Result<(), grpc_runtime::ChannelError> {
    /// use grpc_runtime::{Channel, ChannelCredentials, Compression};
    ///
    /// let insecure = ChannelCredentials::insecure();
    /// let plain = Channel::builder("localhost:50051")?
    ///     .accept_compression([])
    ///     .build(insecure.clone())?;
    /// let gzip = Channel::builder("localhost:50051")?
    ///     .accept_compression([Compression::Gzip])
    ///     .build(insecure)?;
    /// # drop((plain, gzip));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn accept_compression(mut self, list: impl IntoIterator<Item = Compression>) -> Self {
        self.encodings = list.into_iter().collect();
        self
    }

    /// The channel, secured as `credentials` say.
    ///
    /// # Errors
    /// An [`authority`](Self::authority) or a [`user_agent`](Self::user_agent) that
    /// is not one.
    pub fn build(mut self, credentials: ChannelCredentials) -> Result<Channel, ChannelError> {
        if !self.user_agent.bytes().all(|b| (b' '..=b'~').contains(&b)) {
            return Err(ChannelError::UserAgent(self.user_agent));
        }
        let (security, calls) = credentials.into_parts();
        let given = self.authority.take();
        let default = self.default_authority.clone();
        let (security, authority) = Security::settle(&security, given, default)?;
        Ok(self.assemble(security, authority, calls))
    }

    /// A channel whose names are settled.
    pub(crate) fn assemble(
        self,
        security: Security,
        authority: String,
        credentials: Option<CallCredentials>,
    ) -> Channel {
        let accept_encoding = if self.encodings.is_plain() {
            String::new()
        } else {
            self.encodings.list()
        };
        let template = RequestTemplate::new(
            security.scheme(),
            &authority,
            &accept_encoding,
            &self.user_agent,
        );
        let identity = Identity {
            authority,
            template,
            encodings: self.encodings,
        };
        Channel {
            shared: Arc::new(Shared {
                dial: Dial::new(self.destination, security, self.connect_timeout),
                identity: Arc::new(identity),
                http2: self.http2,
                upkeep: self.upkeep,
                backoff: self.backoff,
                in_background: self.in_background,
                carrier: Carrier::default(),
                limits: self.limits,
                compression: self.compression,
                credentials,
                connectivity: Arc::new(Connectivity::new()),
                first: OnceLock::new(),
                later: Mutex::new(None),
            }),
            interceptors: self.interceptors,
        }
    }
}
