//! The builder of a channel, with most of its options.

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
    /// A channel to `target`: `host:port`, `dns:///host:port`, `ipv4:1.2.3.4:port`,
    /// `ipv6:[::1]:port`, `unix:/path` or `unix-abstract:name`. The default port is 443.
    /// `credentials` decide whether connections use TLS. `passthrough:///text` passes the
    /// text unchanged to the program's own [connector](ChannelBuilder::connector).
    ///
    /// `ipv4:` and `ipv6:` accept several addresses of one service, separated by commas:
    /// `ipv4:10.0.0.1:50051,10.0.0.2:50051`. The channel tries these addresses, or those
    /// that a name resolves to, in order, until one of them speaks HTTP/2, over TLS if the
    /// credentials require it. It tries the next address as soon as one fails, or after 250
    /// ms in parallel; each attempt may take 20 s. The status of a failure names each
    /// address and its error. The first address of a list is the authority, unless
    /// [another](ChannelBuilder::authority) is set.
    ///
    /// # Errors
    /// [`ChannelError`] if the text is not a target. An unreachable target is not an error
    /// here: calls to it fail.
    pub fn new(
        target: impl AsRef<str>,
        credentials: ChannelCredentials,
    ) -> Result<Self, ChannelError> {
        Self::builder(target)?.build(credentials)
    }

    /// A channel without encryption: the same as [`new`](Self::new) with
    /// [`ChannelCredentials::insecure`].
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn insecure(target: impl AsRef<str>) -> Result<Self, ChannelError> {
        Self::new(target, ChannelCredentials::insecure())
    }

    /// Starts building a channel with options.
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

/// The goal of a channel's connections.
#[derive(Debug)]
enum Goal {
    Target(Target),
    /// What the connector makes; the string is its name.
    Connector(&'static str),
}

impl ChannelBuilder {
    pub(super) fn new(target: Target) -> Self {
        Self::to(Goal::Target(target), Connects::Sockets)
    }

    /// A channel over byte streams that a function makes, all to the same peer.
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

    /// The policy that spreads calls over the target's servers; [`PickFirst`] unless set. A
    /// policy in the [service config](ServiceConfig) has precedence.
    #[must_use]
    pub fn balance(mut self, balance: impl Balance) -> Self {
        self.balance = Arc::new(balance);
        self
    }

    /// Adds a [resolver](Resolver) for targets of its scheme. If two have the same scheme,
    /// the first one added is used. The schemes `dns`, `ipv4`, `ipv6`, `unix`,
    /// `unix-abstract` and `passthrough` always use the runtime's own resolvers.
    #[must_use]
    pub fn resolver(mut self, resolver: impl Resolver) -> Self {
        self.resolvers.push(Arc::new(resolver));
        self
    }

    /// Makes the channel's connections with this [connector](Connector) instead of the
    /// system's sockets. For the target `passthrough:///text` the connector gets the text
    /// as the address.
    #[must_use]
    pub fn connector(mut self, connector: impl Connector) -> Self {
        self.connects = Connects::Own(Arc::new(connector));
        self
    }

    /// Connects through an HTTP proxy by CONNECT: `http://host:port` or
    /// `http://user:password@host:port`. The proxy resolves the target's name, so the
    /// channel sees one address. Unix sockets are connected without the proxy.
    ///
    /// # Errors
    /// [`ChannelError::Proxy`] if the text does not name a proxy.
    pub fn proxy(mut self, url: &str) -> Result<Self, ChannelError> {
        self.connects = Connects::Proxy(Proxy::parse(url)?);
        Ok(self)
    }

    /// Uses the [`proxy`](Self::proxy) that the environment names for the target's host, if
    /// any: `grpc_proxy`, `https_proxy`, `HTTPS_PROXY` or `http_proxy`, unless the host is
    /// in `no_grpc_proxy`, `no_proxy` or `NO_PROXY`. Off by default: without this call a
    /// channel does not read the environment.
    ///
    /// # Errors
    /// [`ChannelError::Proxy`] if the environment's value does not name a proxy.
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

    /// Adds an [interceptor](ClientInterceptor). It sees calls after those that were added
    /// before it.
    #[must_use]
    pub fn interceptor(mut self, interceptor: impl ClientInterceptor) -> Self {
        self.interceptors.push(interceptor);
        self
    }

    /// Adds an [observer](Observer), which is told of the events of the channel's
    /// connections and calls. There is none by default.
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

    /// The `:authority` of requests; the target's host and port unless set. Over TLS the
    /// server's certificate must name its host, unless the credentials set a server name.
    #[must_use]
    pub fn authority(mut self, authority: impl Into<String>) -> Self {
        self.authority = Some(authority.into());
        self
    }

    /// Puts `prefix` before the runtime's user agent, which is `grpc-rust-runtime/` and its
    /// version; no prefix unless set. A prefix that is not printable ASCII is an error of
    /// [`build`](Self::build).
    #[must_use]
    pub fn user_agent(mut self, prefix: &str) -> Self {
        self.user_agent = format!("{prefix} {USER_AGENT}");
        self
    }

    /// Sets windows, frame sizes and limits of each connection; [`Http2Options::default`]
    /// unless set. A value outside its range becomes the nearest one within it.
    #[must_use]
    pub fn http2(mut self, options: Http2Options) -> Self {
        self.http2 = options.in_range();
        self
    }

    /// The largest response message that a call accepts, in bytes; 4 MiB unless set. A
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

    /// The timeout of calls that have no timeout or deadline of their own and inherit none
    /// by [`inherit`](crate::UnaryCall::inherit). None unless set, as in other gRPC
    /// implementations. It counts from the start of the call and covers the whole call: a
    /// stream too ends after it, with `DEADLINE_EXCEEDED`. With 0 such calls fail before
    /// they begin.
    #[must_use]
    pub fn default_timeout(mut self, timeout: Duration) -> Self {
        self.default_timeout = Some(timeout);
        self
    }

    /// The compression of request messages in calls that do not set it; none unless set. A
    /// server that does not support the encoding fails the call with `UNIMPLEMENTED`.
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

    /// The encodings that servers may use for responses, besides identity; all that this
    /// build supports unless set. A response in another encoding fails its call with
    /// `INTERNAL`.
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

    /// Builds the channel; `credentials` decide whether its connections use TLS.
    ///
    /// # Errors
    /// [`ChannelError`] for an invalid [`authority`](Self::authority) or
    /// [`user_agent`](Self::user_agent), and for a target whose scheme no
    /// [`resolver`](Self::resolver) supports.
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

    /// A channel to the peer of [`over`](Self::over), without encryption.
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
            // A config set on the builder replaces the one in DNS.
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

    /// The registries that show the channel.
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
