//! What a resolver found out. A value.

use crate::channel::address::{Attributes, Endpoint};
use crate::status::Status;

/// What a [`Resolver`](crate::Resolver) found out about a target.
#[derive(Clone, Debug)]
pub struct Resolution {
    pub(crate) endpoints: Result<Vec<Endpoint>, Status>,
    pub(crate) attributes: Attributes,
}

impl Resolution {
    /// The target's servers now, in the resolver's order.
    pub fn new(endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        Self {
            endpoints: Ok(endpoints.into_iter().collect()),
            attributes: Attributes::default(),
        }
    }

    /// They could not be found out. A channel that knows some goes on with those;
    /// else its calls fail with this status, unless they wait for readiness.
    pub fn failed(status: Status) -> Self {
        Self {
            endpoints: Err(status),
            attributes: Attributes::default(),
        }
    }

    /// What the policy shall know besides.
    #[must_use]
    pub fn attributes(mut self, attributes: Attributes) -> Self {
        self.attributes = attributes;
        self
    }
}
