//! What a channel and its subchannels leave for those who look at them, and what these
//! see.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Instant, SystemTime};

use super::address::{Address, Destination};
use super::connectivity::ConnectivityState;
use crate::clock;
use crate::snapshot::call_counts::{CallCounts, Total};
use crate::snapshot::entity;
use crate::snapshot::socket::SocketSnapshot;
use crate::snapshot::sockets::{HasSockets, Sockets};

/// Of one channel.
#[derive(Debug)]
pub(super) struct ChannelRecord {
    id: u64,
    target: String,
    subchannels: Mutex<Subchannels>,
}

#[derive(Debug, Default)]
struct Subchannels {
    live: BTreeMap<u64, Weak<SubchannelRecord>>,
    departed: Total,
}

/// Of one subchannel, for as long as it or a connection of it is there.
#[derive(Debug)]
pub(crate) struct SubchannelRecord {
    id: u64,
    channel: Arc<ChannelRecord>,
    destinations: Arc<Mutex<Arc<[Destination]>>>,
    condition: Mutex<Condition>,
    sockets: Sockets,
}

/// What its connection is doing.
#[derive(Debug)]
struct Condition {
    state: ConnectivityState,
    since: Instant,
    /// Why the last attempt failed, if it did.
    failure: Option<String>,
}

impl ChannelRecord {
    pub(super) fn new(target: String) -> Self {
        Self {
            id: entity::next_id(),
            target,
            subchannels: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Subchannels> {
        self.subchannels
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A new subchannel of the channel, which connects to these.
    pub(super) fn enter(
        self: &Arc<Self>,
        destinations: Arc<Mutex<Arc<[Destination]>>>,
    ) -> Arc<SubchannelRecord> {
        let record = Arc::new(SubchannelRecord {
            id: entity::next_id(),
            channel: Arc::clone(self),
            destinations,
            condition: Mutex::new(Condition {
                state: ConnectivityState::Idle,
                since: clock::now(),
                failure: None,
            }),
            sockets: Sockets::default(),
        });
        self.lock().live.insert(record.id, Arc::downgrade(&record));
        record
    }

    /// What is so, of a channel in this state.
    pub(super) fn snapshot(&self, state: ConnectivityState) -> ChannelSnapshot {
        let held = self.lock();
        let mut total = held.departed;
        let live: Vec<_> = held.live.values().filter_map(Weak::upgrade).collect();
        // One that goes meanwhile needs the lock.
        drop(held);
        for subchannel in &live {
            total.add(&subchannel.sockets.total());
        }
        ChannelSnapshot {
            id: self.id,
            target: self.target.clone(),
            state,
            calls: total.counts(),
            subchannels: live.iter().map(|it| it.snapshot()).collect(),
        }
    }
}

impl SubchannelRecord {
    fn condition(&self) -> MutexGuard<'_, Condition> {
        self.condition
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Its connection is doing this from now on; what was wrong with the last attempt.
    pub(super) fn set(&self, state: ConnectivityState, failure: Option<&str>) {
        let mut condition = self.condition();
        condition.state = state;
        condition.since = clock::now();
        match state {
            ConnectivityState::Ready => condition.failure = None,
            _ => {
                if let Some(failure) = failure {
                    condition.failure = Some(failure.to_owned());
                }
            }
        }
    }

    fn snapshot(&self) -> SubchannelSnapshot {
        let destinations = self.destinations.lock();
        let destinations = destinations.unwrap_or_else(PoisonError::into_inner).clone();
        let addresses = destinations.iter().map(|it| it.address.clone()).collect();
        let condition = self.condition();
        SubchannelSnapshot {
            id: self.id,
            addresses,
            state: condition.state,
            since: clock::wall_of(condition.since),
            failure: condition.failure.clone(),
            calls: self.sockets.total().counts(),
            sockets: self.sockets.snapshots(),
        }
    }
}

impl HasSockets for SubchannelRecord {
    fn sockets(&self) -> &Sockets {
        &self.sockets
    }
}

impl Drop for SubchannelRecord {
    fn drop(&mut self) {
        let mut held = self.channel.lock();
        held.live.remove(&self.id);
        held.departed.add(&self.sockets.total());
    }
}

/// A channel at one moment, as gRPC's channelz shows it (gRFC A14). Taken by
/// [`Channel::snapshot`](crate::Channel::snapshot) or by a
/// [`ChannelzRegistry`](crate::ChannelzRegistry).
#[derive(Clone, Debug)]
pub struct ChannelSnapshot {
    id: u64,
    target: String,
    state: ConnectivityState,
    calls: CallCounts,
    subchannels: Vec<SubchannelSnapshot>,
}

impl ChannelSnapshot {
    /// Its number, which no other channel, subchannel, server or connection of this process
    /// has.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// What it was made for, as its user wrote it.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// What it is doing.
    pub fn state(&self) -> ConnectivityState {
        self.state
    }

    /// The calls on its connections, those that are gone among them.
    pub fn calls(&self) -> CallCounts {
        self.calls
    }

    /// Its endpoints, the oldest first; those that it has given up stay until their last
    /// connection is gone.
    pub fn subchannels(&self) -> &[SubchannelSnapshot] {
        &self.subchannels
    }
}

/// One endpoint of a channel at one moment.
#[derive(Clone, Debug)]
pub struct SubchannelSnapshot {
    id: u64,
    addresses: Vec<Address>,
    state: ConnectivityState,
    since: SystemTime,
    failure: Option<String>,
    calls: CallCounts,
    sockets: Vec<SocketSnapshot>,
}

impl SubchannelSnapshot {
    /// Its number, which no other channel, subchannel, server or connection of this process
    /// has.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Where the next attempt to connect goes.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// What its connection is doing.
    pub fn state(&self) -> ConnectivityState {
        self.state
    }

    /// Since when, by the clock of this machine.
    pub fn since(&self) -> SystemTime {
        self.since
    }

    /// What was wrong with the last attempt to connect; `None` once one has succeeded.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// The calls on its connections, those that are gone among them.
    pub fn calls(&self) -> CallCounts {
        self.calls
    }

    /// Its connections, the oldest first; those that take no more calls stay until they are
    /// over.
    pub fn sockets(&self) -> &[SocketSnapshot] {
        &self.sockets
    }
}
