//! The interface by which a policy acts. It collects the policy's requests; the hub carries
//! them out.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::call::queue::{QueueReceiver, queue};
use crate::chance::Chance;
use crate::channel::address::{Attributes, Destination, Endpoint};
use crate::channel::connectivity::ConnectivityState;
use crate::channel::inbox::Ask;
use crate::channel::pick::Picks;
use crate::channel::subchannel::handle::Subchannel;
use crate::observe::weights::WeightState;

/// What a [`Policy`](crate::Policy) can do while it handles an event.
#[derive(Debug)]
pub struct Control<'a> {
    wishes: &'a mut Wishes,
    chance: &'a Chance,
    now: Instant,
}

/// What a child of a policy did during one event.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) begun: Vec<Subchannel>,
    /// The numbers of the removed subchannels.
    pub(super) removed: Vec<u64>,
    pub(super) published: Option<(ConnectivityState, Picks)>,
}

/// The weights from which a policy has made its schedule.
#[derive(Debug)]
pub(crate) struct Weighed {
    pub(crate) weights: Vec<WeightState>,
    /// The resolver's attributes of all endpoints.
    pub(crate) attributes: Attributes,
}

/// The requests of policies that the hub has not carried out yet.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    /// The number of the next subchannel.
    next: u64,
    pub(crate) begin: Vec<(Subchannel, QueueReceiver<Ask>)>,
    pub(crate) remove: Vec<Subchannel>,
    pub(crate) publish: Option<(ConnectivityState, Picks)>,
    pub(crate) resolve: bool,
    /// How often servers are to report their load, by subchannel number.
    pub(crate) loads: Vec<(u64, Option<Duration>)>,
    /// For observers.
    pub(crate) weighed: Vec<Weighed>,
    /// The times at which the policy wants to be woken.
    pub(crate) wake: BTreeSet<Instant>,
    /// The policy has handled an event since `settled` was last called.
    pub(crate) has_news: bool,
}

impl Wishes {
    /// The next time at which the policy is woken.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.wake.first().copied()
    }

    /// Whether the policy is to be woken now. One wake-up serves all times up to `now`.
    pub(crate) fn take_due(&mut self, now: Instant) -> bool {
        let is_due = self.next_timeout().is_some_and(|at| at <= now);
        while is_due && self.next_timeout().is_some_and(|at| at <= now) {
            self.wake.pop_first();
        }
        is_due
    }
}

impl<'a> Control<'a> {
    pub(crate) fn new(wishes: &'a mut Wishes, chance: &'a Chance, now: Instant) -> Self {
        Self {
            wishes,
            chance,
            now,
        }
    }

    /// Creates a subchannel for `endpoint`. It connects when [`Subchannel::connect`] is
    /// called. It becomes idle again after its connection is lost, or when the backoff
    /// after a failure has passed.
    pub fn subchannel(&mut self, endpoint: Endpoint) -> Subchannel {
        self.begin(endpoint, false)
    }

    /// Creates a subchannel in whose queue calls may wait for a connection, because it is
    /// the only one. It connects when a call comes.
    pub(crate) fn sole_subchannel(&mut self, list: Vec<Destination>) -> Subchannel {
        let addresses = list.iter().map(|it| it.address.clone());
        let subchannel = self.begin(Endpoint::of(addresses.collect()), true);
        subchannel.set_destinations(list);
        subchannel
    }

    fn begin(&mut self, endpoint: Endpoint, is_sole: bool) -> Subchannel {
        let (asks, receiver) = queue();
        let number = self.wishes.next;
        self.wishes.next += 1;
        let subchannel = Subchannel::new(number, asks, endpoint, is_sole);
        self.wishes.begin.push((subchannel.clone(), receiver));
        subchannel
    }

    /// Removes a subchannel: it gets no more calls and ends once its present ones are over.
    /// The policy is told nothing more of it.
    pub fn remove(&mut self, subchannel: Subchannel) {
        self.wishes.remove.push(subchannel);
    }

    /// Publishes the channel's state and the picks for calls from now on. Calls that wait
    /// are picked for again.
    pub fn publish(&mut self, state: ConnectivityState, picks: Picks) {
        self.wishes.publish = Some((state, picks));
    }

    /// Resolves the target again, for example because its servers may have moved.
    pub fn resolve_again(&mut self) {
        self.wishes.resolve = true;
    }

    /// Asks the subchannel's server to report its load at this interval, as long as there
    /// is a connection (`xds.service.orca.v3.OpenRcaService`, gRFC A51). A server may raise
    /// the interval; most raise it to 30 s. Each report is passed to
    /// [`Policy::load_reported`](crate::Policy::load_reported). The latest request counts;
    /// `None` ends the reports. A server without that service is asked once for each
    /// connection.
    pub fn report_load(&mut self, subchannel: &Subchannel, interval: Option<Duration>) {
        self.wishes.loads.push((subchannel.number(), interval));
    }

    /// Calls [`Policy::timer`](crate::Policy::timer) once, at this instant or soon after.
    /// For further calls the policy asks again. Earlier requests stay and cannot be
    /// withdrawn: the policy ignores a call that it no longer needs.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// use grpc_runtime::Control;
    ///
    /// /// Of a policy that looks at its endpoints once a second.
    /// fn timer(due: &mut Option<Instant>, control: &mut Control<'_>) {
    ///     let now = control.now();
    ///     if due.is_some_and(|due| due <= now) {
    ///         // look at them
    ///         let next = now + Duration::from_secs(1);
    ///         *due = Some(next);
    ///         control.wake_at(next);
    ///     }
    /// }
    /// ```
    pub fn wake_at(&mut self, at: Instant) {
        self.wishes.wake.insert(at);
    }

    /// Reports weights to observers.
    pub(super) fn tell_weights(&mut self, weighed: Weighed) {
        self.wishes.weighed.push(weighed);
    }

    /// Lets a child handle an event. What the child publishes goes only to its parent.
    pub(super) fn watch<T>(&mut self, event: impl FnOnce(&mut Self) -> T) -> (T, Seen) {
        let (begun, removed) = (self.wishes.begin.len(), self.wishes.remove.len());
        let published = self.wishes.publish.take();
        let told = event(self);
        let begun = self.wishes.begin.iter().skip(begun);
        let removed = self.wishes.remove.iter().skip(removed);
        let seen = Seen {
            begun: begun.map(|(subchannel, _)| subchannel.clone()).collect(),
            removed: removed.map(Subchannel::number).collect(),
            published: std::mem::replace(&mut self.wishes.publish, published),
        };
        (told, seen)
    }

    /// The time of this event.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// A random number of at least 0 and less than 1.
    pub fn random(&self) -> f64 {
        self.chance.next()
    }
}
