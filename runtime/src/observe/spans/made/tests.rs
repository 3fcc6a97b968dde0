//! Unit tests of `made`.

use super::*;

#[test]
fn a_target_names_a_server() {
    for (target, expected) in [
        ("dns:///orders.example:443", ("orders.example", Some(443))),
        (
            "dns://1.1.1.1/orders.example:443",
            ("orders.example", Some(443)),
        ),
        ("dns:orders.example", ("orders.example", None)),
        ("ipv4:10.0.0.1:80", ("10.0.0.1", Some(80))),
        (
            "ipv4:10.0.0.1:80,10.0.0.2:80",
            ("10.0.0.1:80,10.0.0.2:80", None),
        ),
        ("ipv6:[::1]:80", ("::1", Some(80))),
        ("ipv6:::1", ("::1", None)),
        ("unix:/run/orders", ("/run/orders", None)),
        ("unix:///run/orders", ("/run/orders", None)),
        ("passthrough:///a:99999", ("a:99999", None)),
        // A connector's name, which has no scheme.
        ("in-process", ("in-process", None)),
        ("", ("", None)),
    ] {
        assert_eq!(server_of(target), expected, "{target}");
    }
}
