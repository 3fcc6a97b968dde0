//! The policy of the cases of ORCA, by its official name: a connection to the target; each load
//! report of its server goes to the test.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use grpc_runtime::{
    AttemptEnd, AttemptEnds, Balance, ConnectivityState, Control, Endpoint, LoadReport, Pick,
    PickArgs, Picker, Picks, Policy, Resolved, Status, Subchannel, SubchannelState, Ticket,
};
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

use crate::client::BOUND;
use crate::failure::Failure;

/// The official one of the cases of ORCA.
pub(crate) const SERVICE_CONFIG: &str =
    r#"{"loadBalancingConfig":[{"test_backend_metrics_load_balancer":{}}]}"#;

/// How often the server is to report its load out of band.
const INTERVAL: Duration = Duration::from_secs(1);

/// What a server has reported last out of band.
type OutOfBand = Arc<std::sync::Mutex<Option<LoadReport>>>;

/// Makes the policy for a channel.
pub(crate) struct BackendMetrics(Arc<CallEnds>, OutOfBand);

/// What the policy of a channel hears.
pub(crate) struct Reports {
    with_ends: Mutex<mpsc::UnboundedReceiver<Option<LoadReport>>>,
    out_of_band: OutOfBand,
}

impl BackendMetrics {
    /// The policy, and what it will hear.
    pub(crate) fn new() -> (Self, Reports) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let with_ends = Mutex::new(receiver);
        let out_of_band = OutOfBand::default();
        let reports = Reports {
            with_ends,
            out_of_band: Arc::clone(&out_of_band),
        };
        (Self(Arc::new(CallEnds(sender)), out_of_band), reports)
    }
}

impl Reports {
    /// What the server has reported last by itself, if anything.
    pub(crate) fn out_of_band(&self) -> Option<LoadReport> {
        let last = self.out_of_band.lock();
        last.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the next call's end reported, if that was anything.
    ///
    /// # Errors
    /// The policy heard of no end.
    pub(crate) async fn with_next_end(&self) -> Result<Option<LoadReport>, Failure> {
        let mut reports = self.with_ends.lock().await;
        let told = timeout(BOUND, reports.recv()).await;
        told.ok()
            .flatten()
            .ok_or_else(|| format!("no policy heard of a call's end within {BOUND:?}").into())
    }
}

struct CallEnds(mpsc::UnboundedSender<Option<LoadReport>>);

impl AttemptEnds for CallEnds {
    fn ended(&self, _token: u64, end: &AttemptEnd<'_>) {
        let report = end.trailing_metadata.and_then(LoadReport::from_metadata);
        // Without a test there is nobody to tell.
        let _ = self.0.send(report);
    }
}

impl Balance for BackendMetrics {
    fn name(&self) -> &'static str {
        "test_backend_metrics_load_balancer"
    }

    fn policy(&self) -> Box<dyn Policy> {
        Box::new(One {
            ends: Arc::clone(&self.0),
            out_of_band: Arc::clone(&self.1),
            subchannel: None,
        })
    }
}

/// All addresses lead to one server.
struct One {
    ends: Arc<CallEnds>,
    out_of_band: OutOfBand,
    subchannel: Option<Subchannel>,
}

impl Policy for One {
    fn update(&mut self, resolved: Resolved, control: &mut Control<'_>) -> Result<(), Status> {
        let all = resolved.endpoints.iter().flat_map(Endpoint::addresses);
        let mut addresses = all.cloned();
        let Some(first) = addresses.next() else {
            let status = Status::unavailable("the target has no address");
            self.resolution_failed(status.clone(), control);
            return Err(status);
        };
        let endpoint = addresses.fold(Endpoint::new(first), Endpoint::and);
        if self.subchannel.as_ref().map(Subchannel::endpoint) != Some(&endpoint) {
            let new = control.subchannel(endpoint);
            control.report_load(&new, Some(INTERVAL));
            new.connect();
            if let Some(old) = self.subchannel.replace(new) {
                control.remove(old);
            }
            control.publish(ConnectivityState::Connecting, Picks::wait());
        }
        Ok(())
    }

    fn resolution_failed(&mut self, status: Status, control: &mut Control<'_>) {
        if self.subchannel.is_none() {
            control.publish(ConnectivityState::TransientFailure, Picks::fail(status));
        }
    }

    fn changed(
        &mut self,
        subchannel: &Subchannel,
        state: SubchannelState,
        control: &mut Control<'_>,
    ) {
        match state {
            SubchannelState::Ready(_) => {
                let picker = Reporting(subchannel.clone(), Arc::clone(&self.ends));
                control.publish(ConnectivityState::Ready, Picks::by(picker));
            }
            SubchannelState::TransientFailure(status) => {
                control.publish(ConnectivityState::TransientFailure, Picks::fail(status));
            }
            SubchannelState::Idle => {
                subchannel.connect();
                control.resolve_again();
            }
            _ => control.publish(ConnectivityState::Connecting, Picks::wait()),
        }
    }

    fn load_reported(
        &mut self,
        _subchannel: &Subchannel,
        report: &LoadReport,
        _control: &mut Control<'_>,
    ) {
        let mut last = self
            .out_of_band
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *last = Some(report.clone());
    }

    fn connect(&mut self, _control: &mut Control<'_>) {
        if let Some(subchannel) = &self.subchannel {
            subchannel.connect();
        }
    }
}

struct Reporting(Subchannel, Arc<CallEnds>);

impl Picker for Reporting {
    fn pick(&self, _args: &PickArgs<'_>) -> Pick<'_> {
        let ends = Arc::clone(&self.1);
        Pick::Use(&self.0, Some(Ticket::new(ends, 0)))
    }
}
