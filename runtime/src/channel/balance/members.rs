//! The endpoints of a policy that connects to all of them: which are ready, and the
//! channel's state. The policy's `Spread` chooses the endpoint of a call.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use super::control::Control;
use super::pick_first::{empty, shuffle};
use super::policy::{Balance, Policy, Resolved};
use crate::call::load_report::LoadReport;
use crate::channel::address::{Attributes, Endpoint, EndpointKey};
use crate::channel::connectivity::ConnectivityState;
use crate::channel::pick::Picks;
use crate::channel::subchannel::handle::Subchannel;
use crate::channel::subchannel::report::SubchannelState;
use crate::status::Status;

/// Spreads calls over the ready endpoints.
pub(super) trait Spread: Send {
    /// The data kept for an endpoint as long as it is listed.
    type Kept: Send;

    /// The resolver's attributes of all endpoints.
    fn described(&mut self, _attributes: &Attributes) {}

    /// Creates the data of a new endpoint.
    fn joined(&mut self) -> Self::Kept;

    /// A list contains the endpoint, again or for the first time.
    fn listed(&mut self, _subchannel: &Subchannel, _control: &mut Control<'_>) {}

    /// The endpoint's server has sent a load report outside of calls.
    fn load_reported(&mut self, _kept: &Self::Kept, _report: &LoadReport, _now: Instant) {}

    /// The endpoint has a new connection.
    fn connected(&mut self, _kept: &Self::Kept) {}

    /// The picks while these endpoints are ready; there is at least one.
    fn picks(&mut self, ready: &[(&Subchannel, &Self::Kept)], control: &mut Control<'_>) -> Picks;

    /// No endpoint is ready any more.
    fn none_ready(&mut self) {}

    /// As [`Policy::reconfigure`].
    fn reconfigure(&mut self, balance: &dyn Balance) -> bool;

    /// A requested time has come; `true` if the picks change.
    fn timer(&mut self, _control: &mut Control<'_>) -> bool {
        false
    }
}

/// The policy of one channel.
#[derive(Debug)]
pub(super) struct Members<S: Spread> {
    spread: S,
    all: Vec<Member<S::Kept>>,
    /// The index of each subchannel's endpoint, by subchannel number.
    places: HashMap<u64, usize>,
    /// What was published is out of date.
    has_news: bool,
    last_failure: Option<Status>,
}

/// One endpoint.
#[derive(Debug)]
struct Member<K> {
    key: EndpointKey,
    subchannel: Subchannel,
    state: MemberState,
    kept: K,
}

/// A subchannel's state as the policy counts it: a failed one counts as failed until it is
/// ready, and an idle one as connecting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MemberState {
    Connecting,
    Ready,
    Failed,
}

impl<S: Spread> Policy for Members<S> {
    fn update(&mut self, resolved: Resolved, control: &mut Control<'_>) -> Result<(), Status> {
        let mut endpoints = resolved.endpoints.iter();
        if endpoints.all(|endpoint| endpoint.addresses.is_empty()) {
            let status = empty();
            for member in self.all.drain(..) {
                control.remove(member.subchannel);
            }
            self.places.clear();
            self.last_failure = Some(status.clone());
            self.has_news = true;
            return Err(status);
        }
        self.spread.described(&resolved.attributes);
        let before = std::mem::take(&mut self.all).into_iter();
        let mut before: HashMap<_, _> = before.map(|it| (it.key.clone(), it)).collect();
        let mut known = HashSet::new();
        let mut new = Vec::new();
        for endpoint in resolved.endpoints {
            let key = endpoint.key();
            if key.is_empty() || !known.insert(key.clone()) {
                continue;
            }
            match before.remove(&key) {
                Some(member) => self.all.push(member),
                None => new.push((key, endpoint)),
            }
        }
        for member in before.into_values() {
            control.remove(member.subchannel);
        }
        shuffle(&mut new, control);
        for (key, endpoint) in new {
            self.join(key, endpoint, control);
        }
        for member in &self.all {
            self.spread.listed(&member.subchannel, control);
        }
        let members = self.all.iter().enumerate();
        self.places = members
            .map(|(place, member)| (member.subchannel.number(), place))
            .collect();
        self.has_news = true;
        Ok(())
    }

    fn resolution_failed(&mut self, status: Status, _control: &mut Control<'_>) {
        if self.all.is_empty() {
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
        let Some(member) = place.and_then(|place| self.all.get_mut(*place)) else {
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
            SubchannelState::Ready(_) => {
                member.state = MemberState::Ready;
                if before != MemberState::Ready {
                    self.spread.connected(&member.kept);
                }
            }
            SubchannelState::TransientFailure(status) => {
                member.state = MemberState::Failed;
                self.last_failure = Some(status);
                control.resolve_again();
            }
        }
        self.has_news |= member.state != before || has_failed;
    }

    fn load_reported(
        &mut self,
        subchannel: &Subchannel,
        report: &LoadReport,
        control: &mut Control<'_>,
    ) {
        let place = self.places.get(&subchannel.number());
        if let Some(member) = place.and_then(|place| self.all.get(*place)) {
            let now = control.now();
            self.spread.load_reported(&member.kept, report, now);
        }
    }

    fn reconfigure(&mut self, balance: &dyn Balance) -> bool {
        self.spread.reconfigure(balance)
    }

    fn timer(&mut self, control: &mut Control<'_>) {
        self.has_news |= self.spread.timer(control);
    }

    fn settled(&mut self, control: &mut Control<'_>) {
        if std::mem::take(&mut self.has_news) {
            self.publish(control);
        }
    }

    fn connect(&mut self, _control: &mut Control<'_>) {
        for member in &self.all {
            if member.state != MemberState::Ready {
                member.subchannel.connect();
            }
        }
    }
}

impl<S: Spread> Members<S> {
    pub(super) fn new(spread: S) -> Self {
        Self {
            spread,
            all: Vec::new(),
            places: HashMap::new(),
            has_news: false,
            last_failure: None,
        }
    }

    fn join(&mut self, key: EndpointKey, endpoint: Endpoint, control: &mut Control<'_>) {
        let subchannel = control.subchannel(endpoint);
        subchannel.connect();
        self.all.push(Member {
            key,
            subchannel,
            state: MemberState::Connecting,
            kept: self.spread.joined(),
        });
    }

    fn publish(&mut self, control: &mut Control<'_>) {
        let of = |state| self.all.iter().filter(move |it| it.state == state);
        let ready: Vec<_> = of(MemberState::Ready)
            .map(|member| (&member.subchannel, &member.kept))
            .collect();
        if !ready.is_empty() {
            let picks = self.spread.picks(&ready, control);
            return control.publish(ConnectivityState::Ready, picks);
        }
        self.spread.none_ready();
        if of(MemberState::Connecting).next().is_some() {
            return control.publish(ConnectivityState::Connecting, Picks::wait());
        }
        let status = self.last_failure.clone().unwrap_or_else(empty);
        control.publish(ConnectivityState::TransientFailure, Picks::fail(status));
    }
}
