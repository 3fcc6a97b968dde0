//! pick_first (gRFC A62, A61): one connection, to the first address that answers. It is a
//! channel's default policy.

use std::any::Any;
use std::collections::HashSet;

use super::control::Control;
use super::policy::{Balance, Policy, Resolved};
use crate::channel::address::{Address, Destination, Endpoint};
use crate::channel::connectivity::ConnectivityState;
use crate::channel::pick::Picks;
use crate::channel::subchannel::handle::Subchannel;
use crate::channel::subchannel::report::SubchannelState;
use crate::status::{Code, Phase, Status};

/// Uses one connection for all calls, to the first address that answers. The addresses of
/// all endpoints are tried in order, alternating IPv6 and IPv4: the next one as soon as one
/// fails, or after 250 ms in parallel.
///
/// If none answers, calls fail until one does, and all are tried again after each backoff.
/// A lost connection is established again when a call needs it. A new list that contains
/// the connection's address, with the same authority, leaves the connection as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct PickFirst {
    shuffles: bool,
}

impl PickFirst {
    /// Tries the endpoints in the resolver's order.
    pub fn new() -> Self {
        Self::default()
    }

    /// Shuffles the endpoints, so that the clients of a list spread over its servers. Off
    /// by default.
    #[must_use]
    pub fn shuffled(mut self) -> Self {
        self.shuffles = true;
        self
    }
}

impl Balance for PickFirst {
    fn name(&self) -> &'static str {
        "pick_first"
    }

    fn policy(&self) -> Box<dyn Policy> {
        Box::new(PickFirstPolicy {
            shuffles: self.shuffles,
            endpoints: Vec::new(),
            current: None,
            is_failing: false,
        })
    }
}

/// The policy of one channel.
#[derive(Debug)]
struct PickFirstPolicy {
    shuffles: bool,
    /// In the resolver's order.
    endpoints: Vec<Endpoint>,
    current: Option<Current>,
    /// All addresses failed, and none has answered since: calls fail meanwhile (gRFC A62).
    is_failing: bool,
}

/// The only subchannel, whose attempts try all addresses.
#[derive(Debug)]
struct Current {
    subchannel: Subchannel,
    destinations: HashSet<Destination>,
    state: SubchannelState,
    /// It was told to connect and has not reported yet that it does.
    is_asked: bool,
}

impl Current {
    fn connect(&mut self) {
        if !std::mem::replace(&mut self.is_asked, true) {
            self.subchannel.connect();
        }
    }

    /// Whether it can continue with this list.
    fn suits(&self, list: &[Destination]) -> bool {
        match &self.state {
            SubchannelState::Ready(address) => {
                let is_here = |it: &&Destination| it.address == *address;
                let stays = |it: &Destination| self.destinations.contains(it);
                list.iter().find(is_here).is_some_and(stays)
            }
            // All of these have failed and would have to wait for the backoff in any order.
            SubchannelState::TransientFailure(_) => {
                list.iter().all(|it| self.destinations.contains(it))
            }
            SubchannelState::Idle | SubchannelState::Connecting => {
                list.len() == self.destinations.len()
                    && list.iter().all(|it| self.destinations.contains(it))
            }
        }
    }
}

impl Policy for PickFirstPolicy {
    fn update(&mut self, resolved: Resolved, control: &mut Control<'_>) -> Result<(), Status> {
        let mut endpoints = resolved.endpoints;
        if self.current.is_some() && endpoints == self.endpoints {
            return Ok(());
        }
        self.endpoints.clone_from(&endpoints);
        if self.shuffles {
            shuffle(&mut endpoints, control);
        }
        let destinations = in_order(&endpoints);
        if destinations.is_empty() {
            let status = empty();
            if let Some(last) = self.current.take() {
                control.remove(last.subchannel);
            }
            self.is_failing = false;
            fail(status.clone(), control);
            return Err(status);
        }
        if let Some(current) = &mut self.current
            && current.suits(&destinations)
        {
            current.destinations = destinations.iter().cloned().collect();
            current.subchannel.set_destinations(destinations);
            return Ok(());
        }
        self.begin(destinations, control);
        Ok(())
    }

