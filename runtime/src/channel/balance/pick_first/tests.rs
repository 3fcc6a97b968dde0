//! Tests of `pick_first.rs`.

use super::*;

#[test]
fn both_families_come_by_turns() {
    let order = |texts: &str| {
        let addresses = texts.split(' ').map(str::parse::<std::net::SocketAddr>);
        let endpoints: Vec<_> = addresses.map(|it| Endpoint::new(it.unwrap())).collect();
        let texts: Vec<_> = in_order(&endpoints)
            .iter()
            .map(Address::to_string)
            .collect();
        texts.join(" ")
    };
    for (resolved, tried) in [
        ("[::1]:1", "[::1]:1"),
        ("1.0.0.1:1 1.0.0.2:1", "1.0.0.1:1 1.0.0.2:1"),
        ("1.0.0.1:1 1.0.0.2:1 1.0.0.1:1", "1.0.0.1:1 1.0.0.2:1"),
        (
            "[::1]:1 [::2]:1 [::3]:1 1.0.0.1:1",
            "[::1]:1 1.0.0.1:1 [::2]:1 [::3]:1",
        ),
        (
            "1.0.0.1:1 1.0.0.2:1 [::1]:1 1.0.0.3:1",
            "1.0.0.1:1 [::1]:1 1.0.0.2:1 1.0.0.3:1",
        ),
    ] {
        assert_eq!(order(resolved), tried);
    }
    assert!(in_order(&[]).is_empty());
}
