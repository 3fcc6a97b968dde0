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
}
