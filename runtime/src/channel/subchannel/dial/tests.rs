//! Tests of `dial.rs`.

use super::*;
use crate::status::{Code, Phase};

/// A failure to reach a name contains the name, and an error that several addresses share
/// once.
#[test]
fn a_failure_tells_of_every_address() {
    let refused = || ConnectFailure::connect(io::ErrorKind::ConnectionRefused.into());
    let status = |target: &str, failures: Vec<(&str, ConnectFailure)>| {
        let failures = failures
            .into_iter()
            .map(|(address, failure)| (address.to_owned(), failure));
        let status = ConnectFailure::status(target, target.starts_with("shop"), failures.collect());
        assert_eq!(status.code(), Code::Unavailable);
        (status.message().to_owned(), status.phase())
    };
    assert_eq!(
        status("127.0.0.1:1", vec![("127.0.0.1:1", refused())]),
        (
            "connect to 127.0.0.1:1: connection refused".to_owned(),
            Some(Phase::Connect)
        )
    );
    let silent = ConnectFailure::timeout(ConnectStep::Http2, Duration::from_secs(20));
    assert_eq!(
        status(
            "shop.test:1",
            vec![
                ("[::1]:1", refused()),
                ("127.0.0.1:1", silent),
                ("127.0.0.2:1", refused()),
            ]
        ),
        (
            "reach shop.test:1: connect to [::1]:1, 127.0.0.2:1: connection refused; \
             HTTP/2 with 127.0.0.1:1: no answer within 20s"
                .to_owned(),
            Some(Phase::Handshake)
        )
    );
}
