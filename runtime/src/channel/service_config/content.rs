//! A valid service config: the settings of each method. A value.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use crate::channel::balance::policy::Balance;
use crate::channel::config::method_config::MethodConfig;
use crate::channel::config::retry_policy::RetryThrottling;
use crate::method::Method;

/// Tells clients how to call a service (gRFC A2): how calls are spread over servers, how
/// long they may take, and how often they are attempted.
///
/// A [resolver](crate::Resolution::service_config) provides it, or the channel's builder:
/// [instead](crate::ChannelBuilder::service_config) of the resolver's, or [if the resolver
/// has none](crate::ChannelBuilder::default_service_config). Clones share the content.
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
    /// By path.
    pub(super) methods: HashMap<String, MethodConfig, Hashes>,
    pub(super) services: HashMap<String, MethodConfig, Hashes>,
    /// The settings of all other methods.
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
    /// The JSON text that it was read from: the same text means the same policy.
    pub(super) text: Option<String>,
}

impl ServiceConfig {
    /// The config of a method: its own, else its service's, else that of all methods.
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

    /// The throttling of further attempts, if it is on.
    pub fn retry_throttling(&self) -> Option<RetryThrottling> {
        self.0.retry_throttling
    }

    /// The service whose health is watched on the servers.
    pub fn health_check_service(&self) -> Option<&str> {
        self.0.health_check_service.as_deref()
    }

    /// The most connections to one endpoint: 1 unless set, at most 10.
    pub fn max_connections_per_subchannel(&self) -> u32 {
        self.0.max_connections_per_subchannel
    }
}

pub(super) type Hashes = BuildHasherDefault<NameHasher>;

/// A fast hash of names for each call, from their last letters, where names differ most. It
/// need not resist attacks: the names that are looked up are the program's.
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
        // Hash tables use both the high and the low bits.
        self.0 ^ (self.0 >> 32)
    }
}
