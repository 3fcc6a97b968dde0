//! What makes a server one of a fleet: its name, how slow and how unreliable its unary
//! calls are, and what load they report. It must never leave a failure to chance.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use grpc_runtime::{Context, Status};
use grpc_tests::flags::{FlagError, Flags};

use crate::orca::OutOfBand;

/// One server of several that offer the same.
pub(crate) struct Member {
    /// No other server that runs has it.
    pub(crate) id: String,
    fail_percent: u64,
    delay: Duration,
    qps: f64,
    cpu_utilization: f64,
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
            qps: flags.take("orca_qps", 0.0)?,
            cpu_utilization: flags.take("orca_cpu_utilization", 0.0)?,
            calls: AtomicU64::new(0),
        })
    }

    /// What it reports out of band.
    pub(crate) fn out_of_band(&self) -> OutOfBand {
        OutOfBand::new(self.qps, self.cpu_utilization)
    }

    /// Takes as long as a unary call is to take, and has it report the load. Of any
    /// hundred calls in a row, those that fail are as many as the flag says.
    ///
    /// # Errors
    /// `UNAVAILABLE` for the share of the calls that is to fail.
    pub(crate) async fn begin(&self, context: &mut Context) -> Result<(), Status> {
        if self.qps > 0.0 || self.cpu_utilization > 0.0 {
            let load = context.load();
            load.set_qps(self.qps)
                .set_cpu_utilization(self.cpu_utilization);
        }
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
