//! What all clones of a channel see of it: its state, and where calls go. The latest
//! hub alone writes it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;

use super::call::open::Open;
use super::connectivity::{Connectivity, ConnectivityState};
use super::pick::Picks;
use super::subchannel::handle::Subchannel;

#[derive(Debug)]
pub(super) struct Outlook {
    connectivity: Arc<Connectivity>,
    /// Read for each call, without a lock that callers would share.
    picks: ArcSwap<Picks>,
    /// The first subchannel that had all calls, which as a rule is the only one: while
    /// it has them (`is_sole`), a call need not look at the picks.
    sole: OnceLock<Subchannel>,
    is_sole: AtomicBool,
    /// The number of the latest hub; held while anything is written.
    latest: Mutex<u64>,
}

impl Outlook {
    pub(super) fn new() -> Self {
        Self {
            connectivity: Arc::new(Connectivity::new()),
            picks: ArcSwap::from_pointee(Picks::wait()),
            sole: OnceLock::new(),
            is_sole: AtomicBool::new(false),
            latest: Mutex::new(0),
        }
    }

    pub(super) fn connectivity(&self) -> Arc<Connectivity> {
        Arc::clone(&self.connectivity)
    }

    pub(super) fn state(&self) -> ConnectivityState {
        self.connectivity.state()
    }

    /// Hands a call to the subchannel that is picked for it; `Err` gives it back for
    /// the hub.
    #[inline]
    pub(super) fn open(&self, open: Box<Open>) -> Result<(), Box<Open>> {
        match self.sole.get() {
            // One that gives them up this moment gives the call back.
            Some(sole) if self.is_sole.load(Ordering::Relaxed) => sole.open(open),
            _ => self.picks.load().open(open),
        }
    }

    /// The number of a hub that begins. Nobody listens to those before it any more,
    /// which may take their time to end.
    pub(super) fn succeed(&self) -> u64 {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        *latest += 1;
        let number = *latest;
        let last = self.set(Picks::wait());
        drop(latest);
        drop(last);
        number
    }

    /// What the hub of this number says is so, if it is the latest.
    pub(super) fn publish(&self, number: u64, state: ConnectivityState, picks: Picks) {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if *latest == number && self.connectivity.set(state) {
            let last = self.set(picks);
            drop(latest);
            drop(last);
        }
    }

    /// Nothing follows on this.
    pub(super) fn shut_down(&self) {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        self.connectivity.shut_down();
        let last = self.set(Picks::wait());
        drop(latest);
        drop(last);
    }

    /// Under the lock of `latest`. Gives what there was, whose picker is a user's: it is
    /// dropped without the lock.
    fn set(&self, picks: Picks) -> Arc<Picks> {
        let sole = picks.sole();
        let is_sole = sole.is_some_and(|sole| self.sole.get_or_init(|| sole.clone()) == sole);
        self.is_sole.store(is_sole, Ordering::Relaxed);
        self.picks.swap(Arc::new(picks))
    }
}
