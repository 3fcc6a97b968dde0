//! A service config that is valid: what it says of which method. A value.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use crate::channel::balance::policy::Balance;
use crate::channel::config::method_config::MethodConfig;
use crate::channel::config::retry_policy::RetryThrottling;
use crate::method::Method;

/// What those who run a service want of its clients (gRFC A2): how calls are spread, how
/// long they take, how often they are attempted.
///
/// A [resolver](crate::Resolution::service_config) brings it, or the channel's builder
/// gives it: [in place](crate::ChannelBuilder::service_config) of the resolver's, or
/// [where it has none](crate::ChannelBuilder::default_service_config). Clones share it.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// use grpc_runtime::{Channel, ChannelCredentials, MethodConfig, RoundRobin, ServiceConfig};
///
/// let config = ServiceConfig::builder()
///     .service("shop.Orders", MethodConfig::new().timeout(Duration::from_secs(5)))
///     .method("shop.Orders", "Watch", MethodConfig::new().wait_for_ready(true))
///     .balance(RoundRobin::new())
///     .build()?;
/// let channel = Channel::builder("dns:///shop.internal:50051")?
///     .default_service_config(config)
///     .build(ChannelCredentials::insecure())?;
/// # drop(channel);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ServiceConfig(pub(super) Arc<ConfigContent>);

#[derive(Debug, Default)]
pub(super) struct ConfigContent {
    /// By their paths.
    pub(super) methods: HashMap<String, MethodConfig, Hashes>,
    pub(super) services: HashMap<String, MethodConfig, Hashes>,
    /// What is said of all others.
    pub(super) rest: Option<MethodConfig>,
    pub(super) balance: Option<Named>,
    pub(super) retry_throttling: Option<RetryThrottling>,
    pub(super) health_check_service: Option<String>,
    pub(super) max_connections_per_subchannel: u32,
}

/// A policy that a config names.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) balance: Arc<dyn Balance>,
    /// What it was read from: the same text is the same policy.
    pub(super) text: Option<String>,
}

impl ServiceConfig {
    /// What it says of a method: itself, else its service, else all.
    pub(crate) fn of(&self, method: &Method) -> Option<&MethodConfig> {
        let ConfigContent {
            methods,
            services,
            rest,
            ..
        } = &*self.0;
        let named = methods.get(method.path());
        named
            .or_else(|| services.get(method.service()))
            .or(rest.as_ref())
    }

    /// Whether it is a clone of the other.
    #[cfg(feature = "dns-txt")]
    pub(crate) fn is_clone_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn named(&self) -> Option<&Named> {
        self.0.balance.as_ref()
    }

    /// Whether further attempts are held back while many fail, and how much.
    pub fn retry_throttling(&self) -> Option<RetryThrottling> {
        self.0.retry_throttling
    }

    /// The service whose health the servers are asked for.
    pub fn health_check_service(&self) -> Option<&str> {
        self.0.health_check_service.as_deref()
    }

    /// How many connections there may be to one endpoint: 1 unless set, 10 at most.
    pub fn max_connections_per_subchannel(&self) -> u32 {
        self.0.max_connections_per_subchannel
    }
}

pub(super) type Hashes = BuildHasherDefault<NameHasher>;

/// A hash of names for each call: of their last letters, where names differ most. Nobody
/// chooses them who means harm: those that are looked up are in the program.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NameHasher(u64);

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        let last = bytes.last_chunk().copied().map_or(0, u64::from_le_bytes);
        self.write_u64(last ^ bytes.len() as u64);
    }

    fn write_u8(&mut self, end: u8) {
        self.write_u64(end.into());
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn finish(&self) -> u64 {
        // Tables take their places from the high bits and the low ones.
        self.0 ^ (self.0 >> 32)
    }
}
