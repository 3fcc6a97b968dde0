//! Records of a channel and its subchannels for channelz, and the snapshots that are taken
//! from them.

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

/// The record of one channel.
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

/// A live subchannel. Its counts are held here until they are added to those of the
/// departed subchannels, so that no sum ever decreases.
#[derive(Debug)]
struct Live {
    subchannel: Weak<SubchannelRecord>,
    sockets: Arc<Sockets>,
}

/// The record of one subchannel, kept while the subchannel or one of its connections
/// exists.
#[derive(Debug)]
pub(crate) struct SubchannelRecord {
    id: u64,
    channel: Arc<ChannelRecord>,
    destinations: Arc<Mutex<Arc<[Destination]>>>,
    course: Mutex<StateHistory>,
    sockets: Arc<Sockets>,
}

/// How many of its latest states a subchannel remembers.
const REMEMBERED: usize = 10;

/// The present and earlier states of a subchannel.
#[derive(Debug)]
struct StateHistory {
    created: SystemTime,
    /// The number of all its states, including the first.
    states: u64,
    /// The latest states, newest last. Invariant: not empty.
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

    /// Adds a new subchannel of the channel, which connects to these addresses.
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

    /// A snapshot of the channel, which is in this state.
    pub(super) fn snapshot(&self, state: ConnectivityState) -> ChannelSnapshot {
        let held = self.lock();
        let mut total = held.departed;
        for live in held.live.values() {
            total.add(&live.sockets.total());
        }
        let live = held.live.values().map(|it| &it.subchannel);
        let live: Vec<_> = live.filter_map(Weak::upgrade).collect();
        // A subchannel that is dropped meanwhile needs the lock.
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

    /// Records a new state, with the error of the last attempt to connect.
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
    /// The channel's id, unique among all channels, subchannels, servers and sockets of
    /// this process.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The target, as the user wrote it.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// When the channel was created, by this machine's wall clock.
    pub fn created(&self) -> SystemTime {
        self.created
    }

    /// The channel's connectivity state.
    pub fn state(&self) -> ConnectivityState {
        self.state
    }

    /// The counts of calls on the channel's connections, including closed ones.
    pub fn calls(&self) -> CallCounts {
        self.calls
    }

    /// The channel's endpoints, oldest first. An endpoint that is no longer used stays
    /// until its last connection has closed.
    pub fn subchannels(&self) -> &[SubchannelSnapshot] {
        &self.subchannels
    }
}

/// A snapshot of one endpoint of a channel.
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
    /// The subchannel's id, unique among all channels, subchannels, servers and sockets of
    /// this process.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The addresses that the next attempt to connect tries.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// When the channel began to use the endpoint, by this machine's wall clock.
    pub fn created(&self) -> SystemTime {
        self.created
    }

    /// The state of its connection.
    pub fn state(&self) -> ConnectivityState {
        let last = self.states.last();
        last.map_or(ConnectivityState::Idle, StateSnapshot::state)
    }

    /// Its latest states, at most 10, newest last.
    pub fn states(&self) -> &[StateSnapshot] {
        &self.states
    }

    /// How many states it has had, including the first and the present one.
    pub fn state_changes(&self) -> u64 {
        self.state_changes
    }

    /// The error of the last attempt to connect, if none has succeeded since.
    pub fn failure(&self) -> Option<&str> {
        let states = self.states.iter().rev();
        let mut since = states.take_while(|it| it.state != ConnectivityState::Ready);
        since.find_map(StateSnapshot::failure)
    }

    /// The counts of calls on its connections, including closed ones.
    pub fn calls(&self) -> CallCounts {
        self.calls
    }

    /// Its connections, oldest first. A connection that accepts no more calls stays until
    /// its calls are over.
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
    /// The state.
    pub fn state(&self) -> ConnectivityState {
        self.state
    }

    /// When it began, by this machine's wall clock.
    pub fn since(&self) -> SystemTime {
        self.since
    }

    /// The error, if the state is
    /// [`TransientFailure`](ConnectivityState::TransientFailure).
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }
}
