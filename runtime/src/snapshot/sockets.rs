//! The open connections of one owner, and the sum of the counts of closed ones. The lock is
//! taken when a connection opens or closes, and for snapshots.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::call_counts::Total;
use super::socket::{SocketRecord, SocketSnapshot};

#[derive(Debug, Default)]
pub(crate) struct Sockets(Mutex<OpenSockets>);

#[derive(Debug, Default)]
struct OpenSockets {
    open: BTreeMap<u64, SocketRecord>,
    departed: Total,
}

/// An owner of connections.
pub(crate) trait HasSockets: Send + Sync {
    fn sockets(&self) -> &Sockets;
}

impl Sockets {
    fn lock(&self) -> MutexGuard<'_, OpenSockets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connections that are open, the oldest first.
    pub(crate) fn snapshots(&self) -> Vec<SocketSnapshot> {
        // Only the records are copied under the lock.
        let records: Vec<SocketRecord> = self.lock().open.values().cloned().collect();
        records.iter().map(SocketRecord::snapshot).collect()
    }

    /// The calls of all connections, closed ones included.
    pub(crate) fn total(&self) -> Total {
        let held = self.lock();
        let mut total = held.departed;
        for socket in held.open.values() {
            total.add(&socket.total());
        }
        total
    }
}

/// A connection's entry in its owner's set, removed when this is dropped.
pub(crate) struct Socket {
    owner: Arc<dyn HasSockets>,
    id: u64,
}

impl Socket {
    pub(crate) fn enter(owner: Arc<dyn HasSockets>, record: SocketRecord) -> Self {
        let id = record.id;
        owner.sockets().lock().open.insert(id, record);
        Self { owner, id }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let mut held = self.owner.sockets().lock();
        if let Some(record) = held.open.remove(&self.id) {
            held.departed.add(&record.total().depart());
        }
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Socket").field(&self.id).finish()
    }
}
