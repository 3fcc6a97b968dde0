//! The request of a watch, and how its answers are read. Values only.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use prost::Message;
use prost_types::Duration as ProtoDuration;

use super::health::{self, Health, HealthCheckRequest, HealthCheckResponse};
use crate::call::load_report::LoadReport;
use crate::framing::{FramingError, MessageReader, encode_message};
use crate::status::Status;

/// The largest answer, in bytes: a health state takes two, and a load report a line for
/// each metric.
const MOST: usize = 256 << 10;

const LOAD_PATH: &str = "/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// The health of this service.
    Health(Arc<str>),
    /// The load, at this interval.
    Load(Duration),
}

/// A server's answer.
#[derive(Debug)]
pub(in super::super) enum Word {
    Health(Health),
    Load(LoadReport),
}

#[derive(Clone, PartialEq, Message)]
struct OrcaLoadReportRequest {
    #[prost(message, optional, tag = "1")]
    report_interval: Option<ProtoDuration>,
}

impl Subject {
    pub(super) fn path(&self) -> &'static str {
        match self {
            Self::Health(_) => health::PATH,
            Self::Load(_) => LOAD_PATH,
        }
    }

    /// The request with its prefix.
    pub(super) fn request(&self) -> Bytes {
        let mut framed = BytesMut::new();
        // Only a name of 4 GiB would be too large.
        let _ = match self {
            Self::Health(service) => {
                let service = service.to_string();
                encode_message(&HealthCheckRequest { service }, usize::MAX, &mut framed)
            }
            Self::Load(interval) => {
                let report_interval = ProtoDuration::try_from(*interval).ok();
                let request = OrcaLoadReportRequest { report_interval };
                encode_message(&request, usize::MAX, &mut framed)
            }
        };
        framed.freeze()
    }

    /// The next complete answer.
    pub(super) fn next(&self, reader: &mut MessageReader) -> Result<Option<Word>, FramingError> {
        Ok(match self {
            Self::Health(service) => {
                let next = reader.next_message::<HealthCheckResponse>(MOST)?;
                next.map(|(response, ..)| Word::Health(Health::of(response, service)))
            }
            Self::Load(_) => {
                let next = reader.next_message::<LoadReport>(MOST)?;
                next.map(|(report, ..)| Word::Load(report))
            }
        })
    }

    /// The effect of the call's end; the last load report stays valid.
    pub(super) fn ended(&self, status: Status) -> Option<Word> {
        match self {
            Self::Health(service) => Some(Word::Health(Health::ended(status, service))),
            Self::Load(_) => None,
        }
    }
}
