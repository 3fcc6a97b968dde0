//! `xds.service.orca.v3.OpenRcaService` over the load that a program sets. It measures nothing
//! itself.

use std::pin::pin;
use std::time::Duration;

use grpc_runtime::{Context, LoadReport, Sender, Service, Status};
use tokio::sync::watch;

use crate::draining;
use crate::proto::xds::service::orca::v3::{
    OpenRcaServiceServer, OpenRcaServiceServicer, OrcaLoadReportRequest,
};

/// Between two reports at the least, unless it is set.
const LEAST_INTERVAL: Duration = Duration::from_secs(30);

/// A server's out-of-band load report (gRFC A51), and the service
/// (`xds.service.orca.v3.OpenRcaService`) that streams it to balancers, for example channels
/// with
/// [`WeightedRoundRobin::oob_reporting_period`](grpc_runtime::WeightedRoundRobin::oob_reporting_period).
/// For reports at the end of each call use [`Context::load`].
///
/// Clones share their state. A client gets the current report at once, and then one after
/// each interval that it requests, or after the [least interval](Self::least_interval), if
/// that is longer. The request costs that it names are ignored: each report is sent as it
/// was set. When its server's [grace](grpc_runtime::Server::shutdown) begins, the stream
/// ends with `UNAVAILABLE`.
///
/// ```
/// use grpc_runtime::{LoadReport, Server};
/// use grpc_services::OutOfBandLoad;
///
/// let load = OutOfBandLoad::new();
/// let server = Server::builder().add_service(load.service());
///
/// // Every few seconds, from what the program measures:
/// let mut report = LoadReport::new();
/// report.set_cpu_utilization(0.7).set_qps(1_200.0);
/// load.set(report);
/// # drop(server);
/// ```
#[derive(Clone, Debug)]
pub struct OutOfBandLoad {
    latest: watch::Sender<LoadReport>,
    least_interval: Duration,
}

impl Default for OutOfBandLoad {
    fn default() -> Self {
        Self::new()
    }
}

impl OutOfBandLoad {
    /// A load of which nothing is said yet.
    pub fn new() -> Self {
        Self {
            latest: watch::Sender::new(LoadReport::new()),
            least_interval: LEAST_INTERVAL,
        }
    }

    /// Sets the least time between two reports on a stream, whatever interval its client
    /// requests. Default: 30 s; values below 1 ms count as 1 ms. Services that were made
    /// before keep their interval.
    #[must_use]
    pub fn least_interval(mut self, interval: Duration) -> Self {
        self.least_interval = interval.max(Duration::from_millis(1));
        self
    }

    /// The service, for [`ServerBuilder::add_service`](grpc_runtime::ServerBuilder::add_service).
    pub fn service(&self) -> Service {
        OpenRcaServiceServer::new(self.clone()).into()
    }

    /// Replaces the report. Streams are not woken: each sends it at its next interval.
    pub fn set(&self, report: LoadReport) {
        self.latest.send_replace(report);
    }
}

impl From<OutOfBandLoad> for Service {
    fn from(load: OutOfBandLoad) -> Self {
        load.service()
    }
}

impl OpenRcaServiceServicer for OutOfBandLoad {
    async fn stream_core_metrics(
        &self,
        request: OrcaLoadReportRequest,
        reports: &mut Sender<LoadReport>,
        context: &mut Context,
    ) -> Result<(), Status> {
        // A missing or negative interval counts as zero.
        let asked = request.report_interval.unwrap_or_default();
        let asked = Duration::try_from(asked).unwrap_or_default();
        let interval = asked.max(self.least_interval);
        let mut draining = pin!(context.draining());
        loop {
            let report = self.latest.borrow().clone();
            draining::send_unless(draining.as_mut(), reports.send(report)).await?;
            draining::unless(draining.as_mut(), tokio::time::sleep(interval)).await?;
        }
    }
}
