//! What a channel is made of before there is one: the builder and most of its options.

use std::sync::Arc;
use std::time::Duration;

use super::address::Address;
use super::backoff::Waits;
use super::balance::pick_first::PickFirst;
use super::balance::policy::Balance;
use super::call::interceptor::{ClientInterceptor, ClientInterceptors};
use super::call::plan::AttemptLimits;
use super::config::method_config::RepeatPolicy;
use super::error::ChannelError;
use super::handle::Channel;
use super::record::{ChannelRecord, ChannelSnapshot};
use super::resolve::dns::{Lookup, LookupPace, is_local};
use super::resolve::resolver::{Resolver, Resolves};
use super::resolve::source::Source;
use super::service_config::content::ServiceConfig;
use super::service_config::in_force::Configs;
use super::shared::{CallDefaults, ChannelShared};
use super::subchannel::common::Common;
use super::subchannel::connector::Connector;
use super::subchannel::identity::Naming;
use super::subchannel::proxy::Proxy;
use super::subchannel::{CONNECT_TIMEOUT, Connects, Dial};
use super::target::Target;
use crate::call::request_head::USER_AGENT;
use crate::credentials::{CallCredentials, ChannelCredentials, ClientSecurity};
use crate::framing::{Compression, Encodings};
use crate::limits::CallLimits;
use crate::observe::observer::{Observer, Observers};
use crate::snapshot::entries::Registries;
use crate::transport::Http2Options;
use crate::transport::http2::options::UpkeepOptions;

impl Channel {
    /// A channel to `target`, secured as `credentials` say: `host:port`,
    /// `dns:///host:port`, `ipv4:1.2.3.4:port`, `ipv6:[::1]:port`, `unix:/path` or
    /// `unix-abstract:name`. The port is 443 unless it is given. `passthrough:///text` is
    /// for a [connector](ChannelBuilder::connector) of one's own, which alone knows what
    /// the text means.
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
        Ok(ChannelBuilder::new(Target::parse(target.as_ref())?))
    }
}

/// Configures a [`Channel`].
#[derive(Debug)]
pub struct ChannelBuilder {
    goal: Goal,
    resolvers: Vec<Arc<dyn Resolves>>,
    balance: Arc<dyn Balance>,
    pub(super) config: Option<ServiceConfig>,
    pub(super) default_config: Option<ServiceConfig>,
    pub(super) config_from_dns: bool,
    pub(super) attempts: AttemptLimits,
    pub(super) repeats: Option<Arc<RepeatPolicy>>,
    connects: Connects,
    authority: Option<String>,
    user_agent: String,
    http2: Http2Options,
    pub(super) upkeep: UpkeepOptions,
    pub(super) backoff: Waits,
    pub(super) connect_timeout: Duration,
    pub(super) in_background: bool,
    pub(super) max_resolution_age: Option<Duration>,
    default_timeout: Option<Duration>,
    limits: CallLimits,
    compression: Compression,
    encodings: Encodings,
    interceptors: ClientInterceptors,
    observers: Observers,
    registries: Registries<ChannelSnapshot>,
}

/// Where a channel is to lead.
#[derive(Debug)]
enum Goal {
    Target(Target),
    /// To what the connector makes, whose name is this.
    Connector(&'static str),
}

impl ChannelBuilder {
    pub(super) fn new(target: Target) -> Self {
        Self::to(Goal::Target(target), Connects::Sockets)
    }

    /// To byte streams that a function makes, which are all alike.
    pub(crate) fn over(connects: Connects, name: &'static str) -> Self {
        Self::to(Goal::Connector(name), connects)
    }

    fn to(goal: Goal, connects: Connects) -> Self {
        Self {
            goal,
            resolvers: Vec::new(),
            balance: Arc::new(PickFirst::new()),
            config: None,
            default_config: None,
            config_from_dns: false,
            attempts: AttemptLimits::default(),
            repeats: None,
            connects,
            authority: None,
            user_agent: USER_AGENT.to_owned(),
            http2: Http2Options::default(),
            upkeep: UpkeepOptions::client(),
            backoff: Waits::default(),
            connect_timeout: CONNECT_TIMEOUT,
            in_background: false,
            max_resolution_age: None,
            default_timeout: None,
            limits: CallLimits::default(),
            compression: Compression::Identity,
            encodings: Encodings::all(),
            interceptors: ClientInterceptors::default(),
            observers: Observers::default(),
            registries: Registries::default(),
        }
    }

