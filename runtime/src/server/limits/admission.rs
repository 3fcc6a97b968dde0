//! How many connections a server has, in all and from each address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::transport::PeerAddress;

/// The key by which connections of one peer are counted: an IPv4 address, or the first 64
/// bits of an IPv6 address, the smallest prefix that a network assigns to a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum PeerNetwork {
    V4(Ipv4Addr),
    V6([u16; 4]),
}

impl PeerNetwork {
    /// `None` for a peer without an IP address.
    fn of(peer: &PeerAddress) -> Option<Self> {
        let PeerAddress::Tcp(address) = peer else {
            return None;
        };
        // A socket for both families has IPv4's addresses in IPv6's clothes.
        Some(match address.ip().to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6(prefix(address)),
        })
    }
}

fn prefix(address: Ipv6Addr) -> [u16; 4] {
    let [a, b, c, d, ..] = address.segments();
    [a, b, c, d]
}

/// The limits of connections, and the current counts.
#[derive(Debug)]
pub(crate) struct Admission {
    most: usize,
    most_per_peer: usize,
    open: Mutex<Occupied>,
}

#[derive(Debug, Default)]
struct Occupied {
    all: usize,
    by_origin: HashMap<PeerNetwork, usize>,
}

impl Admission {
    /// `None` where there is no limit.
    pub(in crate::server) fn new(
        most: Option<usize>,
        most_per_peer: Option<usize>,
    ) -> Option<Arc<Self>> {
        let is_limited = most.is_some() || most_per_peer.is_some();
        is_limited.then(|| {
            Arc::new(Self {
                most: most.unwrap_or(usize::MAX),
                most_per_peer: most_per_peer.unwrap_or(usize::MAX),
                open: Mutex::default(),
            })
        })
    }

    /// A connection comes: its place, or why it gets none.
    pub(in crate::server) fn admit(
        self: &Arc<Self>,
        peer: &PeerAddress,
    ) -> Result<Admitted, &'static str> {
        let origin = PeerNetwork::of(peer).filter(|_| self.most_per_peer != usize::MAX);
        let mut open = self.lock();
        if open.all >= self.most {
            return Err("the server has as many connections as it may \
                        (ServerLimits::connections)");
        }
        if let Some(origin) = origin {
            let own = open.by_origin.get(&origin).copied().unwrap_or_default();
            if own >= self.most_per_peer {
                return Err("its address has as many connections as it may \
                            (ServerLimits::connections_per_peer)");
            }
            open.by_origin.insert(origin, own + 1);
        }
        open.all += 1;
        drop(open);
        Ok(Admitted {
            admission: Arc::clone(self),
            origin,
        })
    }

    fn leave(&self, origin: Option<PeerNetwork>) {
        let mut open = self.lock();
        open.all -= 1;
        if let Some(origin) = origin
            && let Some(own) = open.by_origin.get_mut(&origin)
        {
            *own -= 1;
            // Addresses that are gone take no memory.
            if *own == 0 {
                open.by_origin.remove(&origin);
            }
        }
    }

    /// Nothing can panic while the lock is held.
    fn lock(&self) -> MutexGuard<'_, Occupied> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place; dropped, it is another one's.
#[derive(Debug)]
pub(crate) struct Admitted {
    admission: Arc<Admission>,
    origin: Option<PeerNetwork>,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.admission.leave(self.origin);
    }
}

#[cfg(test)]
mod tests;
