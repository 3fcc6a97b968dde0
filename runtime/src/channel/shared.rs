//! The state that the clones of a channel share. It passes a call to a connection or, if
//! there is no pick for the call, to the hub.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;

use super::background;
use super::call::open_call::{self, Home, OpenCall};
use super::call::plan::{AttemptLimits, Purse};
use super::carrier::{self, Carrier};
use super::connectivity::ConnectivityState;
use super::hub::Hub;
use super::inbox::Ask;
use super::outlook::Outlook;
use super::record::ChannelSnapshot;
use super::resolve::source::Source;
use super::service_config::in_force::Configs;
use super::subchannel::common::Common;
use super::subchannel::identity::Identity;
use crate::call::ledger::Ledger;
use crate::call::ledger::live_attempts::AttemptReason;
use crate::call::queue::{QueueSender, queue};
use crate::clock;
use crate::credentials::CallCredentials;
use crate::framing::Compression;
use crate::limits::CallLimits;
use crate::snapshot::entries::Inspected;
use crate::status::Status;

#[derive(Debug)]
pub(super) struct ChannelShared {
    pub(super) outlook: Arc<Outlook>,
    carrier: Carrier,
    pub(super) calls: CallDefaults,
    pub(super) common: Arc<Common>,
    source: Source,
    configs: Arc<Configs>,
    in_background: bool,
    hubs: Mutex<Hubs>,
}

/// What applies to a call that does not set it.
#[derive(Debug)]
pub(super) struct CallDefaults {
    pub(super) timeout: Option<Duration>,
    pub(super) limits: CallLimits,
    pub(super) compression: Compression,
    /// Observers are told of the calls' ends.
    pub(super) is_observed: bool,
    /// The limits on further attempts.
    pub(super) attempts: AttemptLimits,
    /// The credentials of every call.
    pub(super) credentials: Option<CallCredentials>,
}

/// The queues into the channel's hubs.
#[derive(Debug, Default)]
struct Hubs {
    current: Option<QueueSender<Ask>>,
    /// A hub that was replaced by it, and ends once its calls are over.
    left: Option<QueueSender<Ask>>,
}

impl Home for ChannelShared {
    fn attempt(&self, open: Box<OpenCall>) {
        if let Err((Ask::Open(open), status)) = self.ask(Ask::Open(open)) {
            open.fail(status, clock::now());
        }
    }

    fn purse(&self) -> &Arc<Purse> {
        self.outlook.purse()
    }
}

impl Inspected<ChannelSnapshot> for ChannelShared {
    fn inspect(&self) -> ChannelSnapshot {
        self.common.record.snapshot(self.outlook.state())
    }
}

impl ChannelShared {
    pub(super) fn new(
        source: Source,
        configs: Configs,
        common: Common,
        calls: CallDefaults,
        in_background: bool,
    ) -> Self {
        Self {
            outlook: Arc::new(Outlook::new(
                &configs.at_first(source.may_know_config()),
                calls.attempts,
            )),
            carrier: Carrier::default(),
            calls,
            common: Arc::new(common),
            source,
            configs: Arc::new(configs),
            in_background,
            hubs: Mutex::default(),
        }
    }

    pub(super) fn identity(&self) -> &Arc<Identity> {
        self.common.dial.identity()
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.common.dial.is_encrypted()
    }

    /// Hands a call to the task of the connection that is picked for it.
    pub(super) fn enqueue(&self, mut open: Box<OpenCall>) {
        if !open.is_settled()
            && let Err(status) = self.settle(&mut open)
        {
            return open.fail(status, clock::now());
        }
        // The hub applies the service config to calls that arrive before it is known.
        let open = if open.is_settled() && self.carrier.is_driven() {
            match self.outlook.open(open) {
                Ok(()) => return,
                Err(open) => open,
            }
        } else {
            open
        };
        if let Err((ask, status)) = self.ask(Ask::Open(open))
            && let Ask::Open(open) = ask
        {
            open.fail(status, clock::now());
        }
    }

    /// Applies the service config and the selector to a call whose request is complete.
    #[cold]
    fn settle(&self, open: &mut OpenCall) -> Result<(), Status> {
        self.outlook.standing().settle(open, clock::now())
    }

    /// Begins a call and defers its hedges. A call that `is_prepared` may have waited for
    /// its interceptors and credentials.
    #[inline]
    pub(super) fn begin(&self, open: Box<OpenCall>, is_prepared: bool) {
        if open.state.ledger().is_some() || open.is_hedged() {
            self.begin_first(&open, is_prepared);
        }
        self.enqueue(open);
    }

    #[cold]
    fn begin_first(&self, open: &OpenCall, is_prepared: bool) {
        // Reading the clock is the most expensive step here, so it is avoided.
        let began = open.state.ledger().filter(|_| !is_prepared);
        let now = began.map_or_else(clock::now, Ledger::began);
        open.tell_begun(AttemptReason::First, now);
        if open.is_hedged()
            && let Some(hedge) = open.hedge(now)
        {
            self.attempt(hedge);
        }
    }

    /// Whether the channel's runtime runs, so that the channel's state is up to date.
    pub(super) fn is_driven(&self) -> bool {
        self.carrier.is_driven()
    }

    pub(super) fn connect(&self) -> Result<(), Status> {
        self.ask(Ask::Connect).map_err(|(_, status)| status)
    }

    pub(super) fn close(&self) {
        self.outlook.shut_down();
        let hubs = self.hubs();
        for hub in hubs.current.iter().chain(&hubs.left) {
            // A hub whose runtime has shut down has no calls left.
            let _ = hub.send(Ask::Close);
        }
    }

    /// No code that can panic runs while this lock is held.
    fn hubs(&self) -> MutexGuard<'_, Hubs> {
        self.hubs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends `ask` to the hub. The hub starts with the first call, and again if this caller
    /// cannot rely on the present one: its runtime has shut down, or runs only in another
    /// thread's `block_on`.
    fn ask(&self, ask: Ask) -> Result<(), (Ask, Status)> {
        let mut hubs = self.hubs();
        if self.outlook.state() == ConnectivityState::Shutdown {
            return Err((ask, open_call::closed()));
        }
        let mut ask = ask;
        let mut has_moved = false;
        if let Some(current) = hubs.current.take() {
            if self.carrier.is_driven() {
                match current.send(ask) {
                    Ok(()) => {
                        hubs.current = Some(current);
                        return Ok(());
                    }
                    Err(back) => ask = back,
                }
            } else {
                // An error means that it has already ended.
                let _ = current.send(Ask::Retire);
                hubs.left = Some(current);
            }
            has_moved = true;
        }
        let runtime = match self.runtime(has_moved) {
            Ok(runtime) => runtime,
            Err(status) => return Err((ask, status)),
        };
        let (sender, receiver) = queue();
        let hub = Hub::new(
            self.source.clone(),
            Arc::clone(&self.configs),
            Arc::clone(&self.common),
            Arc::clone(&self.outlook),
            receiver,
        );
        // The receiver exists, so this cannot fail.
        let _ = sender.send(ask);
        runtime.spawn(hub.run());
        self.carrier.set(&runtime);
        hubs.current = Some(sender);
        Ok(())
    }

    /// The runtime for the hub and its connections. A hub that had to move does not depend
    /// on a caller's `block_on` again.
    fn runtime(&self, has_moved: bool) -> Result<Handle, Status> {
        let runtime = background::handle(self.in_background)?;
        if has_moved && carrier::rests(&runtime) {
            return background::handle(true);
        }
        Ok(runtime)
    }
}
