//! The client side of `grpc.health.v1` (gRFC A17): its generated messages, and the health
//! that follows from them. Values only.

use crate::status::{Code, Phase, Status};

/// Only messages: a stub would use a channel, which is a higher layer.
mod messages {
    include!("../../../../proto/generated/grpc.health.v1.rs");
}

use messages::health_check_response::ServingStatus;
pub(super) use messages::{HealthCheckRequest, HealthCheckResponse};

pub(super) const PATH: &str = "/grpc.health.v1.Health/Watch";

/// The known health of a server.
#[derive(Clone, Debug)]
pub(crate) enum Health {
    /// Not known yet.
    Awaited,
    /// It accepts calls, or does not report its health.
    Serving,
    /// It accepts no calls, for this reason.
    Failing(Status),
}

impl Health {
    /// Whether both are the same to a policy.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Awaited, Self::Awaited) | (Self::Serving, Self::Serving) => true,
            (Self::Failing(one), Self::Failing(other)) => one.message() == other.message(),
            _ => false,
        }
    }

    pub(super) fn of(response: HealthCheckResponse, service: &str) -> Self {
        let said = match ServingStatus::try_from(response.status) {
            Ok(ServingStatus::Serving) => return Self::Serving,
            Ok(status) => status.as_str_name().to_owned(),
            Err(_) => format!("the unknown state {}", response.status),
        };
        failing(format!("the health of {} is {said}", named(service)))
    }

    /// The health call has ended.
    pub(super) fn ended(status: Status, service: &str) -> Self {
        if status.code() == Code::Unimplemented {
            return Self::Serving;
        }
        let text = format!(
            "the call that watches the health of {} ended with {}: {}",
            named(service),
            status.code(),
            status.message()
        );
        let failed = Status::new(Code::Unavailable, text).with_phase(Phase::Connect);
        Self::Failing(failed.with_source(status))
    }
}

/// The status of calls while no server is serving.
fn failing(text: String) -> Health {
    Health::Failing(Status::new(Code::Unavailable, text).with_phase(Phase::Connect))
}

fn named(service: &str) -> String {
    match service {
        "" => "the server".to_owned(),
        service => format!("{service:?} on the server"),
    }
}
