//! A policy inside another one. It collects what the inner policy publishes, and knows its
//! subchannels, so that their events can be forwarded to it.

use std::collections::HashMap;
use std::sync::Arc;

use super::control::Control;
use super::policy::{Balance, Policy, Resolved};
use crate::call::load_report::LoadReport;
use crate::channel::connectivity::ConnectivityState;
use crate::channel::pick::Picks;
use crate::channel::subchannel::handle::Subchannel;
use crate::channel::subchannel::report::SubchannelState;
use crate::status::Status;

/// A policy inside another one. Its owner forwards the channel's events to it, and after
/// each event reads what it [has published](Self::take_news).
pub(in crate::channel) struct Child {
    balance: Arc<dyn Balance>,
    policy: Box<dyn Policy>,
    subchannels: HashMap<u64, Subchannel>,
    state: ConnectivityState,
    picks: Picks,
    has_news: bool,
}

impl Child {
    /// Until it publishes something its state is connecting, and calls wait.
    pub(in crate::channel) fn new(balance: Arc<dyn Balance>) -> Self {
        Self {
            policy: balance.policy(),
            balance,
            subchannels: HashMap::new(),
            state: ConnectivityState::Connecting,
            picks: Picks::wait(),
            has_news: false,
        }
    }

    // --- events ---------------------------------------------------------------------

    /// Takes over the options of `balance` and keeps its state; `false` if this needs a new
    /// child.
    pub(in crate::channel) fn reconfigure(&mut self, balance: &Arc<dyn Balance>) -> bool {
        let is_same = Arc::ptr_eq(&self.balance, balance)
            || self.balance.name() == balance.name() && self.policy.reconfigure(&**balance);
        if is_same {
            self.balance = Arc::clone(balance);
        }
        is_same
    }

    pub(in crate::channel) fn update(
        &mut self,
        resolved: Resolved,
        control: &mut Control<'_>,
    ) -> Result<(), Status> {
        self.tell(control, |policy, control| policy.update(resolved, control))
    }

    pub(in crate::channel) fn resolution_failed(
        &mut self,
        status: Status,
        control: &mut Control<'_>,
    ) {
        self.tell(control, |policy, control| {
            policy.resolution_failed(status, control);
        });
    }

    /// `false` if the subchannel is not the child's: then the child is not told.
    pub(in crate::channel) fn changed(
        &mut self,
        subchannel: &Subchannel,
        state: SubchannelState,
        control: &mut Control<'_>,
    ) -> bool {
        let is_own = self.has(subchannel);
        if is_own {
            self.tell(control, |policy, control| {
                policy.changed(subchannel, state, control);
            });
        }
        is_own
    }

    pub(in crate::channel) fn load_reported(
        &mut self,
        subchannel: &Subchannel,
        report: &LoadReport,
        control: &mut Control<'_>,
    ) {
        self.tell(control, |policy, control| {
            policy.load_reported(subchannel, report, control);
        });
    }

    pub(in crate::channel) fn connect(&mut self, control: &mut Control<'_>) {
        self.tell(control, |policy, control| policy.connect(control));
    }

    /// A time has come that this policy or another one asked for.
    pub(in crate::channel) fn timer(&mut self, control: &mut Control<'_>) {
        self.tell(control, |policy, control| policy.timer(control));
    }

    pub(in crate::channel) fn settled(&mut self, control: &mut Control<'_>) {
        self.tell(control, |policy, control| policy.settled(control));
    }

    /// Ends the child: removes its subchannels.
    pub(in crate::channel) fn close(self, control: &mut Control<'_>) {
        for subchannel in self.subchannels() {
            control.remove(subchannel.clone());
        }
    }

    fn tell<T>(
        &mut self,
        control: &mut Control<'_>,
        event: impl FnOnce(&mut dyn Policy, &mut Control<'_>) -> T,
    ) -> T {
        let policy = &mut *self.policy;
        let (told, seen) = control.watch(|control| event(policy, control));
        for subchannel in seen.begun {
            self.subchannels.insert(subchannel.number(), subchannel);
        }
        for number in seen.removed {
            self.subchannels.remove(&number);
        }
        if let Some((state, picks)) = seen.published {
            (self.state, self.picks) = (state, picks);
            self.has_news = true;
        }
        told
    }

    // --- its state ------------------------------------------------------------------

    /// What it has published since the last time this was called; `None` for nothing.
    pub(in crate::channel) fn take_news(&mut self) -> Option<(ConnectivityState, Picks)> {
        std::mem::take(&mut self.has_news).then(|| (self.state, self.picks.clone()))
    }

    /// The state that it published last.
    pub(in crate::channel) fn state(&self) -> ConnectivityState {
        self.state
    }

    /// The picks that it published last.
    pub(in crate::channel) fn picks(&self) -> &Picks {
        &self.picks
    }

    /// Whether the subchannel is the child's.
    pub(in crate::channel) fn has(&self, subchannel: &Subchannel) -> bool {
        self.subchannels.contains_key(&subchannel.number())
    }

    /// The child's subchannels.
    pub(in crate::channel) fn subchannels(&self) -> impl Iterator<Item = &Subchannel> {
        self.subchannels.values()
    }
}
