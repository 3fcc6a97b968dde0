//! The record of one connection, and a snapshot of it.

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

/// The constant facts of a connection, and its counters.
#[derive(Clone, Debug)]
pub(crate) struct SocketRecord {
    pub(crate) id: u64,
    pub(crate) side: Side,
    pub(crate) peer: Option<PeerAddress>,
    local: Option<SocketAddr>,
    pub(crate) is_encrypted: bool,
    /// When the counters began, by the clock of the machine.
    opened: SystemTime,
    counts: Arc<ConnectionCounts>,
}

impl SocketRecord {
    /// The record of a connection over `io`, whose other end is `peer`, with the counters
    /// `counts`.
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

    /// The wall clock's time at that moment.
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

/// A connection at one moment: gRPC's channelz calls it a socket (gRFC A14). The numbers are
/// read one after the other while the connection's task updates them, so they may be of
/// slightly different moments.
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
    /// Its number, unique among all channels, subchannels, servers and connections of this
    /// process; the same as [`ObservedConnection::id`](crate::ObservedConnection::id).
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Which end of it this is.
    pub fn side(&self) -> Side {
        self.side
    }

    /// The address of its other end; behind a proxy the proxy's. `None` for a socket that
    /// lost its peer before the address was read.
    pub fn peer(&self) -> Option<&PeerAddress> {
        self.peer.as_ref()
    }

    /// Its own address, if it is a TCP socket.
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.local
    }

    /// Whether TLS protects it.
    pub fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    /// When it was opened, by the clock of this machine.
    pub fn opened(&self) -> SystemTime {
        self.opened
    }

    /// The calls on it, without the channel's own health checks and load reports.
    pub fn calls(&self) -> CallCounts {
        self.calls
    }

    /// Messages that this side has passed to the connection to be sent.
    pub fn messages_sent(&self) -> u64 {
        self.counted.sent
    }

    /// Messages that have been received completely, whether or not the application has read
    /// them.
    pub fn messages_received(&self) -> u64 {
        self.counted.received
    }

    /// When the last message was sent, to 10 ms; `None` before the first.
    pub fn last_message_sent(&self) -> Option<SystemTime> {
        self.last_sent
    }

    /// When the last message was received, to 10 ms; `None` before the first.
    pub fn last_message_received(&self) -> Option<SystemTime> {
        self.last_received
    }

    /// Keepalive PINGs that this side sent
    /// ([`keepalive_time`](crate::ChannelBuilder::keepalive_time)).
    pub fn keepalives_sent(&self) -> u64 {
        self.counted.keepalives
    }

    /// The error code (RFC 9113 section 7) of the last GOAWAY that was received; `None` if
    /// there was none.
    pub fn received_go_away(&self) -> Option<u32> {
        self.counted.go_away
    }

    /// The number of concurrent calls that the other side permits
    /// (`SETTINGS_MAX_CONCURRENT_STREAMS`); `None` for any number.
    pub fn peer_max_concurrent_streams(&self) -> Option<u32> {
        self.counted.peer_max_streams
    }
}
