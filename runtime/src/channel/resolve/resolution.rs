//! What a resolver found out. A value.

use std::sync::Arc;

use crate::channel::address::{Attributes, Endpoint};
use crate::channel::selector::ConfigSelector;
use crate::channel::service_config::content::ServiceConfig;
use crate::status::Status;

/// What a [`Resolver`](crate::Resolver) found out about a target.
#[derive(Clone, Debug)]
pub struct Resolution {
    pub(crate) endpoints: Result<Vec<Endpoint>, Status>,
    pub(crate) attributes: Attributes,
    pub(crate) service_config: Option<Result<ServiceConfig, Status>>,
    pub(crate) config_selector: Option<Arc<dyn ConfigSelector>>,
}

impl Resolution {
    /// The target's servers now, in the resolver's order.
    pub fn new(endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        Self {
            endpoints: Ok(endpoints.into_iter().collect()),
            attributes: Attributes::default(),
            service_config: None,
            config_selector: None,
        }
    }

    /// They could not be found out. A channel that knows some goes on with those;
    /// else its calls fail with this status, unless they wait for readiness.
    pub fn failed(status: Status) -> Self {
        Self {
            endpoints: Err(status),
            attributes: Attributes::default(),
            service_config: None,
            config_selector: None,
        }
    }

    /// The target's service config, or why there is no good one. Unless it is given, the
    /// target has none, and the channel's
    /// [default](crate::ChannelBuilder::default_service_config) holds.
    ///
    /// With an error the channel goes on with the last that was good, and uses the
    /// endpoints all the same. Where none was good yet, it uses nothing: calls fail with
    /// the error, unless they wait for readiness. Either way
    /// [`Updates::send`](crate::Updates::send) gives the error back.
    #[must_use]
    pub fn service_config(mut self, config: Result<ServiceConfig, Status>) -> Self {
        self.service_config = Some(config);
        self
    }

    /// Has this say what holds for calls one by one, in place of what the service config
    /// says of their methods; how they are spread, and whether they are throttled, is the
    /// service config's still. None unless it is given, with each resolution anew. It is not
    /// asked where the channel's builder has a
    /// [`service_config`](crate::ChannelBuilder::service_config), nor used with a service
    /// config that is an error.
    #[must_use]
    pub fn config_selector(mut self, selector: impl ConfigSelector) -> Self {
        self.config_selector = Some(Arc::new(selector));
        self
    }

    /// What the policy shall know besides.
    #[must_use]
    pub fn attributes(mut self, attributes: Attributes) -> Self {
        self.attributes = attributes;
        self
    }
}
