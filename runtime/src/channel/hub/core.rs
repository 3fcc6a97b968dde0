//! The state and decisions of a channel: the resolver's result, the policy, the
//! subchannels, and the calls without a pick. Sans-IO: events and the time go in;
//! subchannels to start and what to publish come out.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Instant;

use crate::call::queue::QueueReceiver;
use crate::chance::Chance;
use crate::channel::balance::control::{Control, Weighed, Wishes};
use crate::channel::balance::policy::Resolved;
use crate::channel::balance::switch::Switch;
use crate::channel::call::open_call::{OpenCall, closed};
use crate::channel::connectivity::ConnectivityState;
use crate::channel::inbox::{Ask, Inbox};
use crate::channel::pick::{Pick, PickArgs, Picker, Picks, as_picked};
use crate::channel::resolve::resolution::Resolution;
use crate::channel::selector::ConfigSelector;
use crate::channel::service_config::content::ServiceConfig;
use crate::channel::service_config::in_force::InForce;
use crate::channel::service_config::terms::Standing;
use crate::channel::subchannel::handle::Subchannel;
use crate::channel::subchannel::report::{Report, SubchannelState};
use crate::channel::subchannel::unopened::connecting;
use crate::channel::waiting_calls::Routed;
use crate::channel::watched::Watched;
use crate::status::{Code, Phase, Status};

/// The best result of the resolver so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Nothing,
    Failure,
    Endpoints,
}

/// The core of one channel.
pub(super) struct Core {
    inbox: Inbox,
    policy: Switch,
    config: InForce,
    /// What applies to calls, if it differs from what the outlook has.
    standing: Option<Standing>,
    /// The policy's subchannels, by number.
    members: HashMap<u64, HubMember>,
    picks: Picks,
    /// The last call for which these picks were asked.
    routed: Option<u64>,
    /// Why the last pick failed, for calls that keep waiting.
    failure: Option<Status>,
    heard: Heard,
    /// The subchannels were told that no more calls come.
    is_retired: bool,
    /// The task of a subchannel panicked: this hub cannot continue.
    is_broken: bool,
    /// Members that became idle after that, of which the policy is not told: it would
    /// connect them although no call needs it.
    resting: Vec<u64>,
    wishes: Wishes,
    chance: Chance,
    target: Arc<str>,
}

#[derive(Debug)]
struct HubMember {
    subchannel: Subchannel,
    state: SubchannelState,
    watched: Watched,
    /// The calls it was given since it was told that none come from outside.
    routed: u64,
    is_done: bool,
}

impl HubMember {
    /// Applies the config in force to every endpoint. Health is not watched if there is no
    /// other endpoint to use (A17, A61).
    fn hold_to(&mut self, config: &InForce) {
        let terms = config.standing().terms();
        let health = terms.and_then(|terms| terms.health_check_service());
        self.watch(Watched {
            health: health.filter(|_| !self.subchannel.is_sole()),
            connections: terms.map_or(1, |terms| terms.connections()),
            ..self.watched.clone()
        });
    }

    fn watch(&mut self, watched: Watched) {
        if self.watched != watched {
            self.watched = watched;
            let watched = Box::new(self.watched.clone());
            self.subchannel.ask(Ask::Watch(watched));
        }
    }
}

/// What the hub does for the core.
#[derive(Debug, Default)]
pub(super) struct Effects {
    pub(super) begin: Vec<(Subchannel, QueueReceiver<Ask>)>,
    pub(super) publish: Option<(ConnectivityState, Picks)>,
    /// What to report to observers.
    pub(super) weighed: Vec<Weighed>,
    /// Resolve the target again.
    pub(super) resolve: bool,
    /// What applies to calls from now on.
    pub(super) standing: Option<Standing>,
}

impl Core {
    pub(super) fn new(inbox: Inbox, target: Arc<str>, config: InForce) -> Self {
        Self {
            inbox,
            policy: Switch::over(),
            config,
            standing: None,
            members: HashMap::new(),
            picks: Picks::wait(),
            routed: None,
            failure: None,
            heard: Heard::Nothing,
            is_retired: false,
            is_broken: false,
            resting: Vec::new(),
            wishes: Wishes::default(),
            chance: Chance::default(),
            target,
        }
    }

