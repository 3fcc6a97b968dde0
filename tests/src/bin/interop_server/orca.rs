//! The load that the server reports by ORCA (gRFC A51): what a client has it say, with a
//! call's end or out of band. It must never measure anything.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use grpc_runtime::{Context, LoadReport, Sender, Status};

use crate::TestOrcaReport;

mod proto {
    grpc_runtime::include_proto!("orca");
}

use proto::xds::data::orca::v3::OrcaLoadReport;
pub(crate) use proto::xds::service::orca::v3::OpenRcaServiceServer;
use proto::xds::service::orca::v3::{OpenRcaServiceServicer, OrcaLoadReportRequest};

/// The least time between two reports out of band. 30 s is usual; the official cases
/// ask for 1 s.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);

/// Has a call's end carry what its request asked for.
pub(crate) fn report_with_end(report: &TestOrcaReport, load: &mut LoadReport) {
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
    latest: Mutex<OrcaLoadReport>,
    turn: tokio::sync::Mutex<()>,
}

/// A client's turn to say what the server reports.
pub(crate) struct Turn<'a> {
    latest: &'a Mutex<OrcaLoadReport>,
    _turn: tokio::sync::MutexGuard<'a, ()>,
}

impl OutOfBand {
    /// Until a client says something, these are reported.
    pub(crate) fn new(qps: f64, cpu_utilization: f64) -> Self {
        let latest = OrcaLoadReport {
            rps_fractional: qps,
            cpu_utilization,
            ..OrcaLoadReport::default()
        };
        Self {
            latest: Mutex::new(latest),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Waits until no other client has its turn.
    pub(crate) async fn turn(&self) -> Turn<'_> {
        Turn {
            _turn: self.turn.lock().await,
            latest: &self.latest,
        }
    }
}

impl Turn<'_> {
    /// Reports this, and nothing of what was reported before.
    pub(crate) fn report(&self, report: TestOrcaReport) {
        *lock(self.latest) = OrcaLoadReport {
            cpu_utilization: report.cpu_utilization,
            mem_utilization: report.memory_utilization,
            request_cost: report.request_cost,
            utilization: report.utilization,
            ..OrcaLoadReport::default()
        };
    }
}

fn lock(latest: &Mutex<OrcaLoadReport>) -> std::sync::MutexGuard<'_, OrcaLoadReport> {
    latest.lock().unwrap_or_else(PoisonError::into_inner)
}

impl OpenRcaServiceServicer for OutOfBand {
    async fn stream_core_metrics(
        &self,
        request: OrcaLoadReportRequest,
        reports: &mut Sender<OrcaLoadReport>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        // None is zero, and so is one that is negative.
        let asked = request.report_interval.unwrap_or_default();
        let interval = Duration::try_from(asked).unwrap_or_default();
        loop {
            let report = lock(&self.latest).clone();
            reports.send(report).await?;
            tokio::time::sleep(interval.max(LEAST_INTERVAL)).await;
        }
    }
}
