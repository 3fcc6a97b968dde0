//! Unit tests of `ring`.

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

/// The values of Envoy's tests and python-xxhash.
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
    // The next place, wrapping around.
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
    let two = endpoint("127.0.0.1:7").and("127.0.0.1:8".parse::<std::net::SocketAddr>().unwrap());
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
