//! The register of a server's connections, which a shutdown goes through: it tells, cuts and
//! counts them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::call_count::CallCount;
use super::connection::ServerConnection;
use crate::call::command::Command;
use crate::call::queue::QueueSender;
use crate::transport::driver::Driver;

/// The connections of a server that are open now.
#[derive(Debug)]
pub(super) struct Connections {
    open: Mutex<OpenConnections>,
    /// How many are open.
    pub(super) count: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct OpenConnections {
    next: u64,
    stage: ServingStage,
    places: HashMap<u64, OpenConnection>,
}

/// The server's stage, which decides whether a new connection is served, drained or dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum ServingStage {
    #[default]
    Serving,
    /// It is drained from the start.
    Draining,
    /// The server is gone: nothing is served any more.
    Gone,
}

/// One connection in the register.
#[derive(Debug)]
struct OpenConnection {
    queue: QueueSender<Command>,
    calls: Arc<CallCount>,
    /// Present once the task is spawned.
    task: Option<AbortHandle>,
}

impl Connections {
    pub(super) fn new() -> Self {
        Self {
            open: Mutex::default(),
            count: watch::Sender::new(0),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, OpenConnections> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_draining(&self) {
        self.lock().stage = ServingStage::Draining;
    }

    /// Sends every connection a command; returns how many there are.
    pub(super) fn tell(&self, command: impl Fn() -> Command) -> usize {
        let open = self.lock();
        for place in open.places.values() {
            let _ = place.queue.send(command());
        }
        open.places.len()
    }

    pub(super) fn abort(&self) {
        let mut open = self.lock();
        open.stage = ServingStage::Gone;
        for task in open.places.values().filter_map(|place| place.task.as_ref()) {
            task.abort();
        }
    }

    /// The calls of connections that did not even hear that they are closed: a
    /// handler blocks each of them.
    pub(super) fn stuck(&self) -> usize {
        let open = self.lock();
        let calls = open.places.values().map(|place| place.calls.stuck());
        calls.sum()
    }

    /// Runs a connection on a task of its own. A connection that was accepted after the
    /// shutdown began is drained from the start, or dropped.
    pub(super) fn run(self: &Arc<Self>, runtime: &Handle, mut driver: Driver<ServerConnection>) {
        let Some(key) = self.enter(&driver.application) else {
            return;
        };
        let registered = Registered {
            connections: Arc::clone(self),
            key,
        };
        // Spawned without the lock held: a runtime that is shutting down drops the task in
        // this call.
        let task = runtime.spawn(async move {
            let _registered = registered;
            // As its `run`, which would be one more place for the connection.
            if (&mut driver).await.has_last_words() {
                Box::pin(driver.leave()).await;
            }
        });
        let mut open = self.lock();
        if open.stage == ServingStage::Gone {
            task.abort();
        } else if let Some(place) = open.places.get_mut(&key) {
            place.task = Some(task.abort_handle());
        }
    }

    /// A connection's key in the register; `None` where it comes too late.
    fn enter(&self, connection: &ServerConnection) -> Option<u64> {
        let mut open = self.lock();
        let queue = connection.sender();
        match open.stage {
            ServingStage::Serving => {}
            ServingStage::Draining => {
                let _ = queue.send(Command::Drain);
            }
            ServingStage::Gone => return None,
        }
        open.next += 1;
        let key = open.next;
        let place = OpenConnection {
            queue,
            calls: Arc::clone(connection.call_count()),
            task: None,
        };
        open.places.insert(key, place);
        self.count.send_replace(open.places.len());
        Some(key)
    }
}

/// A connection's place in the register, given up when its task ends in
/// whatever way.
struct Registered {
    connections: Arc<Connections>,
    key: u64,
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut open = self.connections.lock();
        open.places.remove(&self.key);
        self.connections.count.send_replace(open.places.len());
    }
}