    fn resolution_failed(&mut self, status: Status, control: &mut Control<'_>) {
        if self.current.is_none() || self.is_failing {
            fail(status, control);
        }
    }

    fn changed(
        &mut self,
        subchannel: &Subchannel,
        state: SubchannelState,
        control: &mut Control<'_>,
    ) {
        let Some(current) = &mut self.current else {
            return;
        };
        if current.subchannel != *subchannel {
            return;
        }
        let before = std::mem::replace(&mut current.state, state);
        match &current.state {
            SubchannelState::Idle => {
                if before.is_ready() {
                    control.resolve_again();
                }
                if self.is_failing {
                    current.connect();
                } else {
                    control.publish(ConnectivityState::Idle, Picks::one(subchannel));
                }
                return;
            }
            SubchannelState::Connecting => {
                if !self.is_failing {
                    control.publish(ConnectivityState::Connecting, Picks::one(subchannel));
                }
            }
            SubchannelState::Ready(_) => {
                self.is_failing = false;
                control.publish(ConnectivityState::Ready, Picks::one(subchannel));
            }
            SubchannelState::TransientFailure(status) => {
                self.is_failing = true;
                control.resolve_again();
                fail(status.clone(), control);
            }
        }
        current.is_asked = false;
    }

    fn reconfigure(&mut self, balance: &dyn Balance) -> bool {
        let same = (balance as &dyn Any).downcast_ref::<PickFirst>();
        if let Some(options) = same {
            self.shuffles = options.shuffles;
        }
        same.is_some()
    }

    fn connect(&mut self, _control: &mut Control<'_>) {
        if let Some(current) = &mut self.current
            && !current.state.is_ready()
        {
            current.connect();
        }
    }
}

impl PickFirstPolicy {
    /// Replaces the subchannel by one for this list. It connects at once unless the
    /// previous one was idle: a first list was requested for a call or a connect.
    fn begin(&mut self, list: Vec<Destination>, control: &mut Control<'_>) {
        let mut next = Current {
            destinations: list.iter().cloned().collect(),
            subchannel: control.sole_subchannel(list),
            state: SubchannelState::Idle,
            is_asked: false,
        };
        let rested = self.current.take().is_some_and(|last| {
            let rested = matches!(last.state, SubchannelState::Idle) && !last.is_asked;
            control.remove(last.subchannel);
            rested
        });
        let state = if rested {
            ConnectivityState::Idle
        } else {
            next.connect();
            ConnectivityState::Connecting
        };
        if !self.is_failing {
            control.publish(state, Picks::one(&next.subchannel));
        }
        self.current = Some(next);
    }
}

fn fail(status: Status, control: &mut Control<'_>) {
    control.publish(ConnectivityState::TransientFailure, Picks::fail(status));
}

pub(super) fn empty() -> Status {
    let text = "the name resolver found no server";
    Status::new(Code::Unavailable, text).with_phase(Phase::Resolve)
}

/// Shuffles `list`; all orders are equally likely.
pub(super) fn shuffle<T>(list: &mut [T], control: &Control<'_>) {
    for last in (1..list.len()).rev() {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "a share of a length"
        )]
        let other = (control.random() * (last + 1) as f64) as usize;
        list.swap(last, other.min(last));
    }
}

/// All addresses, each once with the first authority given for it, alternating the address
/// families: if one family is unreachable, the other is not tried last (RFC 8305 section
/// 4).
fn in_order(endpoints: &[Endpoint]) -> Vec<Destination> {
    let mut known = HashSet::new();
    let all = endpoints.iter().flat_map(Endpoint::destinations);
    let all: Vec<Destination> = all.filter(|it| known.insert(it.address.clone())).collect();
    let is_v6 = |it: &Destination| matches!(it.address, Address::Tcp(ip) if ip.is_ipv6());
    let v6_first = all.first().is_some_and(is_v6);
    let (first, second): (Vec<_>, Vec<_>) = all.into_iter().partition(|it| is_v6(it) == v6_first);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let pairs = std::iter::from_fn(|| match (first.next(), second.next()) {
        (None, None) => None,
        pair => Some(pair),
    });
    pairs.flat_map(|(a, b)| [a, b]).flatten().collect()
}

#[cfg(test)]
mod tests;
