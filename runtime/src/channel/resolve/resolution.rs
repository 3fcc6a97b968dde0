//! The result of a resolver. A value.

use std::sync::Arc;

use crate::channel::address::{Attributes, Endpoint};
use crate::channel::selector::ConfigSelector;
use crate::channel::service_config::content::ServiceConfig;
use crate::status::Status;

/// The result of a [`Resolver`](crate::Resolver) for a target.
#[derive(Clone, Debug)]
pub struct Resolution {
    pub(crate) endpoints: Result<Vec<Endpoint>, Status>,
    pub(crate) attributes: Attributes,
    pub(crate) service_config: Option<Result<ServiceConfig, Status>>,
    pub(crate) config_selector: Option<Arc<dyn ConfigSelector>>,
}

impl Resolution {
    /// The target's current servers, in the resolver's order.
    pub fn new(endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        Self {
            endpoints: Ok(endpoints.into_iter().collect()),
            attributes: Attributes::default(),
            service_config: None,
            config_selector: None,
        }
    }

    /// The target could not be resolved. A channel that knows servers keeps using them;
    /// otherwise its calls fail with this status, unless they wait for readiness.
    pub fn failed(status: Status) -> Self {
        Self {
            endpoints: Err(status),
            attributes: Attributes::default(),
            service_config: None,
            config_selector: None,
        }
    }

    /// The target's service config, or the error for which there is no valid one. Unless
    /// set, the target has no config, and the channel's
    /// [default](crate::ChannelBuilder::default_service_config) applies.
    ///
    /// With an error the channel keeps its last valid config and uses the endpoints. If it
    /// has had no valid config, it does not use the endpoints: calls fail with the error,
    /// unless they wait for readiness. In both cases
    /// [`Updates::send`](crate::Updates::send) returns the error.
    #[must_use]
    pub fn service_config(mut self, config: Result<ServiceConfig, Status>) -> Self {
        self.service_config = Some(config);
        self
    }

    /// Sets a selector that decides for each call what the service config sets for its
    /// method. Balancing and throttling remain the service config's. A resolution without a
    /// selector has none, whatever earlier ones had. It is not used if the channel's
    /// builder has a [`service_config`](crate::ChannelBuilder::service_config), or together
    /// with a service config that is an error.
    #[must_use]
    pub fn config_selector(mut self, selector: impl ConfigSelector) -> Self {
        self.config_selector = Some(Arc::new(selector));
        self
    }

    /// The attributes of all endpoints, for the policy.
    #[must_use]
    pub fn attributes(mut self, attributes: Attributes) -> Self {
        self.attributes = attributes;
        self
    }
}
