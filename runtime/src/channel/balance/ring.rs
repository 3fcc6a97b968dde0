//! The ring of ring_hash (gRFC A42, A76): the places of endpoints by their hashes. Pure:
//! the ring is the same for all clients with the same list.

use twox_hash::XxHash64;

use crate::channel::address::Endpoint;

/// An attribute that a resolver gives an endpoint: its key on the ring of
/// [`RingHash`](crate::RingHash), instead of its first address, so that the endpoint keeps
/// its places when its address changes (gRFC A76). For example a pod's name.
///
/// ```
/// use std::net::SocketAddr;
///
/// use grpc_runtime::{Endpoint, HashKey};
///
/// fn pod(address: SocketAddr, name: &str) -> Endpoint {
///     Endpoint::new(address).with(HashKey(name.to_owned()))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashKey(pub String);

/// An attribute that a resolver gives an endpoint: its weight for
/// [`RingHash`](crate::RingHash) (gRFC A42). An endpoint of weight 2 has twice as many
/// places as one of weight 1, the default. 0 counts as 1.
///
/// ```
/// use std::net::SocketAddr;
///
/// use grpc_runtime::{Endpoint, EndpointWeight};
///
/// fn large(address: SocketAddr) -> Endpoint {
///     Endpoint::new(address).with(EndpointWeight(4))
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointWeight(pub u32);

/// An endpoint as the ring sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RingSeat {
    /// What is hashed: the endpoint's key, or its first address and its authority.
    pub(super) key: String,
    pub(super) weight: u64,
}

impl RingSeat {
    pub(super) fn of(endpoint: &Endpoint) -> Self {
        let key = endpoint.attributes().get::<HashKey>();
        let key = key.filter(|HashKey(key)| !key.is_empty());
        let key = match key {
            Some(HashKey(key)) => key.clone(),
            None => endpoint.hash_name(),
        };
        let weight = endpoint.attributes().get::<EndpointWeight>();
        Self {
            key,
            weight: weight.map_or(1, |EndpointWeight(weight)| u64::from(*weight).max(1)),
        }
    }
}

/// The least and the most places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) least: usize,
    pub(super) most: usize,
}

/// Places by hash, lowest first, each with the index of its endpoint.
#[derive(Debug, Default)]
pub(super) struct Ring(Vec<(u64, usize)>);

pub(super) fn hash(seed: u64, bytes: &[u8]) -> u64 {
    XxHash64::oneshot(seed, bytes)
}

impl Ring {
    /// As many places as give the lightest endpoint a whole number of them, within the
    /// limits. The order of the list does not matter.
    #[expect(clippy::cast_precision_loss, reason = "shares")]
    pub(super) fn new(seats: &[RingSeat], size: Size) -> Self {
        let sum: u64 = seats.iter().map(|seat| seat.weight).sum();
        let share = |seat: &RingSeat| seat.weight as f64 / sum as f64;
        let least = seats.iter().map(share).fold(1.0, f64::min);
        let scale = ((least * size.least as f64).ceil() / least).min(size.most as f64);
        let mut order: Vec<(usize, &RingSeat)> = seats.iter().enumerate().collect();
        order.sort_by(|(_, a), (_, b)| a.key.cmp(&b.key));
        let mut places = Vec::new();
        let (mut has, mut due) = (0.0, 0.0);
        for (number, seat) in order {
            due += scale * share(seat);
            let mut text = format!("{}_", seat.key);
            let length = text.len();
            let mut count = 0_u32;
            while has < due {
                text.truncate(length);
                text.push_str(&count.to_string());
                places.push((hash(0, text.as_bytes()), number));
                count += 1;
                has += 1.0;
            }
        }
        places.sort_unstable();
        Self(places)
    }

    /// The endpoints from a hash on, once around the ring; an endpoint appears once for
    /// each of its places.
    pub(super) fn from(&self, hash: u64) -> impl Iterator<Item = usize> {
        let first = self.0.partition_point(|(place, _)| *place < hash);
        let (before, after) = self.0.split_at(first);
        after.iter().chain(before).map(|(_, number)| *number)
    }
}

#[cfg(test)]
mod tests;
