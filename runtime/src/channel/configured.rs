//! Options of a channel's builder about service configs and methods. The hub applies them.

use std::sync::Arc;

use super::builder::ChannelBuilder;
use super::config::method_config::RepeatPolicy;
use super::config::retry_policy::RetryPolicy;
use super::service_config::content::ServiceConfig;
use crate::code::Code;

impl ChannelBuilder {
    /// The channel's service config, in place of whatever its resolver says. What a call
    /// says itself still counts: of two times and of two sizes the lower.
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

    /// The channel's service config where its resolver says that the target has none, as
    /// those of the runtime do that do not look for one in DNS. Where a resolver of one's own
    /// has one that is invalid, this does not hold: see
    /// [`Resolution::service_config`](crate::Resolution::service_config).
    #[must_use]
    pub fn default_service_config(mut self, config: ServiceConfig) -> Self {
        self.default_config = Some(config);
        self
    }

    /// Has a target that is a name look for its service config in DNS (gRFC A2), off unless
    /// called: the name `_grpc_config.HOST` has a TXT record for it that begins with
    /// `grpc_config=`. Its strings are joined; the rest is a list of choices in JSON, of
    /// which the first counts that this client meets:
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
    /// | `clientHostname` | if the list has this machine's name, to the letter |
    /// | `percentage` | in so many of 100 channels, a whole number from 0 to 100; a channel draws once for each place in the list |
    /// | `serviceConfig` | has to be there, as [`ServiceConfig::from_json`] has it |
    ///
    /// A criterion that is left out, null or an empty list is met by all. A field that is
    /// not in the table makes the whole record invalid; what is wrong within a
    /// `serviceConfig` concerns those alone who choose it.
    ///
    /// Addresses never wait for it. A config that comes after them holds for the calls
    /// that begin from then on. It is looked up when addresses are, and may take
    /// [`connect_timeout`](Self::connect_timeout), 20 s unless set.
    ///
    /// | what is found | what holds |
    /// |---|---|
    /// | nothing yet | the [default](Self::default_service_config), if there is one |
    /// | a config | that config |
    /// | no such name, no record, or no choice that this client meets | the default |
    /// | a failure: no answer in time, an error of the name server, a record that is invalid, two records, name servers that the system does not tell | the config that was found last, else the default; after the [backoff](Self::reconnect_backoff) it is looked up again |
    ///
    /// The name servers are those that the system is set to: `/etc/resolv.conf`, with its
    /// `search`, or the network's settings of Windows and macOS. None is asked for
    /// `localhost` and for addresses, through a [`proxy`](Self::proxy), for targets of a
    /// [`resolver`](Self::resolver), nor where the builder has a
    /// [`service_config`](Self::service_config), which holds in any case.
    ///
    /// It needs the feature `dns-txt`.
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

    /// Attempts calls of [idempotent](crate::Method::is_idempotent) methods again that
    /// fail with `UNAVAILABLE`: 4 times in all, as [`RetryPolicy::new`] has it. Off unless
    /// called. Where a service config has a policy for the method, that one holds.
    ///
    /// A method is idempotent that has `option idempotency_level` as `IDEMPOTENT` or
    /// `NO_SIDE_EFFECTS` in its `.proto`.
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

    /// How many attempts a call may have in all, whatever its policy says; 5 unless set
    /// (gRFC A6). 1 and 0 make none but the first.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.attempts.attempts = attempts;
        self
    }

    /// How many bytes of requests are kept for further attempts: `call` for one call, 256
    /// KiB unless set, and `channel` for all calls of the channel that stream, 16 MiB
    /// unless set. A call whose request is larger has no further attempts from then on.
    #[must_use]
    pub fn attempt_buffer(mut self, call: usize, channel: usize) -> Self {
        self.attempts.call_buffer = call;
        self.attempts.channel_buffer = channel;
        self
    }
}
