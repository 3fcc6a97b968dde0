//! How long is as good as for ever, for options that are durations. Values.

use std::time::Duration;

/// Longer than anything that is waited for, and short enough to be added to any
/// moment. No time that a user sets comes to a connection unless it was cut to this.
pub(crate) const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// A duration as an option that switches something on; `None` for one that is as
/// good as endless.
pub(crate) fn limited(duration: Duration) -> Option<Duration> {
    (duration < FOREVER).then_some(duration)
}
