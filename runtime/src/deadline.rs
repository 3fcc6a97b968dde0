//! A call's deadline and its form as `grpc-timeout`. Time is an argument.

use std::fmt;
use std::time::{Duration, Instant};

/// The moment by which a call must have ended.
///
/// A deadline is absolute: time spent waiting for a connection, for headers and for
/// messages all counts against it. The earlier of two deadlines compares as less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deadline(Instant);

impl Deadline {
    /// A deadline at `instant`.
    pub const fn at(instant: Instant) -> Self {
        Self(instant)
    }

    /// A deadline `timeout` after `now`. `None`, which means no deadline, if the clock
    /// cannot represent that instant.
    pub fn after(now: Instant, timeout: Duration) -> Option<Self> {
        now.checked_add(timeout).map(Self)
    }

    /// The earlier of two deadlines, where `None` is no deadline. A call that is made on
    /// behalf of another one gets it.
    pub fn earliest(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    /// The deadline as a point in time.
    pub const fn instant(self) -> Instant {
        self.0
    }

    /// The time left at `now`; zero once the deadline has passed.
    pub fn remaining(self, now: Instant) -> Duration {
        self.0.saturating_duration_since(now)
    }

    /// Whether the deadline has passed at `now`.
    pub fn is_past(self, now: Instant) -> bool {
        self.0 <= now
    }
}

/// The length of the longest `grpc-timeout`: at most eight digits and a unit
/// (PROTOCOL-HTTP2).
pub(crate) const TIMEOUT_LEN: usize = 9;
const MAX_VALUE: u64 = 99_999_999;

/// Units from the finest to the coarsest, with their length in nanoseconds.
const UNITS: [(u8, u64); 6] = [
    (b'n', 1),
    (b'u', 1_000),
    (b'm', 1_000_000),
    (b'S', 1_000_000_000),
    (b'M', 60 * 1_000_000_000),
    (b'H', HOUR * 1_000_000_000),
];
const HOUR: u64 = 3_600;

/// Writes the value of `grpc-timeout` for `timeout` into `buffer` and returns it. The unit
/// is the finest whose value fits into eight digits, rounded up: the server gives up no
/// earlier than the client, and less than one unit later.
pub(crate) fn encode_timeout(timeout: Duration, buffer: &mut [u8; TIMEOUT_LEN]) -> &[u8] {
    let (unit, mut value) = shortest(timeout);
    let mut start = buffer.len() - 1;
    buffer[start] = unit;
    loop {
        start -= 1;
        buffer[start] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 || start == 0 {
            return &buffer[start..];
        }
    }
}

fn shortest(timeout: Duration) -> (u8, u64) {
    if let Ok(nanos) = u64::try_from(timeout.as_nanos()) {
        for (unit, length) in UNITS {
            let value = nanos.div_ceil(length);
            if value <= MAX_VALUE {
                return (unit, value);
            }
        }
    }
    // Centuries: hours are the only unit, and 11,000 years are the most.
    let hours = timeout
        .as_nanos()
        .div_ceil(u128::from(HOUR) * 1_000_000_000);
    (
        b'H',
        u64::try_from(hours).unwrap_or(MAX_VALUE).min(MAX_VALUE),
    )
}

/// Reads a received `grpc-timeout`. No value overflows: the largest,
/// `99999999H`, is well within [`Duration`].
pub(crate) fn parse_timeout(value: &[u8]) -> Result<Duration, MalformedTimeout> {
    let Some((unit, digits)) = value.split_last() else {
        return Err(MalformedTimeout);
    };
    if !matches!(digits.len(), 1..=8) {
        return Err(MalformedTimeout);
    }
    let mut number = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return Err(MalformedTimeout);
        }
        number = number * 10 + u64::from(digit - b'0');
    }
    match unit {
        b'n' => Ok(Duration::from_nanos(number)),
        b'u' => Ok(Duration::from_micros(number)),
        b'm' => Ok(Duration::from_millis(number)),
        b'S' => Ok(Duration::from_secs(number)),
        b'M' => Ok(Duration::from_secs(number * 60)),
        b'H' => Ok(Duration::from_secs(number * HOUR)),
        _ => Err(MalformedTimeout),
    }
}

/// A `grpc-timeout` that is not one to eight digits and a unit. The call is refused: the
/// caller did not ask for a call without a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MalformedTimeout;

impl fmt::Display for MalformedTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("malformed grpc-timeout: expected 1 to 8 digits and one of H, M, S, m, u, n")
    }
}

impl std::error::Error for MalformedTimeout {}

#[cfg(test)]
mod tests;
