//! The one place that reads the time. It goes through tokio's clock, so that a
//! test with paused time moves every deadline of the runtime with it.

use std::time::Instant;

pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
