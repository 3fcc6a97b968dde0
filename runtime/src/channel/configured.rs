//! The builder's options about service configs and retries. The hub applies them.

use std::sync::Arc;

use super::builder::ChannelBuilder;
use super::config::method_config::RepeatPolicy;
use super::config::retry_policy::RetryPolicy;
use super::service_config::content::ServiceConfig;
use crate::code::Code;

impl ChannelBuilder {
    /// Sets the channel's service config and ignores the resolver's. A call's own options
    /// apply too: of two timeouts and of two size limits the lower one counts.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// use grpc_runtime::{Channel, ChannelCredentials, MethodConfig, ServiceConfig};
    ///
    /// let all = MethodConfig::new().timeout(Duration::from_secs(10));
    /// let channel = Channel::builder("localhost:50051")?
    ///     .service_config(ServiceConfig::builder().all(all).build()?)
    ///     .build(ChannelCredentials::insecure())?;
    /// # drop(channel);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn service_config(mut self, config: ServiceConfig) -> Self {
        self.config = Some(config);
        self
    }

    /// The service config to use if the resolver finds that the target has none. The
    /// runtime's resolvers find none, except with `service_config_from_dns`. It is not used
    /// if the program's own resolver returns an invalid config: see
    /// [`Resolution::service_config`](crate::Resolution::service_config).
    #[must_use]
    pub fn default_service_config(mut self, config: ServiceConfig) -> Self {
        self.default_config = Some(config);
        self
    }

    /// Looks up the service config of a target that is a name in DNS (gRFC A2). Off by
    /// default. The config is in a TXT record of the name `_grpc_config.HOST` whose text
    /// begins with `grpc_config=`. The record's strings are joined; the rest is a JSON list
    /// of choices. The channel uses the first choice whose criteria this client meets:
    ///
    /// ```text
    /// _grpc_config.shop.internal. TXT "grpc_config=[
    ///     {\"percentage\": 10, \"serviceConfig\": {\"loadBalancingConfig\": [{\"round_robin\": {}}]}},
    ///     {\"serviceConfig\": {}}]"
    /// ```
    ///
    /// | field of a choice | this client meets it |
    /// |---|---|
    /// | `clientLanguage` | if the list has `rust`, in any case |
    /// | `clientHostname` | if the list has this machine's name, in the same case |
    /// | `percentage` | in this many of 100 channels, a whole number from 0 to 100; a channel draws once for each place in the list |
    /// | `serviceConfig` | required: a config for [`ServiceConfig::from_json`] |
    ///
    /// A criterion that is missing, null or an empty list is met by all clients. A field
    /// that is not in the table makes the whole record invalid. An error within a
    /// `serviceConfig` affects only clients that choose it.
    ///
    /// Addresses are used without waiting for the config. A config that arrives later
    /// applies to calls that begin after it. The config is looked up whenever the addresses
    /// are, for at most [`connect_timeout`](Self::connect_timeout), 20 s unless set.
    ///
    /// | what is found | what applies |
    /// |---|---|
    /// | nothing yet | the [default](Self::default_service_config), if there is one |
    /// | a config | that config |
    /// | no such name, no record, or no choice that this client meets | the default |
    /// | a failure: no answer in time, an error of the name server, an invalid record, two records, or no known name servers | the config that was found last, else the default; it is looked up again after the [backoff](Self::reconnect_backoff) |
    ///
    /// The name servers are the system's: those of `/etc/resolv.conf`, with its `search`,
    /// or of the network settings of Windows and macOS. There is no lookup for `localhost`
    /// and for addresses, through a [`proxy`](Self::proxy), for targets of a
    /// [`resolver`](Self::resolver), and if the builder has a
    /// [`service_config`](Self::service_config), which has precedence.
    ///
    /// Needs the feature `dns-txt`.
    ///
    /// ```
    /// # fn main() -> Result<(), grpc_runtime::ChannelError> {
    /// use std::time::Duration;
    ///
    /// use grpc_runtime::{Channel, ChannelCredentials};
    ///
    /// let channel = Channel::builder("dns:///shop.internal:50051")?
    ///     .service_config_from_dns()
    ///     // Without it a change is found when a connection is lost.
    ///     .max_resolution_age(Duration::from_secs(60))
    ///     .build(ChannelCredentials::insecure())?;
    /// # drop(channel);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "dns-txt")]
    #[must_use]
    pub fn service_config_from_dns(mut self) -> Self {
        self.config_from_dns = true;
        self
    }

    /// Retries calls of [idempotent](crate::Method::is_idempotent) methods that fail with
    /// `UNAVAILABLE`, with at most 4 attempts in all and the waits of [`RetryPolicy::new`].
    /// Off by default. If a service config has a policy for the method, that one applies
    /// instead.
    ///
    /// A method is idempotent if its `.proto` sets `option idempotency_level` to
    /// `IDEMPOTENT` or `NO_SIDE_EFFECTS`.
    ///
    /// ```
    /// # fn main() -> Result<(), grpc_runtime::ChannelError> {
    /// use grpc_runtime::{Channel, ChannelCredentials};
    ///
    /// let channel = Channel::builder("localhost:50051")?
    ///     .retry_idempotent()
    ///     .build(ChannelCredentials::insecure())?;
    /// # drop(channel);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn retry_idempotent(mut self) -> Self {
        let policy = RetryPolicy::new([Code::Unavailable]);
        self.repeats = Some(Arc::new(RepeatPolicy::Retry(policy)));
        self
    }

    /// The most attempts of a call, whatever its policy says (gRFC A6); 5 unless set. With
    /// 0 or 1 there is only the first attempt.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.attempts.attempts = attempts;
        self
    }

    /// The most bytes of requests that are kept for further attempts: `call` for one call,
    /// 256 KiB unless set, and `channel` for all streaming calls of the channel together,
    /// 16 MiB unless set. A call whose request exceeds the limit gets no further attempts.
    #[must_use]
    pub fn attempt_buffer(mut self, call: usize, channel: usize) -> Self {
        self.attempts.call_buffer = call;
        self.attempts.channel_buffer = channel;
        self
    }
}
