//! `grpc.health.v1` as a client sees it (gRFC A17): its messages, which our generator
//! wrote, and what they make of a server. Values.

use crate::status::{Code, Phase, Status};

/// Without a stub, which calls a channel: this is below one.
mod messages {
    include!("../../../../proto/generated/grpc.health.v1.rs");
}

use messages::health_check_response::ServingStatus;
pub(super) use messages::{HealthCheckRequest, HealthCheckResponse};

pub(super) const PATH: &str = "/grpc.health.v1.Health/Watch";

/// What is known of a server's health.
#[derive(Clone, Debug)]
pub(crate) enum Health {
    /// Nothing yet.
    Awaited,
    /// It takes calls, or does not say.
    Serving,
    /// It takes none, for this reason.
    Failing(Status),
}

impl Health {
    /// Whether a policy would make anything else of the other.
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

    /// The call that asks for it is over.
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

/// What calls fail with while no server is better.
fn failing(text: String) -> Health {
    Health::Failing(Status::new(Code::Unavailable, text).with_phase(Phase::Connect))
}

fn named(service: &str) -> String {
    match service {
        "" => "the server".to_owned(),
        service => format!("{service:?} on the server"),
    }
}
