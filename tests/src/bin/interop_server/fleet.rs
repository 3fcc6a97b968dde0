//! What makes a server one of a fleet: its name, and how slow and how unreliable its
//! unary calls are. It must never leave a failure to chance.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use grpc_runtime::Status;
use grpc_tests::flags::{FlagError, Flags};

/// One server of several that offer the same.
pub(crate) struct Member {
    /// No other server that runs has it.
    pub(crate) id: String,
    fail_percent: u64,
    delay: Duration,
    /// How many unary calls there were.
    calls: AtomicU64,
}

impl Member {
    /// # Errors
    /// A value is not one of its kind, or the share is above 100.
    pub(crate) fn take(flags: &mut Flags) -> Result<Self, FlagError> {
        let id = format!("rust-{}", std::process::id());
        let fail_percent = flags.take("fail_percent", 0)?;
        if fail_percent > 100 {
            return Err(format!("--fail_percent={fail_percent}: above 100"));
        }
        Ok(Self {
            id: flags.take("server_id", id)?,
            fail_percent,
            delay: Duration::from_millis(flags.take("delay_ms", 0)?),
            calls: AtomicU64::new(0),
        })
    }

    /// Takes as long as a unary call is to take. Of any hundred calls in a row, those
    /// that fail are as many as the flag says.
    ///
    /// # Errors
    /// `UNAVAILABLE` for the share of the calls that is to fail.
    pub(crate) async fn begin(&self) -> Result<(), Status> {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        if self.fail_percent > 0 {
            let number = self.calls.fetch_add(1, Ordering::Relaxed);
            if number % 100 * self.fail_percent % 100 < self.fail_percent {
                let text = format!("--fail_percent={} asks for it", self.fail_percent);
                return Err(Status::unavailable(text));
            }
        }
        Ok(())
    }
}
