//! Unit tests of `admission`.

use super::*;

fn tcp(address: &str) -> PeerAddress {
    PeerAddress::Tcp(format!("{address}:1").parse().unwrap())
}

#[test]
fn places_are_given_in_all_and_by_address_and_given_back() {
    let admission = Admission::new(Some(4), Some(2)).unwrap();
    let admit = |address| admission.admit(&tcp(address));
    let first = admit("192.0.2.1").unwrap();
    let second = admit("192.0.2.1").unwrap();
    assert!(admit("192.0.2.1").unwrap_err().contains("per_peer"));
    let other = admit("192.0.2.2").unwrap();
    let last = admit("192.0.2.3").unwrap();
    let full = admit("192.0.2.4").unwrap_err();
    assert!(full.contains("ServerLimits::connections)"), "{full}");
    drop(first);
    drop(admit("192.0.2.1").unwrap());
    drop((second, other, last));
    let open = admission.lock();
    assert_eq!((open.all, open.by_origin.len()), (0, 0));
}

#[test]
fn an_address_is_an_ipv4_address_or_a_network_of_ipv6() {
    let admission = Admission::new(None, Some(1)).unwrap();
    let mut held = Vec::new();
    let mut admit = |peer: &PeerAddress| match admission.admit(peer) {
        Ok(admitted) => {
            held.push(admitted);
            true
        }
        Err(_) => false,
    };
    assert!(admit(&tcp("[2001:db8:0:1::1]")));
    assert!(!admit(&tcp("[2001:db8:0:1:ffff::2]")));
    assert!(admit(&tcp("[2001:db8:0:2::1]")));
    assert!(admit(&tcp("192.0.2.1")));
    // The same, on a socket for both.
    assert!(!admit(&tcp("[::ffff:192.0.2.1]")));
    assert!(admit(&tcp("[::ffff:192.0.2.2]")));
    // What has no address is nobody's in particular.
    for peer in [PeerAddress::Unix, PeerAddress::Other("a pipe".into())] {
        assert!(admit(&peer) && admit(&peer));
    }
    assert_eq!(admission.lock().all, 8);
}

#[test]
fn without_limits_there_is_nothing_to_count() {
    assert!(Admission::new(None, None).is_none());
}
