//! Which service config is in force: the builder's word, and the resolver's (gRFC A21).
//! Pure.

use std::sync::Arc;

use super::content::{Named, ServiceConfig};
use super::terms::{Standing, Terms};
use crate::channel::balance::policy::Balance;
use crate::channel::config::method_config::RepeatPolicy;
use crate::channel::selector::ConfigSelector;
use crate::status::Status;

/// What the channel's builder says.
#[derive(Debug)]
pub(crate) struct Configs {
    /// In place of whatever a resolver says.
    pub(crate) own: Option<ServiceConfig>,
    /// Where a resolver says that there is none.
    pub(crate) default: Option<ServiceConfig>,
    /// Where no config names a policy.
    pub(crate) balance: Arc<dyn Balance>,
    /// For idempotent methods of which no config says anything of the kind.
    pub(crate) repeats: Option<Arc<RepeatPolicy>>,
}

impl Configs {
    /// What is in force before a resolver has said anything.
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
    /// `standing` is in force from the first.
    pub(crate) fn new(configs: Arc<Configs>, standing: Standing) -> Self {
        let mut in_force = Self {
            configs,
            standing: Standing::Unknown,
            balance: None,
        };
        in_force.set(standing);
        in_force
    }

    /// The resolver's word, where it has found servers. What is wrong with it; a config
    /// that was good stays in force then.
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

    /// What calls are held to.
    pub(crate) fn standing(&self) -> &Standing {
        &self.standing
    }
}
