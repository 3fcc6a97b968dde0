//! The ring of ring_hash (gRFC A42, A76): places that endpoints have by their hashes.
//! Pure, and the same for each client that has the same list.

use twox_hash::XxHash64;

use crate::channel::address::Endpoint;

/// What a resolver says of an endpoint in place of its first address, so that it keeps
/// its place on the ring of [`RingHash`](crate::RingHash) when the address changes
/// (gRFC A76): the name of a pod, say.
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

/// What a resolver says of how much an endpoint can do beside others, for
/// [`RingHash`](crate::RingHash) (gRFC A42): one of weight 2 has twice the places of one
/// of weight 1, which is what an endpoint without it has. Zero counts as 1.
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

/// What an endpoint is on the ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RingSeat {
    /// What is hashed: its key, or else its first address and its authority.
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

/// How many places there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) least: usize,
    pub(super) most: usize,
}

/// Places by their hashes, lowest first, each with the number of its endpoint.
#[derive(Debug, Default)]
pub(super) struct Ring(Vec<(u64, usize)>);

pub(super) fn hash(seed: u64, bytes: &[u8]) -> u64 {
    XxHash64::oneshot(seed, bytes)
}

impl Ring {
    /// So many places that the lightest endpoint has a whole number of them, unless that
    /// is too many. The order of the list makes no difference.
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

    /// The endpoints from a hash on, once around; one comes up as often as it has
    /// places.
    pub(super) fn from(&self, hash: u64) -> impl Iterator<Item = usize> {
        let first = self.0.partition_point(|(place, _)| *place < hash);
        let (before, after) = self.0.split_at(first);
        after.iter().chain(before).map(|(_, number)| *number)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn seat(key: impl Into<String>, weight: u64) -> RingSeat {
        RingSeat {
            key: key.into(),
            weight,
        }
    }

    const USUAL: Size = Size {
        least: 1_024,
        most: 4_096,
    };

    /// As Envoy's tests and python-xxhash have them.
    #[test]
    fn places_are_those_of_other_implementations() {
        let seats: Vec<_> = (90..96)
            .map(|port| seat(format!("127.0.0.1:{port}"), 1))
            .collect();
        let size = Size {
            least: 12,
            most: 4_096,
        };
        let ring = Ring::new(&seats, size);
        let places: Vec<_> = ring.0.iter().map(|(hash, it)| (*hash, it + 90)).collect();
        let expected = [
            (833_437_586_790_550_860, 94),
            (928_266_305_478_181_108, 92),
            (1_033_482_794_131_418_490, 90),
            (3_551_244_743_356_806_947, 95),
            (3_851_675_632_748_031_481, 93),
            (5_583_722_120_771_150_861, 91),
            (6_311_230_543_546_372_928, 91),
            (7_700_377_290_971_790_572, 93),
            (13_144_177_310_400_110_813, 95),
            (13_444_792_449_719_432_967, 92),
            (15_516_499_411_664_133_160, 94),
            (16_117_243_373_044_804_889, 90),
        ];
        assert_eq!(places, expected);
        // The next place, and around.
        let from = |hash| ring.from(hash).next().unwrap() + 90;
        assert_eq!(from(0), 94);
        assert_eq!(from(833_437_586_790_550_860), 94);
        assert_eq!(from(833_437_586_790_550_861), 92);
        assert_eq!(from(16_117_243_373_044_804_889), 90);
        assert_eq!(from(16_117_243_373_044_804_890), 94);
        assert_eq!(ring.from(7).count(), 12);
    }

    #[test]
    fn hashes_are_xxh64() {
        assert_eq!(hash(0, b""), 17_241_709_254_077_376_921);
        assert_eq!(hash(0, b"user-42"), 4_142_921_581_652_311_169);
        assert_eq!(hash(0, b"a,b"), 17_358_165_467_599_719_520);
        assert_eq!(hash(0, b"[::1]:50051_0"), 2_113_291_365_404_721_690);
        assert_eq!(hash(7, b"127.0.0.1:90"), 1_563_523_185_349_771_247);
    }

    #[test]
    fn an_endpoint_is_its_first_address_unless_it_has_a_key() {
        let endpoint = |text: &str| Endpoint::new(text.parse::<std::net::SocketAddr>().unwrap());
        assert_eq!(
            RingSeat::of(&endpoint("[::1]:50051")),
            seat("[::1]:50051", 1)
        );
        let two =
            endpoint("127.0.0.1:7").and("127.0.0.1:8".parse::<std::net::SocketAddr>().unwrap());
        assert_eq!(RingSeat::of(&two), seat("127.0.0.1:7", 1));
        let named = two.with(HashKey("pod-1".into())).with(EndpointWeight(3));
        assert_eq!(RingSeat::of(&named), seat("pod-1", 3));
        let empty = endpoint("127.0.0.1:7").with(HashKey(String::new()));
        assert_eq!(
            RingSeat::of(&empty.with(EndpointWeight(0))),
            seat("127.0.0.1:7", 1)
        );
    }

    fn counts(ring: &Ring) -> BTreeMap<usize, usize> {
        let mut counts = BTreeMap::new();
        for (_, number) in &ring.0 {
            *counts.entry(*number).or_default() += 1;
        }
        counts
    }

    #[test]
    fn the_lightest_has_a_whole_number_of_places_and_the_others_as_many_more() {
        let seats = [seat("a", 1), seat("b", 2), seat("c", 3)];
        let ring = Ring::new(&seats, USUAL);
        // A sixth of 1,024 is 170.7.
        assert_eq!(counts(&ring), [(0, 171), (1, 342), (2, 513)].into());
        let ring = Ring::new(&[seat("a", 1)], USUAL);
        assert_eq!(counts(&ring), [(0, 1_024)].into());
        let few = Size { least: 1, most: 2 };
        assert_eq!(counts(&Ring::new(&seats, few)).values().sum::<usize>(), 2);
    }

    #[test]
    fn there_are_never_more_places_than_are_allowed() {
        let seats: Vec<_> = (0..5_000)
            .map(|number| seat(format!("{number}"), 1))
            .collect();
        assert_eq!(Ring::new(&seats, USUAL).0.len(), 4_096);
        let far = [seat("a", 1), seat("b", u64::from(u32::MAX))];
        assert_eq!(Ring::new(&far, USUAL).0.len(), 4_096);
        assert!(Ring::new(&[], USUAL).0.is_empty());
    }

    proptest! {
        #[test]
        fn the_order_of_the_list_makes_no_difference(
            weights in proptest::collection::vec(1_u64..20, 1..40),
            turn in any::<prop::sample::Index>(),
        ) {
            let seats: Vec<_> = weights.iter().enumerate()
                .map(|(number, weight)| seat(format!("10.0.0.{number}:50051"), *weight))
                .collect();
            let mut turned = seats.clone();
            turned.rotate_left(turn.index(seats.len()));
            let keys = |ring: &Ring, seats: &[RingSeat]| -> Vec<(u64, String)> {
                ring.0.iter().map(|(hash, it)| (*hash, seats[*it].key.clone())).collect()
            };
            let (one, other) = (Ring::new(&seats, USUAL), Ring::new(&turned, USUAL));
            prop_assert_eq!(keys(&one, &seats), keys(&other, &turned));
            prop_assert!(one.0.len() >= USUAL.least && one.0.len() <= USUAL.most);
        }
    }
}
