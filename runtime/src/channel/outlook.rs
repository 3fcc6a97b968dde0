//! What all clones of a channel read: its state, the picks for calls, and the service
//! config in force. Only the latest hub writes it.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};

use super::call::open_call::OpenCall;
use super::call::plan::{AttemptLimits, Purse};
use super::config::method_config::MethodTerms;
use super::config::retry_policy::RetryThrottling;
use super::connectivity::{Connectivity, ConnectivityState};
use super::pick::Picks;
use super::service_config::terms::{Standing, Terms};
use super::subchannel::handle::Subchannel;
use crate::method::Method;

#[derive(Debug)]
pub(super) struct Outlook {
    connectivity: Arc<Connectivity>,
    /// Read for each call, without a lock that callers share.
    picks: ArcSwap<Picks>,
    /// The first subchannel that had all calls, most often the only one. While it has them
    /// (`is_sole`), a call need not read the picks.
    sole: OnceLock<Subchannel>,
    is_sole: AtomicBool,
    terms: ArcSwapOption<Terms>,
    /// Whether there are terms: calls of a channel without any look no further.
    mark: AtomicU8,
    purse: Arc<Purse>,
    /// The number of the latest hub; locked while anything is written.
    latest: Mutex<u64>,
}

/// There are no terms.
const NONE: u8 = 0;
const SOME: u8 = 1;
/// The terms are not known yet, or they apply only once a call is complete.
const LATER: u8 = 2;

impl Outlook {
    /// Calls follow this standing until a hub sets another.
    pub(super) fn new(standing: &Standing, limits: AttemptLimits) -> Self {
        let purse = Purse::new(limits);
        purse.throttle(throttling(standing));
        Self {
            connectivity: Arc::new(Connectivity::new()),
            picks: ArcSwap::from_pointee(Picks::wait()),
            mark: AtomicU8::new(mark(standing)),
            terms: ArcSwapOption::new(standing.terms().cloned()),
            sole: OnceLock::new(),
            is_sole: AtomicBool::new(false),
            purse: Arc::new(purse),
            latest: Mutex::new(0),
        }
    }

    /// The budget that calls share for their further attempts.
    pub(super) fn purse(&self) -> &Arc<Purse> {
        &self.purse
    }

    pub(super) fn connectivity(&self) -> Arc<Connectivity> {
        Arc::clone(&self.connectivity)
    }

    pub(super) fn state(&self) -> ConnectivityState {
        self.connectivity.state()
    }

    /// Hands a call to the subchannel that is picked for it; `Err` gives it back, for the
    /// hub.
    #[inline]
    pub(super) fn open(&self, open: Box<OpenCall>) -> Result<(), Box<OpenCall>> {
        match self.sole.get() {
            // A subchannel that loses its calls at this moment gives the call back.
            Some(sole) if self.is_sole.load(Ordering::Relaxed) => sole.open(open),
            _ => self.picks.load().open(open),
        }
    }

    /// Whether terms apply to calls, or may.
    #[inline]
    pub(super) fn has_terms(&self) -> bool {
        self.mark.load(Ordering::Relaxed) != NONE
    }

    /// Passes to `say` the terms of a method's calls, if there are any; `Err` if they are
    /// not known yet.
    #[inline]
    pub(super) fn terms_of<T>(
        &self,
        method: &Method,
        say: impl FnOnce(MethodTerms<'_>) -> T,
    ) -> Result<Option<T>, Later> {
        match self.mark.load(Ordering::Acquire) {
            NONE => Ok(None),
            LATER => Err(Later),
            _ => {
                let terms = self.terms.load();
                match terms.as_ref() {
                    // The terms are newer than the mark that was read.
                    Some(terms) if terms.selects() => Err(Later),
                    terms => Ok(terms.and_then(|it| it.of(method)).map(say)),
                }
            }
        }
    }

    /// The standing that applies to calls now.
    pub(super) fn standing(&self) -> Standing {
        match (self.mark.load(Ordering::Acquire), self.terms.load_full()) {
            (_, Some(terms)) => Standing::Some(terms),
            (LATER, None) => Standing::Unknown,
            (_, None) => Standing::None,
        }
    }

    /// Sets the standing that applies from now on, if the hub of this number is the latest.
    pub(super) fn hold_to(&self, number: u64, standing: &Standing) {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if *latest == number {
            self.purse.throttle(throttling(standing));
            let last = self.terms.swap(standing.terms().cloned());
            self.mark.store(mark(standing), Ordering::Release);
            drop(latest);
            drop(last);
        }
    }

    /// The number of a new hub. Earlier hubs, which may take a while to end, can no longer
    /// write.
    pub(super) fn succeed(&self) -> u64 {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        *latest += 1;
        let number = *latest;
        let last = self.set(Picks::wait());
        drop(latest);
        drop(last);
        number
    }

    /// Sets the state and the picks, if the hub of this number is the latest.
    pub(super) fn publish(&self, number: u64, state: ConnectivityState, picks: Picks) {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if *latest == number && self.connectivity.set(state) {
            let last = self.set(picks);
            drop(latest);
            drop(last);
        }
    }

    /// Sets the final state.
    pub(super) fn shut_down(&self) {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        self.connectivity.shut_down();
        let last = self.set(Picks::wait());
        drop(latest);
        drop(last);
    }

    /// Called with the lock of `latest` held. Returns the previous picks: their picker is
    /// user code, which is dropped after the lock is released.
    fn set(&self, picks: Picks) -> Arc<Picks> {
        let sole = picks.sole();
        let is_sole = sole.is_some_and(|sole| self.sole.get_or_init(|| sole.clone()) == sole);
        self.is_sole.store(is_sole, Ordering::Relaxed);
        self.picks.swap(Arc::new(picks))
    }
}

/// The terms of a call are not known when it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Later;

fn throttling(standing: &Standing) -> Option<RetryThrottling> {
    standing.terms()?.retry_throttling()
}

fn mark(standing: &Standing) -> u8 {
    match standing {
        Standing::None => NONE,
        Standing::Some(terms) if terms.selects() => LATER,
        Standing::Some(_) => SOME,
        Standing::Unknown => LATER,
    }
}
