//! Service configs that a channel's builder gives, and what else it says of methods: the
//! options. It must never act on them: the hub does.

use std::sync::Arc;

use super::builder::ChannelBuilder;
use super::config::method_config::Repeats;
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
    /// those of the runtime do. Where the resolver has one that is invalid, this does not
    /// hold: see [`Resolution::service_config`](crate::Resolution::service_config).
    #[must_use]
    pub fn default_service_config(mut self, config: ServiceConfig) -> Self {
        self.default_config = Some(config);
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
        self.repeats = Some(Arc::new(Repeats::Retry(policy)));
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
