//! Carries a call's end to the tasks that its handler spawned and to the calls made on its
//! behalf. It does not keep a call alive.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Instant;

use tokio::sync::watch;

use crate::call::state::CallState;
use crate::clock;
use crate::deadline::Deadline;
use crate::status::{Code, Phase, Status};

/// The shortest list of calls that is worth clearing.
const PRUNE_MIN: usize = 16;

/// The handler's side; the [`Ending`] is made on first use. Dropped before
/// [`answered`](Self::answered), it reports that the call was cut.
#[derive(Debug, Default)]
pub(crate) struct Over(OnceLock<Arc<Ending>>);

/// The others' end of it.
#[derive(Debug)]
pub(crate) struct Ending {
    deadline: Option<Deadline>,
    watchers: OnceLock<watch::Sender<How>>,
    calls: Mutex<DownstreamCalls>,
}

/// The calls that were made for this one.
#[derive(Debug, Default)]
struct DownstreamCalls {
    how: How,
    made: Vec<Weak<CallState>>,
    /// At this length the list is cleared of calls that are over.
    prune_at: usize,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum How {
    #[default]
    Runs,
    Answered,
    BrokenOff,
}

impl Over {
    /// For a call that has this deadline.
    pub(crate) fn ending(&self, deadline: Option<Deadline>) -> &Arc<Ending> {
        self.0.get_or_init(|| {
            Arc::new(Ending {
                deadline,
                watchers: OnceLock::new(),
                calls: Mutex::default(),
            })
        })
    }

    /// The handler is done.
    pub(crate) fn answered(&self) {
        if let Some(ending) = self.0.get() {
            ending.end(How::Answered);
        }
    }
}

impl Drop for Over {
    fn drop(&mut self) {
        if let Some(ending) = self.0.get() {
            ending.end(How::BrokenOff);
        }
    }
}

impl Ending {
    /// When the call must have ended.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline.map(Deadline::instant)
    }

    /// Waits for the end; whether the call was broken off.
    pub(crate) fn cancelled(&self) -> impl Future<Output = bool> + Send + 'static + use<> {
        let calls = self.lock();
        let watchers = self.watchers.get_or_init(|| watch::Sender::new(calls.how));
        let mut ended = watchers.subscribe();
        async move {
            let ended = ended.wait_for(|how| *how != How::Runs).await;
            ended.is_ok_and(|how| *how == How::BrokenOff)
        }
    }

    /// `state` is of a call that was made for this one: it ends where this one is
    /// broken off.
    pub(crate) fn adopt(&self, state: &Arc<CallState>) {
        let mut calls = self.lock();
        match calls.how {
            How::Answered => {}
            How::BrokenOff => {
                drop(calls);
                state.give_up(self.broken_off());
            }
            How::Runs => {
                if calls.made.len() >= calls.prune_at {
                    let is_on = |state: Arc<CallState>| !state.is_over();
                    calls.made.retain(|made| made.upgrade().is_some_and(is_on));
                    calls.prune_at = PRUNE_MIN.max(2 * calls.made.len());
                }
                calls.made.push(Arc::downgrade(state));
            }
        }
    }

    /// The first call decides; later ones do nothing.
    fn end(&self, how: How) {
        let mut calls = self.lock();
        if calls.how != How::Runs {
            return;
        }
        calls.how = how;
        let made = std::mem::take(&mut calls.made);
        if let Some(watchers) = self.watchers.get() {
            watchers.send_replace(how);
        }
        drop(calls);
        if how == How::BrokenOff {
            for state in made.iter().filter_map(Weak::upgrade) {
                state.give_up(self.broken_off());
            }
        }
    }

    /// A deadline that they share passes for both, whichever notices first.
    fn broken_off(&self) -> Status {
        let late = |deadline: Deadline| deadline.is_past(clock::now());
        let status = if self.deadline.is_some_and(late) {
            let text = "the deadline of the call that this one was made for passed";
            Status::new(Code::DeadlineExceeded, text)
        } else {
            let text = "the call that this one was made for was cancelled";
            Status::new(Code::Cancelled, text)
        };
        status.with_phase(Phase::Call)
    }

    /// Nothing can panic while the lock is held.
    fn lock(&self) -> MutexGuard<'_, DownstreamCalls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
