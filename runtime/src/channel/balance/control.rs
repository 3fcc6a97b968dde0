//! What a policy can do. It gathers what the policy wants; the hub does it.

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

/// What a [`Policy`](crate::Policy) has at hand while it works on an event.
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
    /// Their numbers.
    pub(super) removed: Vec<u64>,
    pub(super) published: Option<(ConnectivityState, Picks)>,
}

/// The weights that a policy has made its turns of.
#[derive(Debug)]
pub(crate) struct Weighed {
    pub(crate) weights: Vec<WeightState>,
    /// What the resolver said of the endpoints.
    pub(crate) attributes: Attributes,
}

/// What policies wanted and the hub has not done yet.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    /// The number of the next subchannel.
    next: u64,
    pub(crate) begin: Vec<(Subchannel, QueueReceiver<Ask>)>,
    pub(crate) remove: Vec<Subchannel>,
    pub(crate) publish: Option<(ConnectivityState, Picks)>,
    pub(crate) resolve: bool,
    /// How often servers are to report their load, by their subchannels' numbers.
    pub(crate) loads: Vec<(u64, Option<Duration>)>,
    /// For those who count.
    pub(crate) weighed: Vec<Weighed>,
    /// When the policy wants to be woken.
    pub(crate) wake: BTreeSet<Instant>,
    /// The policy has heard of something since it could settle.
    pub(crate) has_news: bool,
}

impl Wishes {
    /// When the policy is to be woken next.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.wake.first().copied()
    }

    /// Whether it is to be woken now, which is once for all moments until now.
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

    /// A subchannel for `endpoint`. It connects when it is told to
    /// ([`Subchannel::connect`]), and is idle again after its connection is lost or the
    /// backoff after a failure is over.
    pub fn subchannel(&mut self, endpoint: Endpoint) -> Subchannel {
        self.begin(endpoint, false)
    }

    /// One in whose queue calls may wait for a connection, since there is no other: it
    /// connects when a call comes.
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

    /// Gives a subchannel up: it takes no more calls and is done when those it has
    /// are. Its policy hears no more of it.
    pub fn remove(&mut self, subchannel: Subchannel) {
        self.wishes.remove.push(subchannel);
    }

    /// Says what the channel's state is and where calls go from now on. Calls that
    /// wait are picked for anew.
    pub fn publish(&mut self, state: ConnectivityState, picks: Picks) {
        self.wishes.publish = Some((state, picks));
    }

    /// Has the target resolved again: its servers may have moved.
    pub fn resolve_again(&mut self) {
        self.wishes.resolve = true;
    }

    /// Has the subchannel's server report its load by itself, this often
    /// (`xds.service.orca.v3.OpenRcaService`, gRFC A51), for as long as there is a
    /// connection; a server may raise the interval, and most do so to 30 s. Each report
    /// comes by [`Policy::load_reported`](crate::Policy::load_reported). What was asked
    /// for last counts; `None` asks for no more. A server without that service is asked
    /// once for each connection.
    pub fn report_load(&mut self, subchannel: &Subchannel, interval: Option<Duration>) {
        self.wishes.loads.push((subchannel.number(), interval));
    }

    /// Has [`Policy::timer`](crate::Policy::timer) called once, at this moment or soon
    /// after: a policy asks again each time that it wants more. What it asked for before
    /// stays; a moment that it does not need any more it lets pass.
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

    /// Has observers told of weights.
    pub(super) fn tell_weights(&mut self, weighed: Weighed) {
        self.wishes.weighed.push(weighed);
    }

    /// Has a child work on an event; what it publishes is its parent's to know alone.
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

    /// A number from 0 up to, and without, 1 that nobody foresees.
    pub fn random(&self) -> f64 {
        self.chance.next()
    }
}