    /// How calls are spread over the target's servers, unless a
    /// [service config](ServiceConfig) says it; [`PickFirst`] unless set.
    #[must_use]
    pub fn balance(mut self, balance: impl Balance) -> Self {
        self.balance = Arc::new(balance);
        self
    }

    /// Adds a [resolver](Resolver) for targets of its scheme. One that was added before
    /// goes first; `dns`, `ipv4`, `ipv6`, `unix`, `unix-abstract` and `passthrough` are
    /// always the runtime's own.
    #[must_use]
    pub fn resolver(mut self, resolver: impl Resolver) -> Self {
        self.resolvers.push(Arc::new(resolver));
        self
    }

    /// Makes the channel's connections by a [connector](Connector) of one's own, in
    /// place of the system's sockets. The target `passthrough:///text` gives it the text
    /// as the address.
    #[must_use]
    pub fn connector(mut self, connector: impl Connector) -> Self {
        self.connects = Connects::Own(Arc::new(connector));
        self
    }

    /// Makes the channel's connections through an HTTP proxy, by CONNECT:
    /// `http://host:port` or `http://user:password@host:port`. The proxy resolves the
    /// target's name, so the channel sees one address. Unix sockets go by no proxy.
    ///
    /// # Errors
    /// The text does not name a proxy.
    pub fn proxy(mut self, url: &str) -> Result<Self, ChannelError> {
        self.connects = Connects::Proxy(Proxy::parse(url)?);
        Ok(self)
    }

    /// As [`proxy`](Self::proxy), if the environment names one for the target's host:
    /// `grpc_proxy`, `https_proxy`, `HTTPS_PROXY` or `http_proxy`, unless the host is
    /// in `no_grpc_proxy`, `no_proxy` or `NO_PROXY`. Without this call a channel does
    /// not look at the environment.
    ///
    /// # Errors
    /// What the environment says does not name a proxy.
    pub fn proxy_from_env(mut self) -> Result<Self, ChannelError> {
        let host = match &self.goal {
            Goal::Target(target) => target.host(),
            Goal::Connector(_) => None,
        };
        let variable = |name: &str| std::env::var(name).ok();
        let proxy = host.map(|host| Proxy::of_environment(host, variable));
        if let Some(proxy) = proxy.transpose()?.flatten() {
            self.connects = Connects::Proxy(proxy);
        }
        Ok(self)
    }

    /// Adds an [interceptor](ClientInterceptor), which sees calls after those that
    /// were added before.
    #[must_use]
    pub fn interceptor(mut self, interceptor: impl ClientInterceptor) -> Self {
        self.interceptors.push(interceptor);
        self
    }

    /// Adds an [observer](Observer), which hears what happens to the channel's connections
    /// and calls; none unless called.
    ///
    /// ```
    /// # fn main() -> Result<(), grpc_runtime::ChannelError> {
    /// use grpc_runtime::{Channel, ChannelCredentials, FailedConnection, Observer};
    ///
    /// struct Log;
    ///
    /// impl Observer for Log {
    ///     fn connection_failed(&self, failed: &FailedConnection<'_>) {
    ///         println!("{failed}");
    ///     }
    /// }
    ///
    /// let channel = Channel::builder("localhost:50051")?
    ///     .observe(Log)
    ///     .build(ChannelCredentials::insecure())?;
    /// # drop(channel);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn observe(mut self, observer: impl Observer) -> Self {
        self.observers.push(observer);
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

    /// Puts `prefix` before the runtime's own user agent (`grpc-rust-runtime/` and its
    /// version), which goes alone unless it is set. A prefix that is not printable ASCII is
    /// an error of [`build`](Self::build).
    #[must_use]
    pub fn user_agent(mut self, prefix: &str) -> Self {
        self.user_agent = format!("{prefix} {USER_AGENT}");
        self
    }

    /// Windows, frame sizes and limits of each connection; [`Http2Options::default`] unless
    /// set. A value outside of its range becomes the nearest one within it.
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

