//! A server's record of itself for channelz and observers, and the snapshots made of it.

use std::sync::OnceLock;
use std::time::SystemTime;

use crate::clock;
use crate::snapshot::call_counts::CallCounts;
use crate::snapshot::entity;
use crate::snapshot::socket::SocketSnapshot;
use crate::snapshot::sockets::Sockets;

/// Of one server.
#[derive(Debug)]
pub(crate) struct ServerRecord {
    id: u64,
    began: SystemTime,
    listeners: OnceLock<Vec<ListenerSnapshot>>,
    pub(super) sockets: Sockets,
}

impl ServerRecord {
    pub(super) fn new() -> Self {
        Self {
            id: entity::next_id(),
            began: clock::wall(),
            listeners: OnceLock::new(),
            sockets: Sockets::default(),
        }
    }

    /// It listens there.
    pub(super) fn listens(&self, addresses: &[String]) {
        let listeners = addresses.iter().map(|address| ListenerSnapshot {
            id: entity::next_id(),
            address: address.clone(),
        });
        // Nobody else says so.
        let _ = self.listeners.set(listeners.collect());
    }

    pub(super) fn snapshot(&self) -> ServerSnapshot {
        ServerSnapshot {
            id: self.id,
            began: self.began,
            listeners: self.listeners.get().cloned().unwrap_or_default(),
            calls: self.sockets.total().counts(),
            sockets: self.sockets.snapshots(),
        }
    }
}

/// A server at one moment, as gRPC's channelz shows it (gRFC A14). Taken by
/// [`Server::snapshot`](crate::Server::snapshot) or by a
/// [`ChannelzRegistry`](crate::ChannelzRegistry).
#[derive(Clone, Debug)]
pub struct ServerSnapshot {
    id: u64,
    began: SystemTime,
    listeners: Vec<ListenerSnapshot>,
    calls: CallCounts,
    sockets: Vec<SocketSnapshot>,
}

impl ServerSnapshot {
    /// Its number, which no other server, channel, subchannel or connection of this process
    /// has.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// When it was started, by the clock of this machine.
    pub fn began(&self) -> SystemTime {
        self.began
    }

    /// Where it listens, in the order of [`Server::addresses`](crate::Server::addresses).
    pub fn listeners(&self) -> &[ListenerSnapshot] {
        &self.listeners
    }

    /// Counts of all calls since the start, including those of closed connections and those
    /// that the server refused.
    pub fn calls(&self) -> CallCounts {
        self.calls
    }

    /// The connections that are open, the oldest first.
    pub fn sockets(&self) -> &[SocketSnapshot] {
        &self.sockets
    }
}

/// A place where a server listens.
#[derive(Clone, Debug)]
pub struct ListenerSnapshot {
    id: u64,
    address: String,
}

impl ListenerSnapshot {
    /// Its number, which no server, channel, subchannel, connection or other listener of
    /// this process has.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Where it is: `ip:port`, or `unix:/path`.
    pub fn address(&self) -> &str {
        &self.address
    }
}
