//! Unit tests of `labels`.

use super::*;

#[test]
fn the_host_and_the_port_are_the_targets() {
    for (target, host, port) in [
        ("dns:///orders.example:443", "orders.example", Some(443)),
        (
            "dns://8.8.8.8/orders.example:50051",
            "orders.example",
            Some(50051),
        ),
        ("dns:///orders.example", "orders.example", None),
        ("dns:orders.example:443", "orders.example", Some(443)),
        ("dns:///[::1]:443", "::1", Some(443)),
        ("dns:///[::1]", "::1", None),
        ("ipv6:///::1", "::1", None),
        ("passthrough:///orders", "orders", None),
        ("unix:///run/orders.sock", "/run/orders.sock", None),
        ("unix:orders.sock", "orders.sock", None),
        ("in-process", "in-process", None),
    ] {
        assert_eq!(address(target), (host.into(), port), "{target}");
    }
}
