//! The load that the server reports by ORCA (gRFC A51): what a client asks it to say, with a
//! call's end or out of band.

use std::time::Duration;

use grpc_runtime::{LoadReport, Service};
use grpc_services::OutOfBandLoad;

use crate::TestOrcaReport;

/// The least time between two reports out of band. 30 s is usual; the official cases
/// ask for 1 s.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);

/// Fills in what a request asked for.
pub(crate) fn fill_in(report: &TestOrcaReport, load: &mut LoadReport) {
    load.set_cpu_utilization(report.cpu_utilization)
        .set_memory_utilization(report.memory_utilization);
    for (name, value) in &report.request_cost {
        load.set_request_cost(name, *value);
    }
    for (name, value) in &report.utilization {
        load.set_utilization(name, *value);
    }
}

/// What the server reports out of band: of one client at a time, and of the last one
/// after it.
pub(crate) struct OutOfBand {
    load: OutOfBandLoad,
    turn: tokio::sync::Mutex<()>,
}

/// A client's turn to say what the server reports.
pub(crate) struct Turn<'a> {
    load: &'a OutOfBandLoad,
    _turn: tokio::sync::MutexGuard<'a, ()>,
}

impl OutOfBand {
    /// Until a client says something, these are reported.
    pub(crate) fn new(qps: f64, cpu_utilization: f64) -> Self {
        let load = OutOfBandLoad::new().least_interval(LEAST_INTERVAL);
        let mut latest = LoadReport::new();
        latest.set_qps(qps).set_cpu_utilization(cpu_utilization);
        load.set(latest);
        Self {
            load,
            turn: tokio::sync::Mutex::default(),
        }
    }

    pub(crate) fn service(&self) -> Service {
        self.load.service()
    }

    /// Waits until no other client has its turn.
    pub(crate) async fn turn(&self) -> Turn<'_> {
        Turn {
            _turn: self.turn.lock().await,
            load: &self.load,
        }
    }
}

impl Turn<'_> {
    /// Reports this, and nothing of what was reported before.
    pub(crate) fn report(&self, asked: &TestOrcaReport) {
        let mut latest = LoadReport::new();
        fill_in(asked, &mut latest);
        self.load.set(latest);
    }
}
