//! One connection, and what is read off it at a moment.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::call_counts::{CallCounts, Total};
use super::entity;
use crate::clock;
use crate::framing::Side;
use crate::transport::PeerAddress;
use crate::transport::http2::tally::{ConnectionCounts, Counted};
use crate::transport::io::Io;

/// What does not change of a connection, and where its numbers are.
#[derive(Clone, Debug)]
pub(crate) struct SocketRecord {
    pub(crate) id: u64,
    pub(crate) side: Side,
    pub(crate) peer: Option<PeerAddress>,
    local: Option<SocketAddr>,
    pub(crate) is_encrypted: bool,
    /// By the clock of the machine, when the counts began.
    opened: SystemTime,
    counts: Arc<ConnectionCounts>,
}

impl SocketRecord {
    /// Of a connection over `io`, whose other end is `peer`, that counts in `counts`.
    pub(crate) fn new(
        side: Side,
        peer: Option<PeerAddress>,
        io: &Io,
        counts: &Arc<ConnectionCounts>,
    ) -> Self {
        let age = clock::now().saturating_duration_since(counts.epoch());
        Self {
            id: entity::next_id(),
            side,
            peer,
            local: io.local(),
            is_encrypted: io.is_encrypted(),
            opened: clock::wall()
                .checked_sub(age)
                .unwrap_or(SystemTime::UNIX_EPOCH),
            counts: Arc::clone(counts),
        }
    }

    /// The time of the day at that moment of the connection's life.
    fn wall_of(&self, at: Instant) -> SystemTime {
        let age = at.saturating_duration_since(self.counts.epoch());
        self.opened.checked_add(age).unwrap_or(self.opened)
    }

    fn total_of(&self, counted: &Counted) -> Total {
        let last_started = counted.last_call.map(|at| self.wall_of(at));
        Total::of(counted, last_started)
    }

    /// The calls on it.
    pub(super) fn total(&self) -> Total {
        self.total_of(&self.counts.read())
    }

    pub(super) fn snapshot(&self) -> SocketSnapshot {
        let counted = self.counts.read();
        SocketSnapshot {
            id: self.id,
            side: self.side,
            peer: self.peer.clone(),
            local: self.local,
            is_encrypted: self.is_encrypted,
            opened: self.opened,
            calls: self.total_of(&counted).counts(),
            last_sent: counted.last_sent.map(|at| self.wall_of(at)),
            last_received: counted.last_received.map(|at| self.wall_of(at)),
            counted,
        }
    }
}

/// A connection at one moment: what gRPC's channelz calls a socket (gRFC A14). It is read
/// off numbers that the connection's task writes as it goes, so that two of them may
/// differ by what happens meanwhile.
#[derive(Clone, Debug)]
pub struct SocketSnapshot {
    id: u64,
    side: Side,
    peer: Option<PeerAddress>,
    local: Option<SocketAddr>,
    is_encrypted: bool,
    opened: SystemTime,
    calls: CallCounts,
    last_sent: Option<SystemTime>,
    last_received: Option<SystemTime>,
    counted: Counted,
}

impl SocketSnapshot {
    /// Its number, which no channel, subchannel, server or other connection of this
    /// process has; the same as [`ObservedConnection::id`](crate::ObservedConnection::id).
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Which end of it this is.
    pub fn side(&self) -> Side {
        self.side
    }

    /// Where its other end is; behind a proxy that is the proxy. `None` for a socket that
    /// had lost its other end before it was looked at.
    pub fn peer(&self) -> Option<&PeerAddress> {
        self.peer.as_ref()
    }

    /// Its own address, where it is a TCP socket.
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.local
    }

    /// Whether TLS protects it.
    pub fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    /// When it was made, by the clock of this machine.
    pub fn opened(&self) -> SystemTime {
        self.opened
    }

    /// The calls on it. Health checks and load reports that a channel asks for by itself
    /// are not among them.
    pub fn calls(&self) -> CallCounts {
        self.calls
    }

    /// Messages that this side has given to the connection.
    pub fn messages_sent(&self) -> u64 {
        self.counted.sent
    }

    /// Messages that have come whole, be they read or not.
    pub fn messages_received(&self) -> u64 {
        self.counted.received
    }

    /// When the last message was sent, to a hundredth of a second; `None` before the first.
    pub fn last_message_sent(&self) -> Option<SystemTime> {
        self.last_sent
    }

    /// When the last message came, to a hundredth of a second; `None` before the first.
    pub fn last_message_received(&self) -> Option<SystemTime> {
        self.last_received
    }

    /// PINGs that asked whether the other side lives
    /// ([`keepalive_time`](crate::ChannelBuilder::keepalive_time)).
    pub fn keepalives_sent(&self) -> u64 {
        self.counted.keepalives
    }

    /// The error code of the GOAWAY by which the other side left (RFC 9113 section 7), the
    /// last one that came; `None` as long as none has.
    pub fn received_go_away(&self) -> Option<u32> {
        self.counted.go_away
    }

    /// How many calls the other side permits at once (SETTINGS_MAX_CONCURRENT_STREAMS);
    /// `None` for any number.
    pub fn peer_max_concurrent_streams(&self) -> Option<u32> {
        self.counted.peer_max_streams
    }
}
