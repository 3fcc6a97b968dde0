//! What all clones of a channel see of it: its state, and where calls go. The latest
//! hub alone writes it.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::call::open::Open;
use super::connectivity::{Connectivity, ConnectivityState};
use super::pick::Picks;

#[derive(Debug)]
pub(super) struct Outlook {
    connectivity: Arc<Connectivity>,
    /// Read for each call, without a lock that callers would share.
    picks: ArcSwap<Picks>,
    /// The number of the latest hub; held while anything is written.
    latest: Mutex<u64>,
}

impl Outlook {
    pub(super) fn new() -> Self {
        Self {
            connectivity: Arc::new(Connectivity::new()),
            picks: ArcSwap::from_pointee(Picks::wait()),
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
        self.picks.load().open(open)
    }

    /// The number of a hub that begins. Nobody listens to those before it any more,
    /// which may take their time to end.
    pub(super) fn succeed(&self) -> u64 {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        *latest += 1;
        self.picks.store(Arc::new(Picks::wait()));
        *latest
    }

    /// What the hub of this number says is so, if it is the latest.
    pub(super) fn publish(&self, number: u64, state: ConnectivityState, picks: Picks) {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if *latest == number && self.connectivity.set(state) {
            self.picks.store(Arc::new(picks));
        }
    }

    /// Nothing follows on this.
    pub(super) fn shut_down(&self) {
        let _latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        self.connectivity.shut_down();
        self.picks.store(Arc::new(Picks::wait()));
    }
}
