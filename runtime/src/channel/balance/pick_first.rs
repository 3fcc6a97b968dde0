//! pick_first (gRFC A62, A61): one connection, to the first address that answers. It
//! is what a channel does unless it is told otherwise.

use std::collections::HashSet;

use super::control::Control;
use super::policy::{Balance, Policy, Resolved};
use crate::channel::connectivity::ConnectivityState;
use crate::channel::pick::Picks;
use crate::channel::resolve::address::{Address, Endpoint};
use crate::channel::subchannel::handle::Subchannel;
use crate::channel::subchannel::report::SubchannelState;
use crate::status::{Code, Phase, Status};

/// One connection for all calls, to the first address that answers. The addresses of
/// all endpoints are tried in their order, IPv6 and IPv4 by turns: the next as soon as
/// one fails, or after 250 ms beside it.
///
/// A new list that has the address of the connection changes nothing for it.
#[derive(Clone, Copy, Debug, Default)]
pub struct PickFirst {
    shuffles: bool,
}

impl PickFirst {
    /// The endpoints in the resolver's order.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts the endpoints in an order by chance, so that the clients of a list spread
    /// over its servers; off unless called.
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
        Box::new(First {
            shuffles: self.shuffles,
            endpoints: Vec::new(),
            current: None,
        })
    }
}

/// The policy of one channel.
#[derive(Debug)]
struct First {
    shuffles: bool,
    /// As the resolver gave them.
    endpoints: Vec<Endpoint>,
    current: Option<(Subchannel, SubchannelState)>,
}

impl Policy for First {
    fn update(&mut self, resolved: Resolved, control: &mut Control<'_>) -> Result<(), Status> {
        let mut endpoints = resolved.endpoints;
        if self.current.is_some() && endpoints == self.endpoints {
            return Ok(());
        }
        let given = endpoints.clone();
        if self.shuffles {
            shuffle(&mut endpoints, control);
        }
        let addresses = in_order(&endpoints);
        if addresses.is_empty() {
            let status = empty();
            if self.current.is_none() {
                fail(status.clone(), control);
            }
            return Err(status);
        }
        self.endpoints = given;
        let mut is_used = false;
        if let Some((current, state)) = &self.current {
            if let SubchannelState::Ready(address) = state
                && addresses.contains(address)
            {
                current.set_addresses(addresses);
                return Ok(());
            }
            is_used = !matches!(state, SubchannelState::Idle);
        }
        let mut addresses = addresses.into_iter();
        let first = addresses.next().map(Endpoint::new);
        let endpoint = addresses.fold(first, |endpoint, address| Some(endpoint?.and(address)));
        let Some(endpoint) = endpoint else {
            return Ok(());
        };
        let next = control.sole_subchannel(endpoint);
        if let Some((last, _)) = self.current.take() {
            control.remove(last);
        }
        if is_used {
            next.connect();
        }
        control.publish(ConnectivityState::Idle, Picks::one(&next));
        self.current = Some((next, SubchannelState::Idle));
        Ok(())
    }

    fn resolution_failed(&mut self, status: Status, control: &mut Control<'_>) {
        if self.current.is_none() {
            fail(status, control);
        }
    }

    fn changed(
        &mut self,
        subchannel: &Subchannel,
        state: SubchannelState,
        control: &mut Control<'_>,
    ) {
        let Some((current, before)) = &mut self.current else {
            return;
        };
        if current != subchannel {
            return;
        }
        match &state {
            SubchannelState::Idle => {
                if before.is_ready() {
                    control.resolve_again();
                }
                control.publish(ConnectivityState::Idle, Picks::one(current));
            }
            SubchannelState::Connecting => {
                control.publish(ConnectivityState::Connecting, Picks::one(current));
            }
            SubchannelState::Ready(_) => {
                control.publish(ConnectivityState::Ready, Picks::one(current));
            }
            SubchannelState::TransientFailure(status) => {
                control.resolve_again();
                fail(status.clone(), control);
            }
        }
        *before = state;
    }

    fn connect(&mut self, _control: &mut Control<'_>) {
        if let Some((current, _)) = &self.current {
            current.connect();
        }
    }
}

fn fail(status: Status, control: &mut Control<'_>) {
    control.publish(ConnectivityState::TransientFailure, Picks::fail(status));
}

pub(super) fn empty() -> Status {
    let text = "the name resolver knows of no server";
    Status::new(Code::Unavailable, text).with_phase(Phase::Resolve)
}

/// An order by chance, each as likely as any other.
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

/// All addresses, each once, both families by turns: where one of them leads nowhere,
/// the other is not tried last (RFC 8305 section 4).
fn in_order(endpoints: &[Endpoint]) -> Vec<Address> {
    let mut known = HashSet::new();
    let all = endpoints.iter().flat_map(|endpoint| &endpoint.addresses);
    let all: Vec<&Address> = all.filter(|address| known.insert(*address)).collect();
    let is_v6 = |address: &Address| matches!(address, Address::Tcp(ip) if ip.is_ipv6());
    let v6_first = all.first().is_some_and(|first| is_v6(first));
    let (first, second): (Vec<&Address>, Vec<&Address>) = all
        .into_iter()
        .partition(|address| is_v6(address) == v6_first);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let pairs = std::iter::from_fn(|| match (first.next(), second.next()) {
        (None, None) => None,
        pair => Some(pair),
    });
    pairs.flat_map(|(a, b)| [a, b]).flatten().cloned().collect()
}

#[cfg(test)]
mod tests;
