//! Runs a policy in tests, which give it events and read its requests to the channel.
//! Servers are small numbers: `1+2` is one endpoint with two addresses.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use super::control::{Control, Weighed, Wishes};
use super::policy::{Balance, Policy, Resolved};
use crate::call::queue::QueueReceiver;
use crate::chance::Chance;
use crate::channel::address::{Address, Attributes, Endpoint};
use crate::channel::call::ticket::Ticket;
use crate::channel::call::trial::Trial;
use crate::channel::connectivity::ConnectivityState;
use crate::channel::inbox::Ask;
use crate::channel::pick::{Pick, Picks};
use crate::channel::subchannel::handle::Subchannel;
use crate::channel::subchannel::report::SubchannelState;
use crate::metadata::Metadata;
use crate::status::{Code, Status};

pub(in crate::channel) struct Bench {
    policy: Box<dyn Policy>,
    wishes: Wishes,
    chance: Chance,
    pub(in crate::channel) now: Instant,
    /// All subchannels that ever existed, with their requests.
    begun: Vec<(Subchannel, QueueReceiver<Ask>)>,
    published: Option<(ConnectivityState, Picks)>,
}

impl Bench {
    pub(in crate::channel) fn new(balance: &dyn Balance) -> Self {
        Self::of(balance.policy())
    }

    pub(in crate::channel) fn of(policy: Box<dyn Policy>) -> Self {
        Self {
            policy,
            wishes: Wishes::default(),
            chance: Chance::default(),
            now: Instant::now(),
            begun: Vec::new(),
            published: None,
        }
    }

    // --- events ---------------------------------------------------------------------

