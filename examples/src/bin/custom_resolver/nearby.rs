//! A policy: connects to each server, and sends calls by turns to the servers of one zone,
//! or to the others if none of those is ready.

use std::sync::atomic::{AtomicUsize, Ordering};

use grpc_runtime::{
    Balance, ConnectivityState, Control, Pick, PickArgs, Picker, Picks, Policy, Resolved, Status,
    Subchannel, SubchannelState,
};

use crate::file::Zone;

/// Makes the policy for a channel.
pub(crate) struct Nearby(&'static str);

impl Nearby {
    pub(crate) fn to(zone: &'static str) -> Self {
        Self(zone)
    }
}

impl Balance for Nearby {
    fn name(&self) -> &'static str {
        "nearby"
    }

    fn policy(&self) -> Box<dyn Policy> {
        Box::new(Servers {
            zone: self.0,
            all: Vec::new(),
        })
    }
}

/// The servers of one channel, with the states of their connections.
struct Servers {
    zone: &'static str,
    all: Vec<(Subchannel, SubchannelState)>,
}

impl Policy for Servers {
    fn update(&mut self, resolved: Resolved, control: &mut Control<'_>) -> Result<(), Status> {
        if resolved.endpoints.is_empty() {
            return Err(Status::unavailable("the list is empty"));
        }
        let mut before = std::mem::take(&mut self.all);
        for endpoint in resolved.endpoints {
            // A server that stays keeps its connection.
            let known = before.iter().position(|it| *it.0.endpoint() == endpoint);
            let server = known.map(|place| before.swap_remove(place));
            self.all.push(server.unwrap_or_else(|| {
                let subchannel = control.subchannel(endpoint);
                subchannel.connect();
                (subchannel, SubchannelState::Connecting)
            }));
        }
        for (gone, _) in before {
            control.remove(gone);
        }
        self.publish(control);
        Ok(())
    }

    fn resolution_failed(&mut self, status: Status, control: &mut Control<'_>) {
        if self.all.is_empty() {
            control.publish(ConnectivityState::TransientFailure, Picks::fail(status));
        }
    }

    fn changed(
        &mut self,
        subchannel: &Subchannel,
        state: SubchannelState,
        control: &mut Control<'_>,
    ) {
        if let SubchannelState::Idle = state {
            subchannel.connect();
            control.resolve_again();
        }
        if let Some(server) = self.all.iter_mut().find(|it| it.0 == *subchannel) {
            server.1 = state;
        }
        self.publish(control);
    }

    fn connect(&mut self, _control: &mut Control<'_>) {
        for (subchannel, _) in &self.all {
            subchannel.connect();
        }
    }
}

impl Servers {
    fn publish(&self, control: &mut Control<'_>) {
        let ready = self.all.iter().filter(|(_, state)| state.is_ready());
        let (near, far): (Vec<_>, Vec<_>) = ready.map(|(it, _)| it.clone()).partition(|it| {
            let zone = it.endpoint().attributes().get::<Zone>();
            zone.is_some_and(|zone| zone.0 == self.zone)
        });
        let ready = if near.is_empty() { far } else { near };
        if !ready.is_empty() {
            let turns = Turns(ready, AtomicUsize::new(0));
            return control.publish(ConnectivityState::Ready, Picks::by(turns));
        }
        let failures = self.all.iter().map(|(_, state)| match state {
            SubchannelState::TransientFailure(status) => Some(status.clone()),
            _ => None,
        });
        match failures
            .collect::<Option<Vec<_>>>()
            .and_then(|mut all| all.pop())
        {
            Some(status) => {
                control.publish(ConnectivityState::TransientFailure, Picks::fail(status));
            }
            // One of them may still become ready.
            None => control.publish(ConnectivityState::Connecting, Picks::wait()),
        }
    }
}

/// One after the other.
struct Turns(Vec<Subchannel>, AtomicUsize);

impl Picker for Turns {
    fn pick(&self, _args: &PickArgs<'_>) -> Pick<'_> {
        let turn = self.1.fetch_add(1, Ordering::Relaxed);
        Pick::Use(&self.0[turn % self.0.len()], None)
    }
}