    /// How long a call may take that has no timeout or deadline of its own, and is made
    /// for none that has one ([`inherit`](crate::UnaryCall::inherit)); for ever unless
    /// set, as in all of gRPC. It counts from the start of the call, for all of it: a
    /// stream too ends then, with `DEADLINE_EXCEEDED`. 0 fails such calls before they
    /// begin.
    #[must_use]
    pub fn default_timeout(mut self, timeout: Duration) -> Self {
        self.default_timeout = Some(timeout);
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
    /// is not one; a target whose scheme no [`resolver`](Self::resolver) has.
    pub fn build(self, credentials: ChannelCredentials) -> Result<Channel, ChannelError> {
        if !self.user_agent.bytes().all(|b| (b' '..=b'~').contains(&b)) {
            return Err(ChannelError::UserAgent(self.user_agent));
        }
        let (security, calls) = credentials.into_parts();
        let default = match &self.goal {
            Goal::Target(target) => target.default_authority(),
            Goal::Connector(name) => (*name).to_owned(),
        };
        let source = self.source()?;
        self.assemble(source, security, &default, calls)
    }

    /// A channel to what [`over`](Self::over) names, without encryption.
    pub(crate) fn build_plain(self) -> Channel {
        let Goal::Connector(name) = self.goal else {
            unreachable!("only `over` is built so");
        };
        let source = Source::one(Address::Other(name.into()));
        let channel = self.assemble(source, ClientSecurity::Insecure, name, None);
        channel.unwrap_or_else(|_| unreachable!("names of our own are authorities"))
    }

    fn source(&self) -> Result<Source, ChannelError> {
        let target = match &self.goal {
            Goal::Target(target) => target,
            Goal::Connector(name) => return Ok(Source::one(Address::Other((*name).into()))),
        };
        let lookup = |host: &str, port| Lookup {
            host: host.to_owned(),
            port,
            timeout: self.connect_timeout,
            pace: LookupPace {
                waits: self.backoff,
                max_age: self.max_resolution_age,
            },
            // One that the builder has is in place of it.
            wants_config: self.config_from_dns && self.config.is_none() && !is_local(host),
            chance: Arc::default(),
        };
        if let (Connects::Proxy(_), Some(_)) = (&self.connects, target.host()) {
            let name = target.default_authority();
            return Ok(Source::one(Address::Other(name.into())));
        }
        if let Some(source) = Source::of(target, lookup) {
            return Ok(source);
        }
        let mut resolvers = self.resolvers.iter();
        let found = resolvers.find(|it| it.scheme_of() == target.scheme());
        match found {
            Some(resolver) => Ok(Source::Own(Arc::clone(resolver), target.clone())),
            None => Err(ChannelError::Scheme {
                target: target.to_string(),
                scheme: target.scheme().to_owned(),
            }),
        }
    }

    /// Where the channel is shown.
    pub(crate) fn registries(&mut self) -> &mut Registries<ChannelSnapshot> {
        &mut self.registries
    }

    fn assemble(
        self,
        source: Source,
        security: ClientSecurity,
        authority: &str,
        credentials: Option<CallCredentials>,
    ) -> Result<Channel, ChannelError> {
        let naming = Naming {
            security,
            authority: self.authority,
            encodings: self.encodings,
            user_agent: self.user_agent,
        };
        let name = match &self.goal {
            Goal::Target(target) => (target.to_string(), target.is_name()),
            Goal::Connector(name) => ((*name).to_owned(), false),
        };
        let record = ChannelRecord::new(name.0.clone());
        let is_observed = !self.observers.is_empty();
        let observers = self.observers.of_target(match &self.goal {
            Goal::Target(target) => target.canonical(),
            Goal::Connector(name) => (*name).to_owned(),
        });
        let common = Common {
            dial: Dial::new(
                self.connects,
                naming,
                authority,
                self.connect_timeout,
                name,
                observers,
            )?,
            http2: self.http2,
            upkeep: self.upkeep,
            backoff: self.backoff,
            record: Arc::new(record),
        };
        let calls = CallDefaults {
            timeout: self.default_timeout,
            limits: self.limits,
            compression: self.compression,
            is_observed,
            attempts: self.attempts,
            credentials,
        };
        let configs = Configs {
            own: self.config,
            default: self.default_config,
            balance: self.balance,
            repeats: self.repeats,
        };
        let shared = ChannelShared::new(source, configs, common, calls, self.in_background);
        let shared = Arc::new(shared);
        self.registries.enter(&shared);
        Ok(Channel::of(shared, self.interceptors))
    }
}
