//! Unit tests of `senders`.

use super::*;

fn at(address: &str) -> PeerAddress {
    PeerAddress::Tcp(address.parse().unwrap())
}

#[test]
fn networks_have_what_begins_with_their_bits() {
    let trusted = ProxyProtocol::trusting([
        "10.0.0.0/9",
        "192.0.2.7",
        "2001:db8::/33",
        "::1",
        "::ffff:172.16.0.0/108",
    ]);
    trusted.check().unwrap();
    for (address, expected) in [
        ("10.127.255.255:1", true),
        ("10.128.0.0:1", false),
        ("192.0.2.7:1", true),
        ("192.0.2.8:1", false),
        ("[2001:db8:7fff::1]:1", true),
        ("[2001:db8:8000::1]:1", false),
        ("[::1]:1", true),
        ("[::2]:1", false),
        // As a socket of [::] has them.
        ("[::ffff:10.1.2.3]:1", true),
        ("[::ffff:11.1.2.3]:1", false),
        ("172.16.9.9:1", true),
        ("172.32.0.1:1", false),
    ] {
        let verdict = trusted.judge(&at(address));
        let is_trusted = verdict == SenderVerdict::Proxied { is_optional: false };
        assert_eq!(is_trusted, expected, "{address}: {verdict:?}");
    }
    let all = ProxyProtocol::trusting(["0.0.0.0/0"]).or_absent();
    let verdict = all.judge(&at("203.0.113.9:1"));
    assert_eq!(verdict, SenderVerdict::Proxied { is_optional: true });
    assert_eq!(all.judge(&at("[::1]:1")), SenderVerdict::Refused);
    assert_eq!(all.or_direct().judge(&at("[::1]:1")), SenderVerdict::Direct);
}

#[test]
fn what_is_no_network_is_told() {
    for wrong in [
        "",
        "10.0.0.0/33",
        "10.0.0/8",
        "::/129",
        "a.test",
        "::1/",
        "1/-1",
    ] {
        let error = ProxyProtocol::trusting(["::1", wrong]).check().unwrap_err();
        assert!(error.to_string().contains(&format!("'{wrong}'")), "{error}");
    }
}
