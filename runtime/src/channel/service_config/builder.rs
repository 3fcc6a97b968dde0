//! A service config in the making, in whatever form it is given. Nothing here is in
//! force before it is found valid.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::BuildHasher;
use std::sync::Arc;

use super::content::{ConfigContent, Named, ServiceConfig};
use crate::channel::balance::policy::Balance;
use crate::channel::config::error::{ConfigPath, ServiceConfigError};
use crate::channel::config::method_config::MethodConfig;
use crate::channel::config::retry_policy::RetryThrottling;

/// gRFC A105: more would not help.
const MAX_CONNECTIONS: u32 = 10;

impl ServiceConfig {
    /// Begins one that says nothing: calls are not retried and have no timeout, and the
    /// channel's own policy spreads them.
    pub fn builder() -> ServiceConfigBuilder {
        ServiceConfigBuilder::default()
    }
}

/// Makes a [`ServiceConfig`].
#[derive(Clone, Debug, Default)]
#[must_use = "a service config is made by `build`"]
pub struct ServiceConfigBuilder {
    entries: Vec<(Vec<Name>, MethodConfig)>,
    pub(super) balance: Option<Named>,
    retry_throttling: Option<RetryThrottling>,
    health_check_service: Option<String>,
    max_connections_per_subchannel: Option<u32>,
}

/// What an entry is for; an empty name is for all.
#[derive(Clone, Debug, Default)]
pub(super) struct Name {
    pub(super) service: String,
    pub(super) method: String,
}

impl ServiceConfigBuilder {
    /// What holds for one method: `("shop.Orders", "Get", …)`. Nothing of what is said of
    /// its service holds for it then.
    pub fn method(
        self,
        service: impl Into<String>,
        method: impl Into<String>,
        config: MethodConfig,
    ) -> Self {
        let (service, method) = (service.into(), method.into());
        self.entry(vec![Name { service, method }], config)
    }

    /// What holds for the methods of a service that have nothing of their own.
    pub fn service(self, service: impl Into<String>, config: MethodConfig) -> Self {
        self.method(service, "", config)
    }

    /// What holds for all other methods.
    pub fn all(self, config: MethodConfig) -> Self {
        self.method("", "", config)
    }

    pub(super) fn entry(mut self, names: Vec<Name>, config: MethodConfig) -> Self {
        self.entries.push((names, config));
        self
    }

    /// How calls are spread over the servers, in place of the channel's own
    /// [`balance`](crate::ChannelBuilder::balance), which counts unless this is set.
    pub fn balance(mut self, balance: impl Balance) -> Self {
        self.balance = Some(Named {
            balance: Arc::new(balance),
            text: None,
        });
        self
    }

    /// Holds further attempts back while many fail; not at all unless set.
    pub fn retry_throttling(mut self, throttling: RetryThrottling) -> Self {
        self.retry_throttling = Some(throttling);
        self
    }

    /// The service whose health each server is asked for by `grpc.health.v1.Health/Watch`
    /// (gRFC A17); servers are not asked unless set. An empty name is the server as a whole.
    ///
    /// | what a server answers | whether it has calls |
    /// |---|---|
    /// | `SERVING` | yes |
    /// | `UNIMPLEMENTED`: it has no health service | yes; it is not asked again on that connection |
    /// | `NOT_SERVING`, `SERVICE_UNKNOWN` or anything else | no; its connection stays, and it has calls again once it says `SERVING` |
    /// | the call for health ends | no; it is asked again after the channel's [backoff](crate::ChannelBuilder::reconnect_backoff) |
    /// | nothing yet | calls wait for the first answer, as they do for a connection, until their deadlines |
    ///
    /// Where no server is left, calls end with `UNAVAILABLE`, and the text says what the
    /// servers said; those that wait for readiness wait. Calls for health carry no call
    /// credentials. They take a stream of a subchannel's connection, of its oldest if it has
    /// several: a server that permits one stream has none left for calls. Keepalive counts
    /// them as calls.
    ///
    /// It has no effect where the policy has one connection for all calls, as the default
    /// policy [`PickFirst`](crate::PickFirst) has: there is no other server to go to.
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

    /// How many connections there may be to one endpoint (gRFC A105): 1 unless set, and
    /// more than 10 are 10.
    ///
    /// Another one is made while a call waits and every connection has as many calls as its
    /// server permits (`SETTINGS_MAX_CONCURRENT_STREAMS`). Calls go to the oldest that has
    /// room. One that could not be made is tried again after the channel's backoff, and
    /// calls wait for those that there are; one that is needed no more stays, unless the
    /// channel has an `idle_timeout` for it. All lead to the same address. A server that
    /// permits 100 streams has 300 calls of this channel at most with 3. It holds for every
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

    /// The config.
    ///
    /// # Errors
    /// Something in it cannot be carried out, as a retry policy of one attempt; two
    /// entries for one method; a method without its service.
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
