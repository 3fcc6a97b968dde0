//! Counts for the report of a shutdown: by method the calls that ended within the grace and
//! those that were cut, and the handlers that were stopped. Counting starts with the grace.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::method::Method;

/// The calls of one method during a shutdown: an entry of
/// [`ShutdownReport::methods`](crate::ShutdownReport::methods).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MethodReport {
    /// The method; [`Method::UNKNOWN`] for all that the server does not have, of which it
    /// knows where it has interceptors.
    pub method: Method,
    /// Calls that came to their ends during the grace: answered in whatever way, given up by
    /// their callers, or out of time.
    pub calls_finished: usize,
    /// Calls that were cut when the grace was over.
    pub calls_cut: usize,
}

/// One for all connections of a server.
#[derive(Debug, Default)]
pub(crate) struct Farewell(Mutex<FoundCalls>);

#[derive(Debug, Default)]
struct FoundCalls {
    methods: BTreeMap<&'static str, MethodReport>,
    stopped: Vec<JoinHandle<()>>,
}

impl FoundCalls {
    fn method(&mut self, method: Method) -> &mut MethodReport {
        let entry = self.methods.entry(method.path());
        entry.or_insert(MethodReport {
            method,
            calls_finished: 0,
            calls_cut: 0,
        })
    }
}

impl Farewell {
    pub(super) fn finished(&self, method: Method) {
        self.lock().method(method).calls_finished += 1;
    }

    pub(super) fn cut(&self, method: Method) {
        self.lock().method(method).calls_cut += 1;
    }

    /// Records a handler's task that was aborted.
    pub(super) fn stopped(&self, handler: JoinHandle<()>) {
        self.lock().stopped.push(handler);
    }

    /// The counts, ordered by the methods' paths.
    pub(super) fn methods(&self) -> Vec<MethodReport> {
        self.lock().methods.values().copied().collect()
    }

    /// Waits until the handlers that were stopped are gone, their futures dropped; returns
    /// how many are not by `end`.
    pub(super) async fn handlers_left(&self, end: Instant) -> usize {
        let mut stopped = std::mem::take(&mut self.lock().stopped);
        let gone = async {
            for handler in &mut stopped {
                // Whether it was stopped or had just ended is all the same.
                let _ = handler.await;
            }
        };
        let _ = timeout_at(end, gone).await;
        let left = stopped.iter().filter(|handler| !handler.is_finished());
        left.count()
    }

    /// Nothing can panic while the lock is held.
    fn lock(&self) -> MutexGuard<'_, FoundCalls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
