//! `grpc.health.v1.Health` over what a program says of its services. It must never have
//! a task or a timer of its own: who watches waits in the call's.

mod statuses;

use std::collections::HashMap;
use std::future::Future;

use grpc_runtime::{Context, Sender, Service, Status};
use tokio::sync::watch;

use self::statuses::Statuses;
use crate::proto::grpc::health::v1::health_check_response::ServingStatus;
use crate::proto::grpc::health::v1::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse, HealthServer,
    HealthServicer,
};

/// The most services that List tells (gRFC A90).
const LIST_MOST: usize = 100;

/// What a server says of its services' health, and the service
/// (`grpc.health.v1.Health`) that says it to load balancers, Kubernetes' probes and
/// channels with `health_check_service`.
///
/// Clones are the same health. Names are compared as they are; the empty one is the whole
/// server, and [`Serving`](ServingStatus::Serving) from the start. A name that was never
/// [set](Self::set) is unknown: Check says `NOT_FOUND`, Watch `SERVICE_UNKNOWN`, and the
/// real status as soon as there is one. A watcher that reads slowly gets the newest status
/// and none of those before it; one status twice in a row is told once.
///
/// It says what the program says and looks at nothing itself. All methods may be called
/// from any thread, and none of them waits.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use grpc_runtime::Server;
/// use grpc_services::{Health, ServingStatus};
///
/// let health = Health::new();
/// let server = Server::builder()
///     .add_service(health.service())
///     .listen("127.0.0.1:0")
///     .start()
///     .await?;
/// tokio::spawn(health.leave_with(server.leaving()));
///
/// // Whenever it becomes known, and from wherever:
/// health.set("shop.Orders", ServingStatus::NotServing);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Health {
    /// One for all services, as few are ever set: a watcher of a name that nobody knows
    /// then leaves nothing behind.
    statuses: watch::Sender<Statuses>,
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl Health {
    /// A server that is well, and has no more to say.
    pub fn new() -> Self {
        Self {
            statuses: watch::Sender::new(Statuses::new()),
        }
    }

    /// The service, for [`ServerBuilder::add_service`](grpc_runtime::ServerBuilder::add_service);
    /// of several servers, where they share their health.
    pub fn service(&self) -> Service {
        HealthServer::new(self.clone()).into()
    }

    /// Says how a service is, by its full name (`package.Service`, the generated
    /// `NAME`), and the whole server by the empty one. What begins to serve later is
    /// [`NotServing`](ServingStatus::NotServing) until then. With
    /// [`ServiceUnknown`](ServingStatus::ServiceUnknown) it does what [`clear`](Self::clear)
    /// does. Nothing happens between [`shut_down`](Self::shut_down) and
    /// [`resume`](Self::resume).
    pub fn set(&self, service: impl Into<String>, status: ServingStatus) {
        let service = service.into();
        self.statuses
            .send_if_modified(|statuses| statuses.set(service, status));
    }

    /// Forgets a service: whoever watches it is told `SERVICE_UNKNOWN`, and goes on
    /// watching. Nothing happens between [`shut_down`](Self::shut_down) and
    /// [`resume`](Self::resume).
    pub fn clear(&self, service: impl Into<String>) {
        self.set(service, ServingStatus::ServiceUnknown);
    }

    /// Says that all services that are known, and the server, are
    /// [`NotServing`](ServingStatus::NotServing), and that whatever is set from now on
    /// does not count, until [`resume`](Self::resume).
    pub fn shut_down(&self) {
        self.statuses.send_if_modified(Statuses::shut_down);
    }

    /// Takes [`shut_down`](Self::shut_down) back: all services that are known, and the
    /// server, are [`Serving`](ServingStatus::Serving), and what is set counts again. Not
    /// shut down, it does nothing.
    pub fn resume(&self) {
        self.statuses.send_if_modified(Statuses::resume);
    }

    /// [Shuts down](Self::shut_down) when `leaving` is over, which is most often
    /// [`Server::leaving`](grpc_runtime::Server::leaving): balancers then send their calls
    /// elsewhere while
    /// [`shutdown_notice`](grpc_runtime::ServerBuilder::shutdown_notice) lasts. It does so
    /// while it is polled, so it is given to a task. Dropping it changes nothing.
    pub fn leave_with(
        &self,
        leaving: impl Future<Output = ()> + Send + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        let health = self.clone();
        async move {
            leaving.await;
            health.shut_down();
        }
    }
}

impl From<Health> for Service {
    fn from(health: Health) -> Self {
        health.service()
    }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}

impl HealthServicer for Health {
    async fn check(
        &self,
        request: HealthCheckRequest,
        _context: &mut Context,
    ) -> Result<HealthCheckResponse, Status> {
        let status = self.statuses.borrow().of(&request.service);
        status.map(response).ok_or_else(|| {
            Status::not_found("the server says nothing of the health of a service of this name")
        })
    }

    async fn list(
        &self,
        _request: HealthListRequest,
        _context: &mut Context,
    ) -> Result<HealthListResponse, Status> {
        let known = self.statuses.borrow();
        let count = known.all().len();
        if count > LIST_MOST {
            return Err(Status::resource_exhausted(format!(
                "the server tells the health of {count} services, of which List says \
                 {LIST_MOST} at most: ask for each by Check"
            )));
        }
        let statuses: HashMap<_, _> = known
            .all()
            .map(|(name, status)| (name.to_owned(), response(status)))
            .collect();
        Ok(HealthListResponse { statuses })
    }

    async fn watch(
        &self,
        request: HealthCheckRequest,
        replies: &mut Sender<HealthCheckResponse>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        let mut statuses = self.statuses.subscribe();
        let mut told = None;
        loop {
            let known = statuses.borrow_and_update().of(&request.service);
            let now = known.unwrap_or(ServingStatus::ServiceUnknown);
            if told.replace(now) != Some(now) {
                replies.send(response(now)).await?;
            }
            if statuses.changed().await.is_err() {
                return Ok(());
            }
        }
    }
}
