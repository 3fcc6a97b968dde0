//! Which service config is in force: the builder's word, and the resolver's (gRFC A21).
//! Pure.

use std::sync::Arc;

use super::content::{Named, ServiceConfig};
use super::terms::Terms;
use crate::channel::balance::policy::Balance;
use crate::channel::config::method_config::Repeats;
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
    pub(crate) repeats: Option<Arc<Repeats>>,
}

impl Configs {
    /// What is in force before a resolver has said anything; `None` if that is its to say.
    pub(crate) fn at_first(&self, asks_resolver: bool) -> Option<Option<Arc<Terms>>> {
        if self.own.is_none() && asks_resolver {
            return None;
        }
        let config = self.own.as_ref().or(self.default.as_ref());
        Some(self.terms(config.cloned()))
    }

    fn terms(&self, config: Option<ServiceConfig>) -> Option<Arc<Terms>> {
        if config.is_none() && self.repeats.is_none() {
            return None;
        }
        let repeats = self.repeats.clone();
        Some(Arc::new(Terms { config, repeats }))
    }
}

/// The config in force of one channel.
#[derive(Debug)]
pub(crate) struct InForce {
    configs: Arc<Configs>,
    /// `None` before there is a good word.
    terms: Option<Option<Arc<Terms>>>,
    balance: Option<Named>,
}

impl InForce {
    /// `terms` are in force from the first, if they are known.
    pub(crate) fn new(configs: Arc<Configs>, terms: Option<Option<Arc<Terms>>>) -> Self {
        let mut in_force = Self {
            configs,
            terms: None,
            balance: None,
        };
        if let Some(terms) = terms {
            in_force.set(terms);
        }
        in_force
    }

    /// The resolver's word, where it has found servers. What is wrong with it; a config
    /// that was good stays in force then.
    pub(crate) fn hear(
        &mut self,
        word: Option<Result<ServiceConfig, Status>>,
    ) -> Result<(), Status> {
        if self.configs.own.is_some() {
            return Ok(());
        }
        let config = match word {
            Some(config) => Some(config?),
            None => self.configs.default.clone(),
        };
        self.set(self.configs.terms(config));
        Ok(())
    }

    fn set(&mut self, terms: Option<Arc<Terms>>) {
        let config = terms.as_ref().and_then(|terms| terms.config.as_ref());
        let named = config.and_then(ServiceConfig::named);
        let is_same = match (&self.balance, named) {
            (Some(last), Some(named)) => named.text.is_some() && last.text == named.text,
            _ => false,
        };
        if !is_same {
            self.balance = named.cloned();
        }
        self.terms = Some(terms);
    }

    /// The policy to use.
    pub(crate) fn balance(&self) -> Arc<dyn Balance> {
        let named = self.balance.as_ref().map(|named| &named.balance);
        Arc::clone(named.unwrap_or(&self.configs.balance))
    }

    /// What calls are held to; `None` before that is known.
    pub(crate) fn terms(&self) -> Option<&Option<Arc<Terms>>> {
        self.terms.as_ref()
    }
}
