//! A core with its surroundings: users, subchannels, and a policy that the test scripts.

use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Instant;

use super::super::Core;
use crate::call::queue::{QueueReceiver, QueueSender, queue};
use crate::channel::address::Endpoint;
use crate::channel::balance::bench::{address, endpoints, failure, name_of, names_of};
use crate::channel::balance::control::Control;
use crate::channel::balance::policy::{Balance, Policy, Resolved};
use crate::channel::call::open_call::OpenCall;
use crate::channel::call::trial::Trial;
use crate::channel::connectivity::ConnectivityState;
use crate::channel::inbox::{Ask, Inbox};
use crate::channel::pick::Picks;
use crate::channel::service_config::in_force::{Configs, InForce};
use crate::channel::service_config::terms::Standing;
use crate::channel::subchannel::handle::Subchannel;
use crate::channel::subchannel::report::{Report, SubchannelState};
use crate::channel::watched::Watched;
use crate::status::{Code, Status};

pub(super) type Act = Box<dyn FnOnce(&mut Control<'_>) + Send>;

/// Shared by the test and the policy.
#[derive(Clone, Default)]
pub(super) struct Script {
    /// What the policy does at its next event.
    pub(super) act: Arc<Mutex<Option<Act>>>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Script {
    fn hear(&self, what: String, control: &mut Control<'_>) {
        self.heard.lock().unwrap().push(what);
        let act = self.act.lock().unwrap().take();
        if let Some(act) = act {
            act(control);
        }
    }
}

impl Balance for Script {
    fn name(&self) -> &'static str {
        "script"
    }

    fn policy(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

impl Policy for Script {
    fn update(&mut self, resolved: Resolved, control: &mut Control<'_>) -> Result<(), Status> {
        let addresses = resolved.endpoints.iter().flat_map(Endpoint::addresses);
        let addresses: Vec<_> = addresses.cloned().collect();
        self.hear(format!("list {}", names_of(&addresses)), control);
        if addresses.is_empty() {
            return Err(failure("of no use"));
        }
        Ok(())
    }

    fn resolution_failed(&mut self, status: Status, control: &mut Control<'_>) {
        self.hear(format!("no list: {}", status.code()), control);
    }

    fn changed(
        &mut self,
        subchannel: &Subchannel,
        state: SubchannelState,
        control: &mut Control<'_>,
    ) {
        let state = match state {
            SubchannelState::Idle => "idle",
            SubchannelState::Connecting => "connecting",
            SubchannelState::Ready(_) => "ready",
            SubchannelState::TransientFailure(_) => "failed",
        };
        self.hear(format!("{} {state}", name_of(subchannel)), control);
    }

    fn timer(&mut self, control: &mut Control<'_>) {
        self.hear("timer".to_owned(), control);
    }

    fn connect(&mut self, control: &mut Control<'_>) {
        self.hear("connect".to_owned(), control);
    }
}

/// A core with its surroundings.
pub(super) struct Around {
    pub(super) core: Core,
    pub(super) script: Script,
    pub(super) now: Instant,
    /// The queue of the channel's users; `None` once they were dropped.
    pub(super) users: Option<QueueSender<Ask>>,
    pub(super) subchannels: Vec<(Subchannel, QueueReceiver<Ask>)>,
    pub(super) published: Vec<ConnectivityState>,
    pub(super) resolves: usize,
    /// What applies to calls, as the core last published it.
    pub(super) standing: Standing,
}

impl Around {
    pub(super) fn new() -> Self {
        Self::said(nothing_said(), false)
    }

    /// A core whose builder has these configs; `asks_resolver` says whether its resolver
    /// may provide one.
    pub(super) fn said(said: Configs, asks_resolver: bool) -> Self {
        let (users, asks) = queue();
        let script = Script::default();
        let configs = Configs {
            balance: Arc::new(script.clone()),
            ..said
        };
        let standing = configs.at_first(asks_resolver);
        let in_force = InForce::new(Arc::new(configs), standing);
        let mut core = Core::new(Inbox::new(asks), "the.target".into(), in_force);
        core.begin();
        Self {
            core,
            script,
            now: Instant::now(),
            users: Some(users),
            subchannels: Vec::new(),
            published: Vec::new(),
            resolves: 0,
            standing: Standing::Unknown,
        }
    }

    /// A core with an idle subchannel to each of these endpoints.
    pub(super) fn with(names: &str) -> Self {
        let mut around = Self::new();
        let endpoints = endpoints(names);
        around.act(move |control| {
            for endpoint in endpoints {
                control.subchannel(endpoint);
            }
        });
        around
    }

    /// One turn of the hub.
    pub(super) fn turn(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        self.core.poll(&mut cx);
        let effects = self.core.settle_calls(self.now);
        self.subchannels.extend(effects.begin);
        self.published
            .extend(effects.publish.map(|(state, _)| state));
        self.resolves += usize::from(effects.resolve);
        if let Some(standing) = effects.standing {
            self.standing = standing;
        }
        self.core.settle(cx.waker());
    }

    pub(super) fn act(&mut self, act: impl FnOnce(&mut Control<'_>) + Send + 'static) {
        *self.script.act.lock().unwrap() = Some(Box::new(act));
        self.core.connect(self.now);
        self.turn();
    }

    pub(super) fn publish(&mut self, picks: Picks) {
        self.act(move |control| control.publish(ConnectivityState::Ready, picks));
    }

    pub(super) fn subchannel(&self, name: &str) -> Subchannel {
        let mut all = self.subchannels.iter().map(|(subchannel, _)| subchannel);
        all.find(|it| name_of(it) == name).unwrap().clone()
    }

    pub(super) fn report(&mut self, report: Report) {
        self.core.report(report, self.now);
        self.turn();
    }

    pub(super) fn says(&mut self, name: &str, state: SubchannelState) {
        self.report(Report::State(self.subchannel(name).number(), state));
    }

    pub(super) fn ready(&mut self, name: &str) {
        self.says(name, SubchannelState::Ready(address("1")));
    }

    pub(super) fn done(&mut self, name: &str) {
        let routed = self.core.members[&self.subchannel(name).number()].routed;
        self.done_after(name, routed);
    }

    /// The subchannel reports that it is done, after `calls` calls.
    pub(super) fn done_after(&mut self, name: &str, calls: u64) {
        self.report(Report::Done(self.subchannel(name).number(), calls));
    }

    pub(super) fn call(&mut self, wait_for_ready: bool) -> Trial {
        self.call_until(wait_for_ready, None)
    }

    pub(super) fn call_until(&mut self, wait_for_ready: bool, deadline: Option<Instant>) -> Trial {
        let (trial, open) = Trial::call(wait_for_ready, deadline);
        let users = self.users.as_ref().unwrap();
        assert!(users.send(Ask::Open(open)).is_ok());
        self.turn();
        trial
    }

    pub(super) fn leave(&mut self) {
        self.users = None;
        self.turn();
    }

    /// The requests to a subchannel since the last time, and the calls among them.
    #[expect(clippy::vec_box, reason = "they go on as they are")]
    pub(super) fn asked(&mut self, name: &str) -> (String, Vec<Box<OpenCall>>) {
        let mut all = self.subchannels.iter_mut();
        let (_, asks) = all.find(|(it, _)| name_of(it) == name).unwrap();
        let (mut batch, mut texts, mut calls) = (Vec::new(), Vec::new(), Vec::new());
        let _ = asks.poll_take(&mut batch, &mut Context::from_waker(Waker::noop()));
        for ask in batch {
            texts.push(match ask {
                Ask::Open(open) => {
                    calls.push(open);
                    "open".to_owned()
                }
                Ask::Connect => "connect".to_owned(),
                Ask::Watch(watched) => {
                    let Watched {
                        health,
                        load,
                        connections,
                    } = *watched;
                    format!("watch({health:?} {load:?} {connections})")
                }
                Ask::Retire => "retire".to_owned(),
                Ask::Remove => "remove".to_owned(),
                Ask::Close => "close".to_owned(),
            });
        }
        (texts.join(" "), calls)
    }

    pub(super) fn heard(&self) -> String {
        let heard = std::mem::take(&mut *self.script.heard.lock().unwrap());
        let heard = heard.iter().filter(|what| *what != "connect");
        heard.cloned().collect::<Vec<_>>().join(", ")
    }
}

/// A builder without configs.
pub(super) fn nothing_said() -> Configs {
    Configs {
        own: None,
        default: None,
        balance: Arc::new(Script::default()),
        repeats: None,
    }
}

pub(super) fn code(trial: &Trial) -> Option<Code> {
    trial.failure().map(|status| status.code())
}
