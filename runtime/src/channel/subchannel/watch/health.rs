//! `grpc.health.v1` as a client sees it (gRFC A17): its two messages, and what they make
//! of a server. Values.

use prost::Message;

use crate::status::{Code, Phase, Status};

pub(super) const PATH: &str = "/grpc.health.v1.Health/Watch";

#[derive(Clone, PartialEq, Message)]
pub(super) struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    pub(super) service: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct HealthCheckResponse {
    /// Its enum, with states that are not known here yet.
    #[prost(int32, tag = "1")]
    status: i32,
}

/// `ServingStatus`' number of it.
const SERVING: i32 = 1;

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
    pub(super) fn of(response: &HealthCheckResponse, service: &str) -> Self {
        let said = match response.status {
            SERVING => return Self::Serving,
            0 => "UNKNOWN".to_owned(),
            2 => "NOT_SERVING".to_owned(),
            3 => "SERVICE_UNKNOWN".to_owned(),
            other => format!("the unknown state {other}"),
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
