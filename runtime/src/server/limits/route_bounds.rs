//! The limits of one method's calls, merged from the limits of the method, its service and
//! the server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::call_gate::CallGate;
use super::deadline_policy::DeadlinePolicy;
use super::places::{Entrance, Gates};
use super::server_limits::{MethodLimits, ServerLimits};
use crate::limits::CallLimits;
use crate::method::Method;
use crate::server::error::ServerError;
use crate::status::Status;

/// Present where a method has any of it.
#[derive(Debug)]
pub(crate) struct RouteBounds {
    gates: Option<Arc<Gates>>,
    deadlines: Option<DeadlinePolicy>,
}

impl RouteBounds {
    /// Judges a call whose head has arrived: returns how long the call may take, or the
    /// status with which it is refused. A call that would find no place is refused before
    /// its message takes memory.
    pub(crate) fn judge(&self, timeout: Option<Duration>) -> Result<Option<Duration>, Status> {
        if let Some(full) = self.gates.as_ref().and_then(|gates| gates.full()) {
            return Err(full.refusal());
        }
        match &self.deadlines {
            Some(policy) => policy.settle(timeout),
            None => Ok(timeout),
        }
    }

    /// Its request is whole; `None` where calls need no place.
    pub(in crate::server) fn enter(&self) -> Result<Option<Entrance>, Status> {
        self.gates.as_ref().map(Gates::enter).transpose()
    }
}

/// Gives methods what bounds them, while a router is made.
#[derive(Debug)]
pub(in crate::server) struct Bounding<'a> {
    limits: &'a ServerLimits,
    server: Option<Arc<CallGate>>,
    /// By the service's name.
    services: BTreeMap<&'a str, Arc<CallGate>>,
    /// The limits' names that no method has asked for yet.
    unknown: Vec<&'a str>,
}

impl<'a> Bounding<'a> {
    pub(in crate::server) fn new(limits: &'a ServerLimits) -> Self {
        let gate = |whom: &str, limits: &MethodLimits| {
            let limit = limits.calls.as_ref()?;
            Some(Arc::new(CallGate::new(limit, whom)))
        };
        let services = limits.services.iter();
        Self {
            limits,
            server: gate("the server", &limits.all),
            services: services
                .filter_map(|(name, limits)| Some((name.as_str(), gate(name, limits)?)))
                .collect(),
            unknown: limits
                .services
                .keys()
                .chain(limits.methods.keys())
                .map(String::as_str)
                .collect(),
        }
    }

    /// Returns the bounds of a method, and its limits of message size, with `limits` as the
    /// default.
    pub(in crate::server) fn of(
        &mut self,
        method: Method,
        mut limits: CallLimits,
    ) -> (Option<Box<RouteBounds>>, CallLimits) {
        let name = method.path().trim_start_matches('/');
        let service = name.rsplit_once('/').map_or("", |(service, _)| service);
        self.unknown
            .retain(|known| *known != name && *known != service);
        let own = self.limits.methods.get(name);
        let of_service = self.limits.services.get(service);
        let own_gate = own.and_then(|own| {
            let limit = own.calls.as_ref()?;
            Some(Arc::new(CallGate::new(limit, name)))
        });
        let service_gate = self.services.get(service).cloned();
        let gates = [own_gate, service_gate, self.server.clone()];
        let narrowest_last = [Some(&self.limits.all), of_service, own];
        let mut deadlines = None;
        for said in narrowest_last.into_iter().flatten() {
            deadlines = said.deadlines.or(deadlines);
            let receive = said.max_receive_message_size;
            limits.max_receive_message_size = receive.unwrap_or(limits.max_receive_message_size);
            let send = said.max_send_message_size;
            limits.max_send_message_size = send.unwrap_or(limits.max_send_message_size);
        }
        let gates = Gates::new(gates.into_iter().flatten().collect());
        let is_bounded = gates.is_some() || deadlines.is_some();
        let bounds = is_bounded.then(|| Box::new(RouteBounds { gates, deadlines }));
        (bounds, limits)
    }

    /// Called after the last method: fails if the limits name an unknown service or method.
    pub(in crate::server) fn finish(self) -> Result<(), ServerError> {
        match self.unknown.first() {
            Some(name) => Err(ServerError::NothingToLimit((*name).to_owned())),
            None => Ok(()),
        }
    }
}
