//! round_robin: a connection to each endpoint, and calls by turns over those that are
//! ready.

use std::any::Any;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::control::Control;
use super::pick_first::{empty, shuffle};
use super::policy::{Balance, Policy, Resolved};
use crate::channel::address::{Address, Endpoint};
use crate::channel::connectivity::ConnectivityState;
use crate::channel::pick::{Pick, PickArgs, Picker, Picks};
use crate::channel::subchannel::handle::Subchannel;
use crate::channel::subchannel::report::SubchannelState;
use crate::status::Status;

/// A connection to each endpoint, and calls by turns over those that are ready. One
/// that is lost is made again at once, and one that cannot be made again and again
/// after the backoff. Where the turns begin is left to chance, so that many clients do
/// not begin with one server.
///
/// ```
/// # fn main() -> Result<(), grpc_runtime::ChannelError> {
/// use grpc_runtime::{Channel, ChannelCredentials, RoundRobin};
///
/// let channel = Channel::builder("dns:///shop.internal:50051")?
///     .balance(RoundRobin::new())
///     .build(ChannelCredentials::insecure())?;
/// # drop(channel);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct RoundRobin(());

impl RoundRobin {
    /// It has no options.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Balance for RoundRobin {
    fn name(&self) -> &'static str {
        "round_robin"
    }

    fn policy(&self) -> Box<dyn Policy> {
        Box::new(Turns {
            members: Vec::new(),
            places: HashMap::new(),
            has_news: false,
            last_failure: None,
        })
    }
}

/// The policy of one channel.
#[derive(Debug)]
struct Turns {
    members: Vec<Member>,
    /// Where among them each subchannel is, by its number.
    places: HashMap<u64, usize>,
    /// What is published is not what is so.
    has_news: bool,
    last_failure: Option<Status>,
}

/// One endpoint. It is known by its addresses, in whatever order they are.
#[derive(Debug)]
struct Member {
    addresses: BTreeSet<Address>,
    subchannel: Subchannel,
    state: MemberState,
}

/// A subchannel's state as the policy counts it: one that failed has failed until it
/// is ready, and one that is idle connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MemberState {
    Connecting,
    Ready,
    Failed,
}

struct Turn {
    ready: Vec<Subchannel>,
    next: AtomicUsize,
}

impl Picker for Turn {
    fn pick(&self, _args: &PickArgs<'_>) -> Pick<'_> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        match self.ready.get(turn % self.ready.len().max(1)) {
            Some(subchannel) => Pick::Use(subchannel, None),
            None => Pick::Wait,
        }
    }
}

impl Policy for Turns {
    fn update(&mut self, resolved: Resolved, control: &mut Control<'_>) -> Result<(), Status> {
        let mut endpoints = resolved.endpoints.iter();
        if endpoints.all(|endpoint| endpoint.addresses.is_empty()) {
            let status = empty();
            for member in self.members.drain(..) {
                control.remove(member.subchannel);
            }
            self.places.clear();
            self.last_failure = Some(status.clone());
            self.has_news = true;
            return Err(status);
        }
        let before = std::mem::take(&mut self.members).into_iter();
        let mut before: HashMap<_, _> = before.map(|it| (it.addresses.clone(), it)).collect();
        let mut known = HashSet::new();
        let mut new = Vec::new();
        for endpoint in resolved.endpoints {
            let addresses: BTreeSet<Address> = endpoint.addresses.iter().cloned().collect();
            if addresses.is_empty() || !known.insert(addresses.clone()) {
                continue;
            }
            match before.remove(&addresses) {
                Some(member) => self.members.push(member),
                None => new.push((addresses, endpoint)),
            }
        }
        for member in before.into_values() {
            control.remove(member.subchannel);
        }
        shuffle(&mut new, control);
        for (addresses, endpoint) in new {
            self.join(addresses, endpoint, control);
        }
        let members = self.members.iter().enumerate();
        self.places = members
            .map(|(place, member)| (member.subchannel.number(), place))
            .collect();
        self.has_news = true;
        Ok(())
    }

    fn resolution_failed(&mut self, status: Status, _control: &mut Control<'_>) {
        if self.members.is_empty() {
            self.last_failure = Some(status);
            self.has_news = true;
        }
    }

    fn changed(
        &mut self,
        subchannel: &Subchannel,
        state: SubchannelState,
        control: &mut Control<'_>,
    ) {
        let place = self.places.get(&subchannel.number());
        let Some(member) = place.and_then(|place| self.members.get_mut(*place)) else {
            return;
        };
        let before = member.state;
        let has_failed = matches!(state, SubchannelState::TransientFailure(_));
        match state {
            SubchannelState::Idle => {
                if before == MemberState::Ready {
                    member.state = MemberState::Connecting;
                    control.resolve_again();
                }
                member.subchannel.connect();
            }
            SubchannelState::Connecting => {
                if before == MemberState::Ready {
                    member.state = MemberState::Connecting;
                }
            }
            SubchannelState::Ready(_) => member.state = MemberState::Ready,
            SubchannelState::TransientFailure(status) => {
                member.state = MemberState::Failed;
                self.last_failure = Some(status);
                control.resolve_again();
            }
        }
        self.has_news |= member.state != before || has_failed;
    }

    /// It has no options.
    fn reconfigure(&mut self, balance: &dyn Balance) -> bool {
        (balance as &dyn Any).is::<RoundRobin>()
    }

    fn settled(&mut self, control: &mut Control<'_>) {
        if std::mem::take(&mut self.has_news) {
            self.publish(control);
        }
    }

    fn connect(&mut self, _control: &mut Control<'_>) {
        for member in &self.members {
            if member.state != MemberState::Ready {
                member.subchannel.connect();
            }
        }
    }
}

impl Turns {
    fn join(
        &mut self,
        addresses: BTreeSet<Address>,
        endpoint: Endpoint,
        control: &mut Control<'_>,
    ) {
        let subchannel = control.subchannel(endpoint);
        subchannel.connect();
        self.members.push(Member {
            addresses,
            subchannel,
            state: MemberState::Connecting,
        });
    }

    fn publish(&mut self, control: &mut Control<'_>) {
        let has = |state| self.members.iter().any(|member| member.state == state);
        if has(MemberState::Ready) {
            let ready = self.members.iter();
            let ready = ready.filter(|member| member.state == MemberState::Ready);
            let ready: Vec<_> = ready.map(|member| member.subchannel.clone()).collect();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_precision_loss,
                clippy::cast_sign_loss,
                reason = "a share of a length"
            )]
            let first = (control.random() * ready.len() as f64) as usize;
            let picker = Turn {
                ready,
                next: AtomicUsize::new(first),
            };
            return control.publish(ConnectivityState::Ready, Picks::by(picker));
        }
        if has(MemberState::Connecting) {
            return control.publish(ConnectivityState::Connecting, Picks::wait());
        }
        let status = self.last_failure.clone().unwrap_or_else(empty);
        control.publish(ConnectivityState::TransientFailure, Picks::fail(status));
    }
}

#[cfg(test)]
mod tests;
