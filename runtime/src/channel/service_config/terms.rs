//! What is in force for calls, by method. A value.

use std::sync::Arc;

use super::content::ServiceConfig;
use crate::channel::config::method_config::{MethodConfig, Repeats};
use crate::channel::config::retry_policy::RetryThrottling;
use crate::method::Method;

/// What a channel's calls are held to besides their own options.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(super) config: Option<ServiceConfig>,
    /// For idempotent methods of which the config says nothing of the kind.
    pub(super) repeats: Option<Arc<Repeats>>,
}

impl Terms {
    /// What is said of this method, if anything is.
    pub(crate) fn of(&self, method: &Method) -> Option<MethodConfig> {
        let config = self.config.as_ref().and_then(|it| it.of(method)).cloned();
        match (&self.repeats, config) {
            (Some(repeats), config)
                if method.is_idempotent()
                    && config.as_ref().is_none_or(|it| it.repeats.is_none()) =>
            {
                let mut config = config.unwrap_or_default();
                config.repeats = Some(Arc::clone(repeats));
                Some(config)
            }
            (_, config) => config,
        }
    }

    /// Whether further attempts are held back while many fail.
    pub(crate) fn retry_throttling(&self) -> Option<RetryThrottling> {
        self.config.as_ref()?.retry_throttling()
    }
}
