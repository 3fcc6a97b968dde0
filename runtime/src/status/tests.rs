//! Statuses as values and as errors, and the coding of their messages.

use std::error::Error;
use std::io;

use proptest::prelude::*;

use super::message::{decode, encode};
use super::{Code, Phase, Status};
use crate::deadline::parse_timeout;
use crate::metadata::Metadata;

#[test]
fn a_status_is_one_pointer_wide() {
    assert_eq!(size_of::<Status>(), size_of::<usize>());
    assert_eq!(size_of::<Result<(), Status>>(), size_of::<usize>());
}

#[test]
fn a_status_crosses_threads() {
    fn crosses<T: Send + Sync + 'static>() {}
    crosses::<Status>();
}

#[test]
fn each_constructor_has_its_code() {
    let made = [
        Status::new(Code::Ok, "x"),
        Status::cancelled("x"),
        Status::unknown("x"),
        Status::invalid_argument("x"),
        Status::deadline_exceeded("x"),
        Status::not_found("x"),
        Status::already_exists("x"),
        Status::permission_denied("x"),
        Status::resource_exhausted("x"),
        Status::failed_precondition("x"),
        Status::aborted("x"),
        Status::out_of_range("x"),
        Status::unimplemented("x"),
        Status::internal("x"),
        Status::unavailable("x"),
        Status::data_loss("x"),
        Status::unauthenticated("x"),
    ];
    for (number, status) in (0..).zip(made) {
        assert_eq!((status.code().as_i32(), status.message()), (number, "x"));
    }
}

#[test]
fn the_text_has_code_message_and_phase() {
    assert_eq!(Status::aborted("").to_string(), "ABORTED");
    assert_eq!(
        Status::not_found(format!("user {}", 7)).to_string(),
        "NOT_FOUND: user 7"
    );
    let status = Status::unavailable("connection refused").with_phase(Phase::Connect);
    assert_eq!(
        status.to_string(),
        "UNAVAILABLE: connection refused (while connecting)"
    );
    assert_eq!(status.phase(), Some(Phase::Connect));
}

#[test]
fn debug_shows_what_is_there() {
    let bare = format!("{:?}", Status::aborted("a"));
    assert_eq!(bare, r#"Status { code: Aborted, message: "a" }"#);
    let metadata = Metadata::from_pairs([("x-id", "7")]).unwrap();
    let full = Status::aborted("a")
        .with_phase(Phase::Call)
        .with_details(vec![1])
        .with_metadata(metadata)
        .with_source("why");
    let printed = format!("{full:?}");
    for part in ["Call", r"\x01", "x-id", "why"] {
        assert!(printed.contains(part), "{part} in {printed}");
    }
}

#[test]
fn the_source_is_kept_and_shared() {
    let error = io::Error::new(io::ErrorKind::ConnectionRefused, "refused");
    let status = Status::from_error(Code::Unavailable, error).clone();
    assert_eq!(status.message(), "refused");
    let source = status
        .source()
        .unwrap()
        .downcast_ref::<io::Error>()
        .unwrap();
    assert_eq!(source.kind(), io::ErrorKind::ConnectionRefused);
    assert!(Status::aborted("").source().is_none());
}

#[test]
fn details_and_metadata_are_kept() {
    let mut status = Status::aborted("a").with_details(&b"\x08\x0a"[..]);
    status.metadata_mut().append("x-id", "7").unwrap();
    assert_eq!(status.details()[..], *b"\x08\x0a");
    assert_eq!(status.clone().metadata().get("x-id"), Some("7"));
}

#[test]
fn our_own_errors_are_internal() {
    let error = Metadata::new().append("te", "x").unwrap_err();
    let status = Status::from(error.clone());
    assert_eq!(
        (status.code(), status.message()),
        (Code::Internal, error.to_string().as_str())
    );
    assert!(
        status
            .source()
            .is_some_and(<dyn Error>::is::<super::MetadataError>)
    );
    assert_eq!(
        Status::from(parse_timeout(b"1").unwrap_err()).code(),
        Code::Internal
    );
}

#[test]
fn messages_are_encoded_as_other_implementations_do() {
    for (message, encoded) in [
        ("", ""),
        ("plain text ~", "plain text ~"),
        ("100%", "100%25"),
        ("\t\r\n\x7f", "%09%0D%0A%7F"),
        ("☺😈", "%E2%98%BA%F0%9F%98%88"),
        (" a  b ", "%20a  b%20"),
        ("  ", "%20%20"),
    ] {
        assert_eq!(encode(message), encoded);
        assert_eq!(decode(encoded.as_bytes()), message);
    }
    assert!(matches!(encode("plain"), std::borrow::Cow::Borrowed(_)));
}

#[test]
fn garbled_messages_are_read_as_far_as_they_go() {
    for (value, message) in [
        (b"%".as_slice(), "%"),
        (b"a%zzb", "a%zzb"),
        (b"%4", "%4"),
        (b"%41%", "A%"),
        (b"%e2%98%ba", "☺"),
        (b"a%E4%BDb", "a\u{fffd}b"),
        (b"raw \xff", "raw \u{fffd}"),
        ("raw ☺".as_bytes(), "raw ☺"),
    ] {
        assert_eq!(decode(value), message);
    }
}

proptest! {
    #[test]
    fn any_message_survives(message in any::<String>()) {
        let encoded = encode(&message);
        prop_assert!(encoded.bytes().all(|byte| matches!(byte, 0x20..=0x7e)));
        prop_assert!(!encoded.starts_with(' ') && !encoded.ends_with(' '));
        prop_assert_eq!(decode(encoded.as_bytes()), message);
    }

    #[test]
    fn any_value_is_read(value in prop::collection::vec(any::<u8>(), 0..40)) {
        let _ = decode(&value);
    }
}
