//! Typed details, against bytes that Python's googleapis-common-protos wrote.

use std::collections::HashMap;
use std::time::Duration;

use prost::{Message, Name};

use super::super::rpc::{
    BadRequest, DebugInfo, ErrorInfo, Help, LocalizedMessage, PreconditionFailure, QuotaFailure,
    RequestInfo, ResourceInfo, RetryInfo, bad_request::FieldViolation, help::Link,
    precondition_failure, quota_failure,
};
use super::super::{Code, Status};

/// One of each, as another implementation encodes them.
const GOLDEN: &[u8] = include_bytes!("golden.bin");

fn text(text: &str) -> String {
    text.to_owned()
}

fn map(key: &str, value: &str) -> HashMap<String, String> {
    HashMap::from([(text(key), text(value))])
}

/// What the golden bytes say, built with ours.
fn one_of_each() -> Status {
    Status::resource_exhausted("too much ☺")
        .with_detail(&ErrorInfo {
            reason: text("R"),
            domain: text("d"),
            metadata: map("k", "v"),
        })
        .with_detail(&RetryInfo {
            retry_delay: Some(prost_types::Duration {
                seconds: 3,
                nanos: 5,
            }),
        })
        .with_detail(&DebugInfo {
            stack_entries: vec![text("a"), text("b")],
            detail: text("x"),
        })
        .with_detail(&QuotaFailure {
            violations: vec![quota_failure::Violation {
                subject: text("s"),
                description: text("d"),
                api_service: text("a"),
                quota_metric: text("m"),
                quota_id: text("i"),
                quota_dimensions: map("r", "z"),
                quota_value: 7,
                future_quota_value: Some(0),
            }],
        })
        .with_detail(&PreconditionFailure {
            violations: vec![precondition_failure::Violation {
                r#type: text("TOS"),
                subject: text("s"),
                description: text("d"),
            }],
        })
        .with_detail(&BadRequest {
            field_violations: vec![FieldViolation {
                field: text("f"),
                description: text("d"),
                reason: text("r"),
                localized_message: Some(LocalizedMessage {
                    locale: text("de"),
                    message: text("m"),
                }),
            }],
        })
        .with_detail(&RequestInfo {
            request_id: text("1"),
            serving_data: text("2"),
        })
        .with_detail(&ResourceInfo {
            resource_type: text("t"),
            resource_name: text("n"),
            owner: text("o"),
            description: text("d"),
        })
        .with_detail(&Help {
            links: vec![Link {
                description: text("d"),
                url: text("u"),
            }],
        })
        .with_detail(&LocalizedMessage {
            locale: text("de-CH"),
            message: text("zu viel"),
        })
}

#[test]
fn the_standard_details_are_those_of_other_implementations() {
    assert_eq!(one_of_each().details()[..], *GOLDEN);
}

fn found<M: Message + Name + Default + PartialEq>(status: &Status) {
    let ours = one_of_each().detail::<M>();
    assert!(ours.is_some(), "{}", M::NAME);
    assert!(status.detail::<M>() == ours, "{}", M::NAME);
}

#[test]
fn each_detail_is_found_by_its_type() {
    let status = Status::new(Code::ResourceExhausted, "too much ☺").with_details(GOLDEN);
    found::<ErrorInfo>(&status);
    found::<RetryInfo>(&status);
    found::<DebugInfo>(&status);
    found::<QuotaFailure>(&status);
    found::<PreconditionFailure>(&status);
    found::<BadRequest>(&status);
    found::<RequestInfo>(&status);
    found::<ResourceInfo>(&status);
    found::<Help>(&status);
    found::<LocalizedMessage>(&status);
    assert_eq!(status.rpc_status().unwrap().details.len(), 10);
}

#[test]
fn broken_details_cost_nothing_but_themselves() {
    let status = Status::aborted("a").with_details(&b"\xff\xff"[..]);
    assert!(status.rpc_status().is_err());
    assert_eq!(status.detail::<RetryInfo>(), None);

    let retry = RetryInfo { retry_delay: None };
    let mended = status.with_detail(&retry);
    assert_eq!(mended.detail::<RetryInfo>(), Some(retry));
    assert_eq!(mended.message(), "a");
}

#[test]
fn a_status_without_details_is_still_one() {
    let content = Status::not_found("x").rpc_status().unwrap();
    assert_eq!((content.code, content.message.as_str()), (5, "x"));
    assert!(content.details.is_empty());
}

#[test]
fn a_delay_is_said_up_to_the_most_that_the_message_holds() {
    let seconds = |delay| RetryInfo::new(delay).retry_delay.unwrap().seconds;
    assert_eq!(seconds(Duration::ZERO), 0);
    assert_eq!(seconds(Duration::from_secs(90)), 90);
    assert_eq!(seconds(Duration::MAX), 315_576_000_000);
}
