//! Determines which service config is in force, from the builder's and the resolver's (gRFC
//! A21). Pure.

use std::sync::Arc;

use super::content::{Named, ServiceConfig};
use super::terms::{Standing, Terms};
use crate::channel::balance::policy::Balance;
use crate::channel::config::method_config::RepeatPolicy;
use crate::channel::selector::ConfigSelector;
use crate::status::Status;

/// The configs that the channel's builder sets.
#[derive(Debug)]
pub(crate) struct Configs {
    /// Used instead of any config of a resolver.
    pub(crate) own: Option<ServiceConfig>,
    /// Used if the resolver reports that there is no config.
    pub(crate) default: Option<ServiceConfig>,
    /// Used if no config names a policy.
    pub(crate) balance: Arc<dyn Balance>,
    /// Used for idempotent methods without a retry or hedging policy in a config.
    pub(crate) repeats: Option<Arc<RepeatPolicy>>,
}

impl Configs {
    /// What is in force before a resolver has a result.
    pub(crate) fn at_first(&self, asks_resolver: bool) -> Standing {
        if self.own.is_none() && asks_resolver {
            return Standing::Unknown;
        }
        let config = self.own.as_ref().or(self.default.as_ref());
        self.standing(config.cloned(), None)
    }

    fn standing(
        &self,
        config: Option<ServiceConfig>,
        selector: Option<Arc<dyn ConfigSelector>>,
    ) -> Standing {
        if config.is_none() && self.repeats.is_none() && selector.is_none() {
            return Standing::None;
        }
        Standing::Some(Arc::new(Terms {
            config,
            repeats: self.repeats.clone(),
            selector,
        }))
    }
}

/// The config in force of one channel.
#[derive(Debug)]
pub(crate) struct InForce {
    configs: Arc<Configs>,
    standing: Standing,
    balance: Option<Named>,
}

impl InForce {
    /// `standing` is in force at first.
    pub(crate) fn new(configs: Arc<Configs>, standing: Standing) -> Self {
        let mut in_force = Self {
            configs,
            standing: Standing::Unknown,
            balance: None,
        };
        in_force.set(standing);
        in_force
    }

    /// Takes in the resolver's config, from a result that has servers. Returns the config's
    /// error; the last valid config then stays in force.
    pub(crate) fn hear(
        &mut self,
        word: Option<Result<ServiceConfig, Status>>,
        selector: Option<Arc<dyn ConfigSelector>>,
    ) -> Result<(), Status> {
        if self.configs.own.is_some() {
            return Ok(());
        }
        let config = match word {
            Some(config) => Some(config?),
            None => self.configs.default.clone(),
        };
        self.set(self.configs.standing(config, selector));
        Ok(())
    }

    fn set(&mut self, standing: Standing) {
        let config = standing.terms().and_then(|terms| terms.config.as_ref());
        let named = config.and_then(ServiceConfig::named);
        let is_same = match (&self.balance, named) {
            (Some(last), Some(named)) => named.text.is_some() && last.text == named.text,
            _ => false,
        };
        if !is_same {
            self.balance = named.cloned();
        }
        self.standing = standing;
    }

    /// The policy to use.
    pub(crate) fn balance(&self) -> Arc<dyn Balance> {
        let named = self.balance.as_ref().map(|named| &named.balance);
        Arc::clone(named.unwrap_or(&self.configs.balance))
    }

    /// What applies to calls.
    pub(crate) fn standing(&self) -> &Standing {
        &self.standing
    }
}
