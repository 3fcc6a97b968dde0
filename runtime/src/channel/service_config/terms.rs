//! What is in force for calls, by method. A value.

use std::sync::Arc;

use super::content::ServiceConfig;
use crate::channel::config::method_config::{MethodTerms, Repeats};
use crate::channel::config::retry_policy::RetryThrottling;
use crate::method::Method;

/// Whether there are terms.
#[derive(Clone, Debug)]
pub(crate) enum Standing {
    /// It is the resolver's to say, and it has not yet.
    Unknown,
    None,
    Some(Arc<Terms>),
}

impl Standing {
    pub(crate) fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown)
    }

    pub(crate) fn terms(&self) -> Option<&Arc<Terms>> {
        match self {
            Self::Some(terms) => Some(terms),
            Self::Unknown | Self::None => None,
        }
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Unknown, Self::Unknown) | (Self::None, Self::None) => true,
            (Self::Some(one), Self::Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

/// What a channel's calls are held to besides their own options.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(super) config: Option<ServiceConfig>,
    /// For idempotent methods of which the config says nothing of the kind.
    pub(super) repeats: Option<Arc<Repeats>>,
}

impl Terms {
    /// What is said of this method, if anything is.
    pub(crate) fn of(&self, method: &Method) -> Option<MethodTerms<'_>> {
        let config = self.config.as_ref().and_then(|it| it.of(method));
        let named = config.and_then(|it| it.repeats.as_ref());
        let default = self.repeats.as_ref().filter(|_| method.is_idempotent());
        let repeats = named.or(default);
        let is_counted = self.retry_throttling().is_some();
        (config.is_some() || repeats.is_some() || is_counted).then_some(MethodTerms {
            config,
            repeats,
            is_counted,
        })
    }

    /// The service whose health servers are asked for, if any is.
    pub(crate) fn health_check_service(&self) -> Option<Arc<str>> {
        let service = self.config.as_ref()?.health_check_service()?;
        Some(Arc::from(service))
    }

    /// How many connections there may be to one endpoint.
    pub(crate) fn connections(&self) -> u32 {
        let config = self.config.as_ref();
        config.map_or(1, ServiceConfig::max_connections_per_subchannel)
    }

    /// Whether further attempts are held back while many fail.
    pub(crate) fn retry_throttling(&self) -> Option<RetryThrottling> {
        self.config.as_ref()?.retry_throttling()
    }
}
