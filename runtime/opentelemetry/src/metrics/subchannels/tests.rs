//! Unit tests of `subchannels`.

use std::io;

use super::*;

#[test]
fn each_reason_has_a_word_of_a94() {
    for (kind, word) in [
        (ErrorKind::ConnectionReset, "connection reset"),
        (ErrorKind::TimedOut, "connection timed out"),
        (ErrorKind::ConnectionAborted, "connection aborted"),
        (ErrorKind::NetworkDown, "socket error"),
    ] {
        let error = io::Error::from(kind);
        assert_eq!(disconnect_error(&CloseReason::Lost(&error)), word);
    }
    let shutdown = disconnect_error(&CloseReason::Dropped);
    assert_eq!(shutdown, "subchannel shutdown");
    let dead = CloseReason::Ended { text: "keepalive" };
    assert_eq!(disconnect_error(&dead), "connection timed out");
    assert_eq!(disconnect_error(&CloseReason::PeerClosed), "unknown");
    assert_eq!(error_name(11), "ENHANCE_YOUR_CALM");
    assert_eq!(error_name(u32::MAX), "INTERNAL_ERROR");
}
