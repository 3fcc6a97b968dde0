//! What becomes of `[::]` on machines without IPv6, and where its port is taken.

use super::*;

/// What Linux, macOS and Windows say where they do not know the address family, and
/// Linux where IPv6 is turned off.
#[test]
fn no_systems_word_for_a_missing_ipv6_is_taken_for_another() {
    for number in [97, 47, 10047] {
        assert!(may_lack_ipv6(&io::Error::from_raw_os_error(number)));
    }
    for kind in [io::ErrorKind::AddrNotAvailable, io::ErrorKind::Unsupported] {
        assert!(may_lack_ipv6(&kind.into()));
    }
    for kind in [io::ErrorKind::AddrInUse, io::ErrorKind::PermissionDenied] {
        assert!(!may_lack_ipv6(&kind.into()));
    }
}

/// Taken on IPv6 alone, where there is one: IPv4 would be free.
#[tokio::test]
async fn a_port_that_is_taken_is_told_and_no_half_of_it_served() {
    let taken = match TcpListener::bind("[::1]:0").await {
        Ok(taken) => taken,
        Err(_) => TcpListener::bind("0.0.0.0:0").await.unwrap(),
    };
    let port = taken.local_addr().unwrap().port();
    let error = bind_tcp(&format!("[::]:{port}"), SocketOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "{error}");
}
