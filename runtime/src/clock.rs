//! The one place that reads the time. It goes through tokio's clock, so that a
//! test with paused time moves every deadline of the runtime with it.

use std::time::{Duration, Instant, SystemTime};

pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The earlier of two moments, of which there may be one or none.
#[inline]
pub(crate) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// The time of the day, for what others say in it. No test moves it.
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}

/// `at` as a moment for tokio's timers, whatever a user gave: they add to it, which
/// the last moments that the clock can tell have no room for.
pub(crate) fn timer(at: Instant) -> tokio::time::Instant {
    const ROOM: Duration = Duration::from_secs(1);
    let has_room = at.checked_add(ROOM).is_some();
    let earlier = at.checked_sub(ROOM).filter(|_| !has_room);
    tokio::time::Instant::from_std(earlier.unwrap_or(at))
}
