//! Builds a service config, whatever form it is given in. A config is not used before it is
//! found valid.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::BuildHasher;
use std::sync::Arc;

use super::content::{ConfigContent, Named, ServiceConfig};
use crate::channel::balance::policy::Balance;
use crate::channel::config::error::{ConfigPath, ServiceConfigError};
use crate::channel::config::method_config::MethodConfig;
use crate::channel::config::retry_policy::RetryThrottling;

/// The limit of gRFC A105.
const MAX_CONNECTIONS: u32 = 10;

impl ServiceConfig {
    /// Starts building a config in Rust. An empty config sets no timeout and no retries,
    /// and leaves balancing to the channel's policy.
    pub fn builder() -> ServiceConfigBuilder {
        ServiceConfigBuilder::default()
    }
}

/// Builds a [`ServiceConfig`].
#[derive(Clone, Debug, Default)]
#[must_use = "a service config is made by `build`"]
pub struct ServiceConfigBuilder {
    entries: Vec<(Vec<Name>, MethodConfig)>,
    pub(super) balance: Option<Named>,
    retry_throttling: Option<RetryThrottling>,
    health_check_service: Option<String>,
    max_connections_per_subchannel: Option<u32>,
}

/// The methods of an entry; empty names stand for all.
#[derive(Clone, Debug, Default)]
pub(super) struct Name {
    pub(super) service: String,
    pub(super) method: String,
}

impl ServiceConfigBuilder {
    /// Sets the config of one method: `("shop.Orders", "Get", …)`. The config of its
    /// service then does not apply to it at all.
    pub fn method(
        self,
        service: impl Into<String>,
        method: impl Into<String>,
        config: MethodConfig,
    ) -> Self {
        let (service, method) = (service.into(), method.into());
        self.entry(vec![Name { service, method }], config)
    }

    /// Sets the config of the methods of a service that have none of their own.
    pub fn service(self, service: impl Into<String>, config: MethodConfig) -> Self {
        self.method(service, "", config)
    }

    /// Sets the config of all other methods.
    pub fn all(self, config: MethodConfig) -> Self {
        self.method("", "", config)
    }

    pub(super) fn entry(mut self, names: Vec<Name>, config: MethodConfig) -> Self {
        self.entries.push((names, config));
        self
    }

    /// Sets the policy that spreads calls over the servers; the channel's
    /// [`balance`](crate::ChannelBuilder::balance) unless set.
    pub fn balance(mut self, balance: impl Balance) -> Self {
        self.balance = Some(Named {
            balance: Arc::new(balance),
            text: None,
        });
        self
    }

    /// Stops further attempts while many fail. Off unless set.
    pub fn retry_throttling(mut self, throttling: RetryThrottling) -> Self {
        self.retry_throttling = Some(throttling);
        self
    }

    /// Watches the health of this service on each server with `grpc.health.v1.Health/Watch`
    /// (gRFC A17). Off unless set. An empty name means the server as a whole.
    ///
    /// | what a server answers | whether it gets calls |
    /// |---|---|
    /// | `SERVING` | yes |
    /// | `UNIMPLEMENTED`: it has no health service | yes; it is not asked again on that connection |
    /// | `NOT_SERVING`, `SERVICE_UNKNOWN` or anything else | no; its connection stays, and it gets calls again after `SERVING` |
    /// | the health call ends | no; it is asked again after the channel's [backoff](crate::ChannelBuilder::reconnect_backoff) |
    /// | nothing yet | calls wait for the first answer, as for a connection, until their deadlines |
    ///
    /// If no server is left, calls end with `UNAVAILABLE`, and the message contains the
    /// servers' answers; calls that wait for readiness wait. Health calls carry no call
    /// credentials. Each uses a stream of the subchannel's connection, of the oldest one if
    /// it has several: on a server that permits one stream none is left for calls.
    /// Keepalive counts health calls as calls.
    ///
    /// It has no effect with a policy that uses one connection for all calls, such as the
    /// default policy [`PickFirst`](crate::PickFirst): there is no other server to use.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use grpc_runtime::{Channel, ChannelCredentials, RoundRobin, ServiceConfig};
    ///
    /// let config = ServiceConfig::builder()
    ///     .balance(RoundRobin::new())
    ///     .health_check_service("shop.Orders")
    ///     .build()?;
    /// let channel = Channel::builder("dns:///shop.internal:50051")?
    ///     .default_service_config(config)
    ///     .build(ChannelCredentials::insecure())?;
    /// # drop(channel);
    /// # Ok(())
    /// # }
    /// ```
    pub fn health_check_service(mut self, service: impl Into<String>) -> Self {
        self.health_check_service = Some(service.into());
        self
    }