    /// Starts the policy; the resolver may name another one later.
    pub(super) fn begin(&mut self) {
        let balance = self.config.balance();
        match catch_unwind(AssertUnwindSafe(|| Switch::new(balance))) {
            Ok(policy) => self.policy = policy,
            Err(_) => self.wishes.publish = Some(broken()),
        }
    }

    // --- what happens --------------------------------------------------------------

    /// Takes in the requests of the channel's users; `true` if there were any.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        self.inbox.poll(cx)
    }

    /// Registers the hub's task to be woken when a call ends while it waits here.
    pub(super) fn settle(&mut self, waker: &Waker) {
        if self.inbox.is_left() {
            self.inbox.waiting.forget_ended();
        }
        self.inbox.waiting.settle(waker);
    }

    /// The program has asked for a connection, and the policy knows endpoints.
    pub(super) fn take_wanted(&mut self) -> bool {
        self.is_resolved() && std::mem::take(&mut self.inbox.is_wanted)
    }

    pub(super) fn connect(&mut self, now: Instant) {
        self.tell(now, Switch::connect);
    }

    /// Takes in a result of the resolver, and returns the policy's verdict on it.
    pub(super) fn resolved(&mut self, resolution: Resolution, now: Instant) -> Result<(), Status> {
        let mut verdict = Ok(());
        match resolution.endpoints {
            Ok(endpoints) => {
                if std::mem::replace(&mut self.heard, Heard::Endpoints) != Heard::Endpoints {
                    self.inbox.waiting.name_resolved(now);
                }
                let heard = self.hear(resolution.service_config, resolution.config_selector);
                if self.config.standing().is_known() {
                    let balance = self.config.balance();
                    let resolved = Resolved::new(endpoints, resolution.attributes);
                    self.tell(now, |policy, control| {
                        verdict = policy.update(&balance, resolved, control);
                    });
                } else if let Err(status) = &heard {
                    // It is not known how to use these servers.
                    self.inbox.is_wanted = false;
                    let picks = Picks::fail(status.clone());
                    self.wishes.publish = Some((ConnectivityState::TransientFailure, picks));
                }
                verdict = verdict.and(heard);
            }
            Err(status) => {
                if self.heard == Heard::Nothing {
                    self.heard = Heard::Failure;
                }
                let status = as_picked(status);
                verdict = Err(status.clone());
                // The program's request for a connection has had its attempt.
                self.inbox.is_wanted = false;
                self.tell(now, |policy, control| {
                    policy.resolution_failed(status, control);
                });
            }
        }
        verdict
    }

    /// Takes in the resolver's service config and config selector.
    fn hear(
        &mut self,
        word: Option<Result<ServiceConfig, Status>>,
        selector: Option<Arc<dyn ConfigSelector>>,
    ) -> Result<(), Status> {
        let before = self.config.standing().clone();
        self.config.hear(word, selector).map_err(as_picked)?;
        let standing = self.config.standing();
        if !standing.is_same(&before) {
            self.standing = Some(standing.clone());
            for member in self.members.values_mut() {
                member.hold_to(&self.config);
            }
            // Calls that waited for the config are routed again.
            self.routed = None;
        }
        Ok(())
    }

    /// Takes in a subchannel's report.
    pub(super) fn report(&mut self, report: Report, now: Instant) {
        match report {
            Report::State(number, state) => {
                let Some(member) = self.members.get_mut(&number) else {
                    return;
                };
                member.is_done = false;
                member.state = state.clone();
                let is_needless = self.is_retired && self.inbox.waiting.is_empty();
                if is_needless && matches!(state, SubchannelState::Idle) {
                    return self.resting.push(number);
                }
                self.changed(number, state, now);
            }
            Report::Load(number, report) => {
                if let Some(member) = self.members.get(&number) {
                    let subchannel = member.subchannel.clone();
                    self.tell(now, |policy, control| {
                        policy.load_reported(&subchannel, &report, control);
                    });
                }
            }
            Report::Back(open) => self.inbox.waiting.push(open),
            Report::Done(number, taken) => {
                if let Some(member) = self.members.get_mut(&number) {
                    // It may not have received the last of its calls yet.
                    member.is_done = taken >= member.routed;
                }
            }
            Report::Broken => self.is_broken = true,
        }
    }

    fn changed(&mut self, number: u64, state: SubchannelState, now: Instant) {
        let Some(member) = self.members.get(&number) else {
            return;
        };
        let subchannel = member.subchannel.clone();
        self.tell(now, |policy, control| {
            policy.changed(&subchannel, state, control);
        });
    }

    /// A call came back, so the policy must be told which members are idle.
    fn wake_resting(&mut self, now: Instant) {
        for number in std::mem::take(&mut self.resting) {
            let member = self.members.get(&number);
            if member.is_some_and(|it| matches!(it.state, SubchannelState::Idle)) {
                self.changed(number, SubchannelState::Idle, now);
            }
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let due = [
            self.inbox.waiting.next_timeout(),
            self.wishes.next_timeout(),
        ];
        due.into_iter().flatten().min()
    }

    pub(super) fn on_timeout(&mut self, now: Instant) {
        let (target, failure) = (&self.target, &self.failure);
        let waiting = &mut self.inbox.waiting;
        waiting.expire(now, || connecting(target, failure.as_ref()));
        if self.wishes.take_due(now) {
            self.tell(now, Switch::timer);
        }
    }

    // --- what is to be done ---------------------------------------------------------

    /// Carries out the policy's requests, and routes the calls that wait.
    pub(super) fn settle_calls(&mut self, now: Instant) -> Effects {
        if !self.inbox.waiting.is_empty() {
            self.wake_resting(now);
        }
        if std::mem::take(&mut self.wishes.has_news) {
            self.tell(now, Switch::settled);
            self.wishes.has_news = false;
        }
        let wishes = &mut self.wishes;
        let effects = Effects {
            begin: std::mem::take(&mut wishes.begin),
            publish: wishes.publish.take(),
            weighed: std::mem::take(&mut wishes.weighed),
            resolve: std::mem::take(&mut wishes.resolve),
            standing: self.standing.take(),
        };
        for (subchannel, _) in &effects.begin {
            if self.is_retired {
                subchannel.ask(Ask::Retire);
            }
            let mut member = HubMember {
                subchannel: subchannel.clone(),
                state: SubchannelState::Idle,
                watched: Watched::default(),
                routed: 0,
                is_done: false,
            };
            member.hold_to(&self.config);
            self.members.insert(subchannel.number(), member);
        }
        for (number, interval) in std::mem::take(&mut self.wishes.loads) {
            if let Some(member) = self.members.get_mut(&number) {
                member.watch(Watched {
                    load: interval,
                    ..member.watched.clone()
                });
            }
        }
        for subchannel in std::mem::take(&mut self.wishes.remove) {
            self.members.remove(&subchannel.number());
            subchannel.ask(Ask::Remove);
        }
        if let Some((_, picks)) = &effects.publish {
            self.picks = picks.clone();
            self.routed = None;
        }
        self.route(now);
        if self.inbox.is_left() && !self.is_retired {
            self.is_retired = true;
            for member in self.members.values() {
                member.subchannel.ask(Ask::Retire);
            }
        }
        effects
    }

    fn route(&mut self, now: Instant) {
        let Self {
            inbox,
            picks,
            members,
            config,
            failure,
            is_retired,
            ..
        } = self;
        // A subchannel without a connection would give the call back.
        let mut takes = |subchannel: &Subchannel| {
            let Some(member) = members.get_mut(&subchannel.number()) else {
                return false;
            };
            let takes = match member.state {
                SubchannelState::Ready(_) => true,
                SubchannelState::Idle | SubchannelState::Connecting => subchannel.is_sole(),
                SubchannelState::TransientFailure(_) => false,
            };
            member.is_done &= !takes;
            member.routed += u64::from(takes && *is_retired);
            takes
        };
        self.routed = inbox.waiting.route(self.routed, |mut open| {
            if let Err(status) = config.standing().settle(&mut open, now) {
                open.fail(status, now);
                return Routed::Gone;
            }
            match pick(picks, &open) {
                Pick::Use(subchannel, ticket) if takes(subchannel) => {
                    open.goes_to(subchannel.number(), ticket);
                    match subchannel.open(open) {
                        Ok(()) => Routed::Gone,
                        Err(mut open) => {
                            open.attempt.end(Code::Unavailable, None);
                            Routed::Stays(open)
                        }
                    }
                }
                Pick::Use(..) | Pick::Wait => Routed::Stays(open),
                Pick::Fail(status) => {
                    let status = as_picked(status);
                    if open.options.wait_for_ready {
                        *failure = Some(status);
                        return Routed::Stays(open);
                    }
                    open.fail_attempt(status, None, now);
                    Routed::Gone
                }
                Pick::Drop(status) => {
                    open.fail(as_picked(status), now);
                    Routed::Gone
                }
            }
        });
    }

    pub(super) fn is_closing(&self) -> bool {
        self.inbox.is_closing()
    }

    /// The channel's handles were dropped and no call needs it.
    pub(super) fn is_over(&self) -> bool {
        self.inbox.is_left()
            && self.inbox.waiting.is_empty()
            && self.members.values().all(|member| member.is_done)
    }

    /// Whether the policy has a result of the resolver.
    pub(super) fn is_resolved(&self) -> bool {
        self.heard != Heard::Nothing
    }

    pub(super) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Ends every call that still waits or came back too late.
    pub(super) fn give_up(&mut self, now: Instant) {
        let status = if self.is_broken {
            panicked("the task of a connection panicked, which is a fault of grpc-runtime")
        } else {
            let text = "the call lost its connection, and the channel is gone that could make \
                        another";
            Status::new(Code::Unavailable, text).with_phase(Phase::Wait)
        };
        self.inbox.finish();
        self.inbox.waiting.fail(&status, now);
    }

    /// Lets every subchannel end once its calls are over: user code may still hold handles.
    pub(super) fn dismiss(&self) {
        for member in self.members.values() {
            member.subchannel.ask(Ask::Remove);
        }
    }

    /// Ends every call and every subchannel.
    pub(super) fn close(&mut self, now: Instant) {
        for member in self.members.values() {
            member.subchannel.ask(Ask::Close);
        }
        self.inbox.finish();
        self.inbox.waiting.fail(&closed(), now);
    }

    /// Lets the policy handle an event. If it panics, the policy ends: calls fail from then
    /// on.
    fn tell(&mut self, now: Instant, event: impl FnOnce(&mut Switch, &mut Control<'_>)) {
        self.wishes.has_news = true;
        let policy = &mut self.policy;
        let mut control = Control::new(&mut self.wishes, &self.chance, now);
        let told = catch_unwind(AssertUnwindSafe(|| event(policy, &mut control)));
        if told.is_err() {
            self.wishes.publish = Some(broken());
            let policy = std::mem::replace(&mut self.policy, Switch::over());
            let _ = catch_unwind(AssertUnwindSafe(|| drop(policy)));
        }
    }
}

/// State and picks after a policy has panicked. Calls that wait for readiness fail too,
/// since they would wait for ever.
fn broken() -> (ConnectivityState, Picks) {
    (ConnectivityState::TransientFailure, Picks::by(Broken))
}

/// Replaces the picker of a policy that panicked.
struct Broken;

impl Picker for Broken {
    fn pick(&self, _args: &PickArgs<'_>) -> Pick<'_> {
        Pick::Drop(panicked("the channel's policy panicked"))
    }
}

/// A picker that panics fails the call that it was asked for.
fn pick<'a>(picks: &'a Picks, open: &OpenCall) -> Pick<'a> {
    let picked = catch_unwind(AssertUnwindSafe(|| picks.pick(open)));
    picked.unwrap_or_else(|_| Pick::Drop(panicked("the channel's picker panicked")))
}

fn panicked(text: &'static str) -> Status {
    Status::new(Code::Internal, text).with_phase(Phase::Call)
}

#[cfg(test)]
mod tests;
