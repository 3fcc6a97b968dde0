//! What a resolver found out. A value.

use crate::channel::address::{Attributes, Endpoint};
use crate::channel::service_config::content::ServiceConfig;
use crate::status::Status;

/// What a [`Resolver`](crate::Resolver) found out about a target.
#[derive(Clone, Debug)]
pub struct Resolution {
    pub(crate) endpoints: Result<Vec<Endpoint>, Status>,
    pub(crate) attributes: Attributes,
    pub(crate) service_config: Option<Result<ServiceConfig, Status>>,
}

impl Resolution {
    /// The target's servers now, in the resolver's order.
    pub fn new(endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        Self {
            endpoints: Ok(endpoints.into_iter().collect()),
            attributes: Attributes::default(),
            service_config: None,
        }
    }

    /// They could not be found out. A channel that knows some goes on with those;
    /// else its calls fail with this status, unless they wait for readiness.
    pub fn failed(status: Status) -> Self {
        Self {
            endpoints: Err(status),
            attributes: Attributes::default(),
            service_config: None,
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

    /// What the policy shall know besides.
    #[must_use]
    pub fn attributes(mut self, attributes: Attributes) -> Self {
        self.attributes = attributes;
        self
    }
}
