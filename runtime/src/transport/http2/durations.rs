//! The bound from which a duration in an option counts as endless.

use std::time::Duration;

/// 100 years: longer than any wait, and short enough to be added to any `Instant`. Durations
/// of users are cut to this before a connection gets them.
pub(crate) const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// A duration as an optional limit; `None` if it is [`FOREVER`] or longer.
pub(crate) fn limited(duration: Duration) -> Option<Duration> {
    (duration < FOREVER).then_some(duration)
}
