//! `grpc.health.v1.Health` over the statuses that a program sets. It has no task and no timer: a
//! watcher waits in its call's task.

mod statuses;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use grpc_runtime::{Context, Sender, Service, Status};
use tokio::sync::watch;

use self::statuses::Statuses;
use crate::draining;
use crate::proto::grpc::health::v1::health_check_response::ServingStatus;
use crate::proto::grpc::health::v1::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse, HealthServer,
    HealthServicer,
};

/// The most services that List tells (gRFC A90).
const LIST_MOST: usize = 100;

/// The health of a server's services, and the service (`grpc.health.v1.Health`) that reports
/// it to load balancers, Kubernetes' probes and channels with `health_check_service`.
///
/// Clones share their state. Names are compared byte by byte; the empty name is the whole
/// server, which is [`Serving`](ServingStatus::Serving) from the start. A name that was
/// never [set](Self::set) is unknown: Check fails with `NOT_FOUND`, and Watch sends
/// `SERVICE_UNKNOWN`, then the real status once it is set. A watcher that reads slowly gets
/// only the newest status; an unchanged status is not sent again.
///
/// Once a server's [shutdown](grpc_runtime::Server::leaving) begins, its service reports
/// that nothing serves, so that clients go elsewhere while
/// [`shutdown_notice`](grpc_runtime::ServerBuilder::shutdown_notice) lasts; when the grace
/// begins, watches end with `UNAVAILABLE`. Otherwise it reports the statuses that the
/// program sets. All methods may be called from any thread and do not block.
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
/// // Whenever it becomes known, and from wherever:
/// health.set("shop.Orders", ServingStatus::NotServing);
/// # drop(server);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Health {
    /// One channel for all services, since statuses are rarely set: a watcher of an unknown
    /// name then leaves no entry behind.
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

    /// Sets the status of a service by its full name (`package.Service`, the generated
    /// `NAME`), or of the whole server by the empty name. Set a service that is not ready
    /// yet to [`NotServing`](ServingStatus::NotServing). With
    /// [`ServiceUnknown`](ServingStatus::ServiceUnknown) it does what [`clear`](Self::clear)
    /// does. Nothing happens between [`shut_down`](Self::shut_down) and
    /// [`resume`](Self::resume).
    pub fn set(&self, service: impl Into<String>, status: ServingStatus) {
        let service = service.into();
        self.statuses
            .send_if_modified(|statuses| statuses.set(service, status));
    }

    /// Removes a service's status: its watchers get `SERVICE_UNKNOWN`, and go on watching.
    /// Nothing happens between [`shut_down`](Self::shut_down) and [`resume`](Self::resume).
    pub fn clear(&self, service: impl Into<String>) {
        self.set(service, ServingStatus::ServiceUnknown);
    }

    /// Says that all services that are known, and the server, are
    /// [`NotServing`](ServingStatus::NotServing), and that whatever is set from now on
    /// does not count, until [`resume`](Self::resume).
    pub fn shut_down(&self) {
        self.statuses.send_if_modified(Statuses::shut_down);
    }

    /// Reverts [`shut_down`](Self::shut_down): all known services and the server become
    /// [`Serving`](ServingStatus::Serving), and [`set`](Self::set) has effect again. It does
    /// nothing if `shut_down` was not called.
    pub fn resume(&self) {
        self.statuses.send_if_modified(Statuses::resume);
    }

    /// [Shuts down](Self::shut_down) when `leaving` is over: for a server that tells the
    /// health of another, as one for probes alone does, the other's
    /// [`Server::leaving`](grpc_runtime::Server::leaving). It does so while it is polled, so
    /// it is given to a task. Dropping it changes nothing.
    ///
    /// ```
    /// # fn watch(shop: &grpc_runtime::Server, health: &grpc_services::Health) {
    /// tokio::spawn(health.leave_with(shop.leaving()));
    /// # }
    /// ```
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

/// Whether it is over already.
async fn is_over(mut signal: Pin<&mut impl Future<Output = ()>>) -> bool {
    poll_fn(|cx| Poll::Ready(signal.as_mut().poll(cx).is_ready())).await
}

/// The status that a call gets for a service: nothing serves once the shutdown has begun.
fn seen(known: Option<ServingStatus>, leaves: bool) -> Option<ServingStatus> {
    let leaves = leaves.then_some(ServingStatus::NotServing);
    known.map(|status| leaves.unwrap_or(status))
}

impl HealthServicer for Health {
    async fn check(
        &self,
        request: HealthCheckRequest,
        context: &mut Context,
    ) -> Result<HealthCheckResponse, Status> {
        let leaves = is_over(pin!(context.leaving())).await;
        let known = self.statuses.borrow().of(&request.service);
        seen(known, leaves).map(response).ok_or_else(|| {
            Status::not_found("the server says nothing of the health of a service of this name")
        })
    }

    async fn list(
        &self,
        _request: HealthListRequest,
        context: &mut Context,
    ) -> Result<HealthListResponse, Status> {
        let leaves = is_over(pin!(context.leaving())).await;
        let known = self.statuses.borrow();
        let count = known.all().len();
        if count > LIST_MOST {
            return Err(Status::resource_exhausted(format!(
                "the server tells the health of {count} services, of which List says \
                 {LIST_MOST} at most: ask for each by Check"
            )));
        }
        let statuses = known.all().filter_map(|(name, status)| {
            let status = seen(Some(status), leaves)?;
            Some((name.to_owned(), response(status)))
        });
        Ok(HealthListResponse {
            statuses: statuses.collect(),
        })
    }

    async fn watch(
        &self,
        request: HealthCheckRequest,
        replies: &mut Sender<HealthCheckResponse>,
        context: &mut Context,
    ) -> Result<(), Status> {
        let mut statuses = self.statuses.subscribe();
        let mut leaving = pin!(context.leaving());
        let mut draining = pin!(context.draining());
        let mut leaves = is_over(leaving.as_mut()).await;
        let mut told = None;
        loop {
            let known = statuses.borrow_and_update().of(&request.service);
            let now = seen(known, leaves).unwrap_or(ServingStatus::ServiceUnknown);
            if told.replace(now) != Some(now) {
                let send = replies.send(response(now));
                draining::send_unless(draining.as_mut(), send).await?;
            }
            // It cannot fail: the handler holds a clone of this health.
            let mut changed = pin!(statuses.changed());
            if leaves {
                // The shutdown has been reported; a watch now lasts until the grace begins.
                let _ = draining::unless(draining.as_mut(), changed).await?;
            } else {
                leaves = poll_fn(|cx| match leaving.as_mut().poll(cx) {
                    Poll::Ready(()) => Poll::Ready(true),
                    Poll::Pending => changed.as_mut().poll(cx).map(|_| false),
                })
                .await;
            }
        }
    }
}