    /// The most connections to one endpoint (gRFC A105): 1 unless set; values above 10
    /// count as 10.
    ///
    /// A further connection is established while a call waits and every connection has as
    /// many calls as its server permits (`SETTINGS_MAX_CONCURRENT_STREAMS`). A call goes to
    /// the oldest connection with room. If connecting fails, the next attempt follows the
    /// channel's backoff, and calls wait for room on the existing connections. A connection
    /// that is not needed any more stays open, unless the channel's `idle_timeout` applies
    /// to it. All connections lead to the same address. With 3 connections, a server that
    /// permits 100 streams runs at most 300 calls of this channel. It applies to every
    /// policy.
    ///
    /// ```
    /// # fn main() -> Result<(), grpc_runtime::ServiceConfigError> {
    /// use grpc_runtime::ServiceConfig;
    ///
    /// let config = ServiceConfig::builder().max_connections_per_subchannel(3).build()?;
    /// # drop(config);
    /// # Ok(())
    /// # }
    /// ```
    pub fn max_connections_per_subchannel(mut self, connections: u32) -> Self {
        self.max_connections_per_subchannel = Some(connections);
        self
    }

    /// Builds the config.
    ///
    /// # Errors
    /// [`ServiceConfigError`] for an invalid setting, such as a retry policy with one
    /// attempt, for two entries of the same method, and for a method without its service.
    pub fn build(self) -> Result<ServiceConfig, ServiceConfigError> {
        let root = ConfigPath::default();
        let mut content = ConfigContent {
            balance: self.balance,
            retry_throttling: self.retry_throttling,
            health_check_service: self.health_check_service,
            ..ConfigContent::default()
        };
        let entries = root.field("methodConfig");
        for (index, (names, config)) in self.entries.into_iter().enumerate() {
            let path = entries.item(index);
            config.check(&|| path.clone())?;
            for (index, name) in names.into_iter().enumerate() {
                content.add(name, &config, &path.field("name").item(index))?;
            }
        }
        if let Some(throttling) = &content.retry_throttling {
            throttling.check(&|| root.field("retryThrottling"))?;
        }
        let connections = self.max_connections_per_subchannel.unwrap_or(1);
        if connections == 0 {
            let path = root.field("connectionScaling");
            let path = path.field("maxConnectionsPerSubchannel");
            let text = "it is 0; expected 1 or more";
            return Err(ServiceConfigError::new(&path, text));
        }
        content.max_connections_per_subchannel = connections.min(MAX_CONNECTIONS);
        Ok(ServiceConfig(Arc::new(content)))
    }
}

impl ConfigContent {
    fn add(
        &mut self,
        name: Name,
        config: &MethodConfig,
        path: &ConfigPath,
    ) -> Result<(), ServiceConfigError> {
        let Name { service, method } = name;
        let (is_new, what) = match (service.is_empty(), method.is_empty()) {
            (true, true) => {
                let is_new = self.rest.is_none();
                self.rest = Some(config.clone());
                (is_new, "all methods".to_owned())
            }
            (false, true) => {
                let what = format!("'{}'", service.escape_debug());
                (put(&mut self.services, service, config), what)
            }
            (false, false) => {
                let method = format!("/{service}/{method}");
                let what = format!("'{}'", method[1..].escape_debug());
                (put(&mut self.methods, method, config), what)
            }
            (true, false) => {
                let method = method.escape_debug();
                let text = format!("the method '{method}' has no service");
                return Err(ServiceConfigError::new(path, text));
            }
        };
        if is_new {
            return Ok(());
        }
        let text = format!("another entry is for {what} too");
        Err(ServiceConfigError::new(path, text))
    }
}

fn put<H: BuildHasher>(
    map: &mut HashMap<String, MethodConfig, H>,
    key: String,
    config: &MethodConfig,
) -> bool {
    match map.entry(key) {
        Entry::Vacant(place) => {
            place.insert(config.clone());
            true
        }
        Entry::Occupied(_) => false,
    }
}
