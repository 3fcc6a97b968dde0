//! What a channel and its subchannels leave for those who look at them, and what these
//! see.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::SystemTime;

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
    created: SystemTime,
    subchannels: Mutex<Subchannels>,
}

#[derive(Debug, Default)]
struct Subchannels {
    live: BTreeMap<u64, Live>,
    departed: Total,
}

/// A subchannel whose counts are its own still: they are here until they are added to those
/// that have departed, so that no sum ever goes back.
#[derive(Debug)]
struct Live {
    subchannel: Weak<SubchannelRecord>,
    sockets: Arc<Sockets>,
}

/// Of one subchannel, for as long as it or a connection of it is there.
#[derive(Debug)]
pub(crate) struct SubchannelRecord {
    id: u64,
    channel: Arc<ChannelRecord>,
    destinations: Arc<Mutex<Arc<[Destination]>>>,
    course: Mutex<StateHistory>,
    sockets: Arc<Sockets>,
}

/// How many of its last states a subchannel remembers.
const REMEMBERED: usize = 10;

/// What its connection is doing, and did before.
#[derive(Debug)]
struct StateHistory {
    created: SystemTime,
    /// All states that it had, its first among them.
    states: u64,
    /// The last of them, the newest at the end. Invariant: there is one.
    last: VecDeque<StateSnapshot>,
}

impl ChannelRecord {
    pub(super) fn new(target: String) -> Self {
        Self {
            id: entity::next_id(),
            target,
            created: clock::wall(),
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
            course: Mutex::new(StateHistory::new(clock::wall())),
            sockets: Arc::default(),
        });
        let live = Live {
            subchannel: Arc::downgrade(&record),
            sockets: Arc::clone(&record.sockets),
        };
        self.lock().live.insert(record.id, live);
        record
    }

    /// What is so, of a channel in this state.
    pub(super) fn snapshot(&self, state: ConnectivityState) -> ChannelSnapshot {
        let held = self.lock();
        let mut total = held.departed;
        for live in held.live.values() {
            total.add(&live.sockets.total());
        }
        let live = held.live.values().map(|it| &it.subchannel);
        let live: Vec<_> = live.filter_map(Weak::upgrade).collect();
        // One that goes meanwhile needs the lock.
        drop(held);
        ChannelSnapshot {
            id: self.id,
            target: self.target.clone(),
            created: self.created,
            state,
            calls: total.counts(),
            subchannels: live.iter().map(|it| it.snapshot()).collect(),
        }
    }
}

impl SubchannelRecord {
    fn course(&self) -> MutexGuard<'_, StateHistory> {
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its connection is doing this from now on; what was wrong with the last attempt.
    pub(super) fn set(&self, state: ConnectivityState, failure: Option<&str>) {
        self.course().push(StateSnapshot {
            state,
            since: clock::wall(),
            failure: failure.map(ToOwned::to_owned),
        });
    }

    fn snapshot(&self) -> SubchannelSnapshot {
        let destinations = self.destinations.lock();
        let destinations = destinations.unwrap_or_else(PoisonError::into_inner).clone();
        let addresses = destinations.iter().map(|it| it.address.clone()).collect();
        let course = self.course();
        let (created, state_changes) = (course.created, course.states);
        let states = course.last.iter().cloned().collect();
        drop(course);
        SubchannelSnapshot {
            id: self.id,
            addresses,
            created,
            state_changes,
            states,
            calls: self.sockets.total().counts(),
            sockets: self.sockets.snapshots(),
        }
    }
}

impl StateHistory {
    fn new(now: SystemTime) -> Self {
        let mut course = Self {
            created: now,
            states: 0,
            last: VecDeque::new(),
        };
        course.push(StateSnapshot {
            state: ConnectivityState::Idle,
            since: now,
            failure: None,
        });
        course
    }

    fn push(&mut self, state: StateSnapshot) {
        if self.last.len() == REMEMBERED {
            self.last.pop_front();
        }
        self.last.push_back(state);
        self.states += 1;
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
    created: SystemTime,
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

    /// When it was made, by the clock of this machine.
    pub fn created(&self) -> SystemTime {
        self.created
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
    created: SystemTime,
    state_changes: u64,
    states: Vec<StateSnapshot>,
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

    /// When the channel began to use it, by the clock of this machine.
    pub fn created(&self) -> SystemTime {
        self.created
    }

    /// What its connection is doing.
    pub fn state(&self) -> ConnectivityState {
        let last = self.states.last();
        last.map_or(ConnectivityState::Idle, StateSnapshot::state)
    }

    /// What it is doing and did before: its last 10 states, the newest at the end.
    pub fn states(&self) -> &[StateSnapshot] {
        &self.states
    }

    /// How many states it has had, the first and the present one among them.
    pub fn state_changes(&self) -> u64 {
        self.state_changes
    }

    /// Why there is no connection: what was wrong with the last attempt, if none has
    /// succeeded since.
    pub fn failure(&self) -> Option<&str> {
        let states = self.states.iter().rev();
        let mut since = states.take_while(|it| it.state != ConnectivityState::Ready);
        since.find_map(StateSnapshot::failure)
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

/// One state of a subchannel.
#[derive(Clone, Debug)]
pub struct StateSnapshot {
    state: ConnectivityState,
    since: SystemTime,
    failure: Option<String>,
}

impl StateSnapshot {
    /// What it is.
    pub fn state(&self) -> ConnectivityState {
        self.state
    }

    /// When it began, by the clock of this machine.
    pub fn since(&self) -> SystemTime {
        self.since
    }

    /// What was wrong, where it is
    /// [`TransientFailure`](ConnectivityState::TransientFailure).
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }
}