    pub(in crate::channel) fn tell(
        &mut self,
        event: impl FnOnce(&mut dyn Policy, &mut Control<'_>),
    ) {
        let mut control = Control::new(&mut self.wishes, &self.chance, self.now);
        event(&mut *self.policy, &mut control);
        self.policy.settled(&mut control);
    }

    /// The resolver found these endpoints.
    pub(in crate::channel) fn found(&mut self, endpoints: &str) -> Result<(), Status> {
        let resolved = Resolved::new(self::endpoints(endpoints), Attributes::default());
        let mut verdict = Ok(());
        self.tell(|policy, control| verdict = policy.update(resolved, control));
        verdict
    }

    pub(in crate::channel) fn lost_sight(&mut self, text: &str) {
        let status = failure(text);
        self.tell(|policy, control| policy.resolution_failed(status, control));
    }

    pub(in crate::channel) fn connect(&mut self) {
        self.tell(|policy, control| policy.connect(control));
    }

    pub(in crate::channel) fn idle(&mut self, name: &str) {
        self.changed(&self.subchannel(name), SubchannelState::Idle);
    }

    pub(in crate::channel) fn connecting(&mut self, name: &str) {
        self.changed(&self.subchannel(name), SubchannelState::Connecting);
    }

    /// The endpoint has a connection to its first address.
    pub(in crate::channel) fn ready(&mut self, name: &str) {
        let subchannel = self.subchannel(name);
        let first = subchannel.endpoint().addresses()[0].clone();
        self.changed(&subchannel, SubchannelState::Ready(first));
    }

    /// All of these are ready; the policy is told of all before `settled`.
    pub(in crate::channel) fn ready_all(&mut self, all: &[Subchannel]) {
        self.tell(|policy, control| {
            for subchannel in all {
                let first = subchannel.endpoint().addresses()[0].clone();
                policy.changed(subchannel, SubchannelState::Ready(first), control);
            }
        });
    }

    pub(in crate::channel) fn fails(&mut self, name: &str, text: &str) {
        let state = SubchannelState::TransientFailure(failure(text));
        self.changed(&self.subchannel(name), state);
    }

    pub(in crate::channel) fn changed(&mut self, subchannel: &Subchannel, state: SubchannelState) {
        self.tell(|policy, control| policy.changed(subchannel, state, control));
    }

    /// Time passes, and the policy is woken at each instant that it asked for.
    pub(in crate::channel) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.wishes.next_timeout().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            assert!(self.wishes.take_due(self.now));
            self.tell(|policy, control| policy.timer(control));
        }
        self.now = end;
    }

    /// Whether the policy waits for an instant.
    pub(in crate::channel) fn waits_for_time(&self) -> bool {
        self.wishes.next_timeout().is_some()
    }

    // --- requests of the policy --------------------------------------------------------

    /// The latest subchannel of this name.
    pub(in crate::channel) fn subchannel(&self, name: &str) -> Subchannel {
        let new = self.wishes.begin.iter().rev();
        let all = new.chain(self.begun.iter().rev());
        let mut all = all.map(|(subchannel, _)| subchannel);
        let found = all.find(|subchannel| name_of(subchannel) == name);
        found.expect("a subchannel of this name").clone()
    }

    /// All subchannels that ever existed, up to the last [`news`](Self::news).
    pub(in crate::channel) fn all(&self) -> Vec<Subchannel> {
        let all = self.begun.iter();
        all.map(|(subchannel, _)| subchannel.clone()).collect()
    }

    /// The first subchannel created since the last [`news`](Self::news).
    pub(in crate::channel) fn first_begun(&self) -> String {
        name_of(&self.wishes.begin[0].0)
    }

    /// All requests of the policy since the last time, such as
    /// `begin 1 2, connect 1 2, CONNECTING`. The order within one kind is left out.
    pub(in crate::channel) fn news(&mut self) -> String {
        let mut news = Vec::new();
        let mut tell = |what: &str, mut names: Vec<String>| {
            names.sort();
            if !names.is_empty() {
                news.push(format!("{what} {}", names.join(" ")));
            }
        };
        let begun = std::mem::take(&mut self.wishes.begin);
        let names = begun.iter().map(|(subchannel, _)| name_of(subchannel));
        tell("begin", names.collect());
        self.begun.extend(begun);
        let removed = std::mem::take(&mut self.wishes.remove);
        tell("remove", removed.iter().map(name_of).collect());
        tell("connect", self.connects());
        if std::mem::take(&mut self.wishes.resolve) {
            news.push("resolve".to_owned());
        }
        if let Some((state, picks)) = self.wishes.publish.take() {
            news.push(state.to_string());
            self.published = Some((state, picks));
        }
        news.join(", ")
    }

    /// The weights reported since the last time.
    pub(in crate::channel) fn weighed(&mut self) -> Vec<Weighed> {
        std::mem::take(&mut self.wishes.weighed)
    }

    /// The subchannels that were asked to connect, in the order of their creation.
    fn connects(&mut self) -> Vec<String> {
        let mut names = Vec::new();
        for (subchannel, asks) in &mut self.begun {
            let mut batch = Vec::new();
            let _ = asks.poll_take(&mut batch, &mut Context::from_waker(Waker::noop()));
            for ask in batch {
                assert!(matches!(ask, Ask::Connect), "{ask:?}");
                names.push(name_of(subchannel));
            }
        }
        names
    }

    /// The results of so many picks: the endpoint's name, `wait`, or the error.
    pub(in crate::channel) fn picks(&self, calls: usize) -> Vec<String> {
        let (_, picks) = self.published.as_ref().expect("something is published");
        let pick = |_| {
            let (_caller, open) = Trial::call(false, None);
            match picks.pick(&open) {
                Pick::Use(subchannel, _) => name_of(subchannel),
                Pick::Wait => "wait".to_owned(),
                Pick::Fail(status) => status.message().to_owned(),
                Pick::Drop(status) => format!("drop: {}", status.message()),
            }
        };
        (0..calls).map(pick).collect()
    }

    /// Begins a call with this metadata. Returns the endpoint's name and the ticket.
    pub(in crate::channel) fn begin(&self, metadata: Metadata) -> (String, Option<Ticket>) {
        let (_, picks) = self.published.as_ref().expect("something is published");
        let (_caller, mut open) = Trial::call(false, None);
        open.options.metadata = metadata;
        match picks.pick(&open) {
            Pick::Use(subchannel, ticket) => (name_of(subchannel), ticket),
            Pick::Wait => ("wait".to_owned(), None),
            Pick::Fail(status) => (status.message().to_owned(), None),
            Pick::Drop(status) => (format!("drop: {}", status.message()), None),
        }
    }

    /// The result of the next pick.
    pub(in crate::channel) fn pick(&self) -> String {
        self.picks(1).remove(0)
    }

    /// How long so many picks take, with the calls' ends.
    pub(in crate::channel) fn time_of(&self, calls: u32, metadata: Metadata) -> Duration {
        let (_, picks) = self.published.as_ref().expect("something is published");
        let (_caller, mut open) = Trial::call(false, None);
        open.options.metadata = metadata;
        let began = Instant::now();
        for _ in 0..calls {
            assert!(matches!(picks.pick(&open), Pick::Use(..)));
        }
        began.elapsed()
    }

    /// How many of so many calls each endpoint gets.
    pub(in crate::channel) fn shares(&self, calls: usize) -> BTreeMap<String, usize> {
        let mut shares = BTreeMap::new();
        for name in self.picks(calls) {
            *shares.entry(name).or_default() += 1;
        }
        shares
    }
}

/// Endpoints by name, separated by spaces. `-` is an endpoint without an address, and `1@a`
/// has an authority.
pub(in crate::channel) fn endpoints(names: &str) -> Vec<Endpoint> {
    let endpoint = |name: &str| {
        let (addresses, authority) = name.split_once('@').unwrap_or((name, ""));
        let endpoint = Endpoint::of(match addresses {
            "-" => Vec::new(),
            _ => addresses.split('+').map(address).collect(),
        });
        match authority {
            "" => endpoint,
            _ => endpoint.authority(authority),
        }
    };
    names.split_whitespace().map(endpoint).collect()
}

/// `10.0.0.1:1` for `1`.
pub(in crate::channel) fn address(name: &str) -> Address {
    let [high, low] = name.parse::<u16>().expect("a small number").to_be_bytes();
    SocketAddr::from(([10, 0, high, low], 1)).into()
}

pub(in crate::channel) fn names_of(addresses: &[Address]) -> String {
    let name = |address: &Address| match address {
        Address::Tcp(SocketAddr::V4(it)) => (it.ip().to_bits() & 0xffff).to_string(),
        other => other.to_string(),
    };
    addresses.iter().map(name).collect::<Vec<_>>().join("+")
}

pub(in crate::channel) fn name_of(subchannel: &Subchannel) -> String {
    names_of(subchannel.endpoint().addresses())
}

pub(in crate::channel) fn failure(text: &str) -> Status {
    Status::new(Code::Unavailable, text.to_owned())
}
