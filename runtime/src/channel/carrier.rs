//! Which runtime carries a channel's connection, and who keeps a call's time where
//! nobody may be driving that runtime. It must cost calls nothing on a runtime that
//! has threads of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, Id, RuntimeFlavor};

use super::background;
use crate::call::state::CallState;
use crate::clock;
use crate::status::{Code, Phase, Status};

/// What a connection that is driven has to be first: it knows more of the call.
const LATER: Duration = Duration::from_millis(20);

/// The runtime of the latest subchannel.
#[derive(Debug, Default)]
pub(super) struct Carrier {
    /// It has no thread of its own: it stands still while nobody is in its `block_on`.
    may_rest: AtomicBool,
    id: Mutex<Option<Id>>,
}

impl Carrier {
    /// A subchannel begins on this runtime.
    pub(super) fn set(&self, runtime: &Handle) {
        let may_rest = runtime.runtime_flavor() == RuntimeFlavor::CurrentThread;
        *self.id.lock().unwrap_or_else(PoisonError::into_inner) = Some(runtime.id());
        self.may_rest.store(may_rest, Ordering::Relaxed);
    }

    /// Ends the call at its deadline, should its connection not do it: for a caller on
    /// another runtime than the connection's, or on none.
    #[inline]
    pub(super) fn keep_time(&self, state: &Arc<CallState>, deadline: Option<Instant>) {
        if let Some(deadline) = deadline
            && self.may_rest.load(Ordering::Relaxed)
        {
            self.keep_time_elsewhere(state, deadline);
        }
    }

    #[cold]
    fn keep_time_elsewhere(&self, state: &Arc<CallState>, deadline: Instant) {
        let id = *self.id.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(runtime) = background::handle(false) else {
            return;
        };
        if id == Some(runtime.id()) {
            return;
        }
        let call = Arc::downgrade(state);
        let timer = runtime.spawn(async move {
            tokio::time::sleep_until(clock::timer(deadline)).await;
            tokio::time::sleep(LATER).await;
            if let Some(call) = call.upgrade() {
                call.give_up(expired());
            }
        });
        state.timed_by(timer.abort_handle());
    }
}

fn expired() -> Status {
    let text = "the call's deadline passed, and nobody drives the single-threaded runtime \
                that carries the channel's connection (ChannelBuilder::background_connections \
                keeps connections on a thread of their own)";
    Status::new(Code::DeadlineExceeded, text).with_phase(Phase::Call)
}
