//! The policy in use and its successor: when a channel's policy changes, the old one stays
//! in use while the new one connects.

use std::sync::Arc;

use super::child::Child;
use super::control::Control;
use super::policy::{Balance, Resolved};
use crate::call::load_report::LoadReport;
use crate::channel::connectivity::ConnectivityState;
use crate::channel::subchannel::handle::Subchannel;
use crate::channel::subchannel::report::SubchannelState;
use crate::status::Status;

/// The policies of one channel.
pub(in crate::channel) struct Switch {
    /// The policy in use; `None` once a policy has panicked.
    current: Option<Child>,
    /// It replaces `current` once it is ready, has failed or is idle, or once `current` is
    /// not ready any more.
    pending: Option<Child>,
}

impl Switch {
    pub(in crate::channel) fn new(balance: Arc<dyn Balance>) -> Self {
        Self {
            current: Some(Child::new(balance)),
            pending: None,
        }
    }

    /// No policy: events are ignored and nothing is published.
    pub(in crate::channel) fn over() -> Self {
        Self {
            current: None,
            pending: None,
        }
    }

    /// The resolver has a new result, for which `balance` is the policy.
    pub(in crate::channel) fn update(
        &mut self,
        balance: &Arc<dyn Balance>,
        resolved: Resolved,
        control: &mut Control<'_>,
    ) -> Result<(), Status> {
        self.turn_to(balance, control);
        let verdict = match self.latest() {
            Some(latest) => latest.update(resolved, control),
            None => Ok(()),
        };
        self.relay(control);
        verdict
    }

    /// Makes the latest policy one of this kind.
    fn turn_to(&mut self, balance: &Arc<dyn Balance>, control: &mut Control<'_>) {
        let Some(current) = &mut self.current else {
            return;
        };
        let pending = self.pending.as_mut();
        if pending.is_some_and(|pending| pending.reconfigure(balance)) {
            return;
        }
        // A successor that did not replace the policy is dropped for a newer one.
        if let Some(pending) = self.pending.take() {
            pending.close(control);
        }
        if current.reconfigure(balance) {
            return;
        }
        let next = Child::new(Arc::clone(balance));
        if current.state() == ConnectivityState::Ready {
            self.pending = Some(next);
        } else {
            self.replace(next, control);
        }
    }

    pub(in crate::channel) fn resolution_failed(
        &mut self,
        status: Status,
        control: &mut Control<'_>,
    ) {
        if let Some(latest) = self.latest() {
            latest.resolution_failed(status, control);
        }
        self.relay(control);
    }

    /// Events of a subchannel that no policy has are ignored.
    pub(in crate::channel) fn changed(
        &mut self,
        subchannel: &Subchannel,
        state: SubchannelState,
        control: &mut Control<'_>,
    ) {
        let owner = self.children().find(|child| child.has(subchannel));
        if let Some(owner) = owner {
            owner.changed(subchannel, state, control);
            self.relay(control);
        }
    }

    /// Forwarded like [`changed`](Self::changed).
    pub(in crate::channel) fn load_reported(
        &mut self,
        subchannel: &Subchannel,
        report: &LoadReport,
        control: &mut Control<'_>,
    ) {
        let owner = self.children().find(|child| child.has(subchannel));
        if let Some(owner) = owner {
            owner.load_reported(subchannel, report, control);
            self.relay(control);
        }
    }

    pub(in crate::channel) fn connect(&mut self, control: &mut Control<'_>) {
        if let Some(latest) = self.latest() {
            latest.connect(control);
        }
        self.relay(control);
    }

    /// A time has come that one of them may have asked for.
    pub(in crate::channel) fn timer(&mut self, control: &mut Control<'_>) {
        for child in self.children() {
            child.timer(control);
        }
        self.relay(control);
    }

    pub(in crate::channel) fn settled(&mut self, control: &mut Control<'_>) {
        for child in self.children() {
            child.settled(control);
        }
        self.relay(control);
    }

    fn latest(&mut self) -> Option<&mut Child> {
        self.pending.as_mut().or(self.current.as_mut())
    }

    fn children(&mut self) -> impl Iterator<Item = &mut Child> {
        self.current.iter_mut().chain(&mut self.pending)
    }

    /// Lets the successor replace the policy when it is time, and publishes what the policy
    /// in use publishes.
    fn relay(&mut self, control: &mut Control<'_>) {
        let is_ready = |child: &Child| child.state() == ConnectivityState::Ready;
        // A policy that connects on demand is idle until it has calls.
        let has_decided = |child: &Child| child.state() != ConnectivityState::Connecting;
        let is_left = self.current.as_ref().is_some_and(|it| !is_ready(it));
        let is_due = |child: &mut Child| is_left || has_decided(child);
        if let Some(next) = self.pending.take_if(is_due) {
            self.replace(next, control);
        }
        if let Some((state, picks)) = self.current.as_mut().and_then(Child::take_news) {
            control.publish(state, picks);
        }
    }

    /// Replaces the policy in use.
    fn replace(&mut self, next: Child, control: &mut Control<'_>) {
        // The successor publishes nothing more until its state changes.
        control.publish(next.state(), next.picks().clone());
        if let Some(last) = self.current.replace(next) {
            last.close(control);
        }
    }
}

#[cfg(test)]
mod tests;
