//! The one place that reads the time. It goes through tokio's clock, so that a
//! test with paused time moves every deadline of the runtime with it.

use std::time::{Duration, Instant, SystemTime};

pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The earlier of two instants; the other one where one is `None`.
#[inline]
pub(crate) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// The wall-clock time, for timestamps. Paused time in tests does not change it.
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}

/// `at` as an instant for tokio's timers. They add to it, so an instant in the last second
/// that the clock can represent is moved one second earlier.
pub(crate) fn timer(at: Instant) -> tokio::time::Instant {
    const ROOM: Duration = Duration::from_secs(1);
    let has_room = at.checked_add(ROOM).is_some();
    let earlier = at.checked_sub(ROOM).filter(|_| !has_room);
    tokio::time::Instant::from_std(earlier.unwrap_or(at))
}
