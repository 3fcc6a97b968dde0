//! The time of a line: RFC 3339, UTC, in milliseconds.

use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use prost_types::Timestamp;

pub(super) fn push(line: &mut String, time: SystemTime) {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let second = Timestamp {
        seconds: i64::try_from(since.as_secs()).unwrap_or_default(),
        nanos: 0,
    };
    // The text ends with Z, and writing to a `String` does not fail.
    let _ = write!(line, "{second}");
    line.pop();
    let _ = write!(line, ".{:03}Z", since.subsec_millis());
}
