//! What makes a server one of a fleet: its name, how slow its unary calls are, which of them fail
//! (by count, not by chance), and what load they report.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use grpc_runtime::{Context, Status};
use grpc_tests::flags::{FlagError, Flags};

use crate::orca::OutOfBand;

/// One server of several that offer the same.
pub(crate) struct Member {
    /// No other server that runs has it.
    pub(crate) id: String,
    fails: Share,
    delay: Duration,
    slow: Share,
    slow_delay: Duration,
    qps: f64,
    cpu_utilization: f64,
    /// How many unary calls there were.
    calls: AtomicU64,
}

/// A share of the calls, in percent: of any hundred in a row as many as that.
struct Share(u64);

impl Share {
    /// # Errors
    /// The flag is no number, or above 100.
    fn take(flags: &mut Flags, flag: &str) -> Result<Self, FlagError> {
        match flags.take(flag, 0)? {
            percent @ 0..=100 => Ok(Self(percent)),
            percent => Err(format!("--{flag}={percent}: above 100")),
        }
    }

    /// Whether the call of this number is one of them.
    fn has(&self, number: u64) -> bool {
        number % 100 * self.0 % 100 < self.0
    }
}

impl Member {
    /// # Errors
    /// A value is not one of its kind, or a share is above 100.
    pub(crate) fn take(flags: &mut Flags) -> Result<Self, FlagError> {
        let id = format!("rust-{}", std::process::id());
        Ok(Self {
            id: flags.take("server_id", id)?,
            fails: Share::take(flags, "fail_percent")?,
            delay: Duration::from_millis(flags.take("delay_ms", 0)?),
            slow: Share::take(flags, "slow_percent")?,
            slow_delay: Duration::from_millis(flags.take("slow_ms", 0)?),
            qps: flags.take("orca_qps", 0.0)?,
            cpu_utilization: flags.take("orca_cpu_utilization", 0.0)?,
            calls: AtomicU64::new(0),
        })
    }

    /// What it reports out of band.
    pub(crate) fn out_of_band(&self) -> OutOfBand {
        OutOfBand::new(self.qps, self.cpu_utilization)
    }

    /// How many unary calls have begun.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Takes as long as a unary call is to take, and has it report the load.
    ///
    /// # Errors
    /// `UNAVAILABLE` for the share of the calls that is to fail.
    pub(crate) async fn begin(&self, context: &mut Context) -> Result<(), Status> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        if self.qps > 0.0 || self.cpu_utilization > 0.0 {
            let load = context.load();
            load.set_qps(self.qps)
                .set_cpu_utilization(self.cpu_utilization);
        }
        let delay = if self.slow.has(number) {
            self.slow_delay
        } else {
            self.delay
        };
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        if self.fails.has(number) {
            let text = format!("--fail_percent={} asks for it", self.fails.0);
            return Err(Status::unavailable(text));
        }
        Ok(())
    }
}
