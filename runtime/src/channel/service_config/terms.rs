//! The terms in force for calls, by method. A value.

use std::sync::Arc;
use std::time::Instant;

use super::content::ServiceConfig;
use crate::channel::call::open_call::OpenCall;
use crate::channel::config::method_config::{MethodConfig, MethodTerms, RepeatPolicy};
use crate::channel::config::retry_policy::RetryThrottling;
use crate::channel::pick::PickArgs;
use crate::channel::selector::{ConfigSelector, select};
use crate::method::Method;
use crate::status::Status;

/// Whether there are terms.
#[derive(Clone, Debug)]
pub(crate) enum Standing {
    /// The resolver decides, and has no result yet.
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

    /// Applies the terms to a call that began before they were known; `Err` is the status
    /// with which the call fails. While nothing is known, the call is left unchanged.
    pub(crate) fn settle(&self, open: &mut OpenCall, now: Instant) -> Result<(), Status> {
        if open.is_settled() {
            return Ok(());
        }
        match self {
            Self::Unknown => Ok(()),
            Self::None => open.settle(None, now),
            Self::Some(terms) => terms.settle(open, now),
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

/// The terms that apply to a channel's calls besides their own options.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(super) config: Option<ServiceConfig>,
    /// For idempotent methods without a retry or hedging policy in the config.
    pub(super) repeats: Option<Arc<RepeatPolicy>>,
    /// Decides for each call what the config sets by method.
    pub(super) selector: Option<Arc<dyn ConfigSelector>>,
}

impl Terms {
    /// Whether a selector looks at each call, once its request is complete.
    pub(crate) fn selects(&self) -> bool {
        self.selector.is_some()
    }

    fn settle(&self, open: &mut OpenCall, now: Instant) -> Result<(), Status> {
        let Some(selector) = &self.selector else {
            return open.settle(self.of(&open.method), now);
        };
        let selected = select(&**selector, PickArgs::of(open))?;
        open.attributes = selected.attributes;
        let method = open.method;
        let terms = match &selected.method_config {
            Some(config) => self.with(Some(config), &method),
            None => self.of(&method),
        };
        open.settle(terms, now)
    }

    /// The terms of this method, if there are any.
    pub(crate) fn of(&self, method: &Method) -> Option<MethodTerms<'_>> {
        let config = self.config.as_ref().and_then(|it| it.of(method));
        self.with(config, method)
    }

    /// The terms of this method, whose config is given.
    fn with<'a>(
        &'a self,
        config: Option<&'a MethodConfig>,
        method: &Method,
    ) -> Option<MethodTerms<'a>> {
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

    /// The service whose health is watched on the servers, if any.
    pub(crate) fn health_check_service(&self) -> Option<Arc<str>> {
        let service = self.config.as_ref()?.health_check_service()?;
        Some(Arc::from(service))
    }

    /// The most connections to one endpoint.
    pub(crate) fn connections(&self) -> u32 {
        let config = self.config.as_ref();
        config.map_or(1, ServiceConfig::max_connections_per_subchannel)
    }

    /// The throttling of further attempts, if it is on.
    pub(crate) fn retry_throttling(&self) -> Option<RetryThrottling> {
        self.config.as_ref()?.retry_throttling()
    }
}
