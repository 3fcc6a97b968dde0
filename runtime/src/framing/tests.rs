//! Messages cut at every place, too large, cut off, or not messages.

use std::error::Error;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use proptest::prelude::*;
use prost::Message;

use super::{
    FramingError, MessageReader, PREFIX_LEN, Payload, Side, decode_message, encode_message,
    framed_len,
};
use crate::code::Code;
use crate::limits::CallLimits;
use crate::status::{Phase, Status};

pub(super) const NO_LIMIT: usize = usize::MAX;

pub(super) fn framed(bodies: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for body in bodies {
        out.put_u8(0);
        out.put_u32(u32::try_from(body.len()).unwrap());
        out.extend_from_slice(body);
    }
    out
}

pub(super) fn prefix(flag: u8, length: u32) -> Bytes {
    let mut out = BytesMut::new();
    out.put_u8(flag);
    out.put_u32(length);
    out.freeze()
}

pub(super) fn content(payload: &Payload) -> Vec<u8> {
    let mut reader = payload.reader();
    let bytes = reader.copy_to_bytes(reader.remaining());
    assert!(!reader.has_remaining());
    bytes.to_vec()
}

/// All messages that are complete.
pub(super) fn drain(reader: &mut MessageReader) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    while let Some(payload) = reader.next(NO_LIMIT).unwrap() {
        bodies.push(content(&payload));
    }
    bodies
}

fn assert_status(error: FramingError, side: Side, code: Code, parts: &[&str]) {
    let status = error.into_status(side);
    assert_eq!(status.code(), code);
    for part in parts {
        assert!(status.message().contains(part), "{part} in {status}");
    }
    assert!(status.phase().is_some());
    assert!(status.source().is_some());
}

pub(super) fn bodies() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let length = prop_oneof![4 => 0..20_usize, 2 => 0..2_000_usize, 1 => 0..9_000_usize];
    prop::collection::vec(
        length.prop_flat_map(|n| prop::collection::vec(any::<u8>(), n)),
        0..12,
    )
}

pub(super) fn cuts() -> impl Strategy<Value = Vec<usize>> {
    let cut = prop_oneof![3 => 0..12_usize, 2 => 0..1_100_usize, 1 => 1_000..6_000_usize];
    prop::collection::vec(cut, 1..20)
}

#[test]
fn the_limit_counts_the_body_and_is_checked_on_the_prefix() {
    let mut reader = MessageReader::new();
    reader.push(prefix(0, 10));
    assert!(reader.next(10).unwrap().is_none());

    let mut reader = MessageReader::new();
    reader.push(prefix(0, 11));
    let error = reader.next(10).unwrap_err();
    assert_eq!(
        error,
        FramingError::ReceiveTooLarge {
            size: 11,
            limit: 10
        }
    );
    assert_eq!(reader.next(10).unwrap_err(), error);
    let parts = ["the server", "11 bytes", "max_receive_message_size is 10"];
    assert_status(error, Side::Server, Code::ResourceExhausted, &parts);
}

#[test]
fn a_message_to_send_is_held_to_its_limit() {
    let message = "x".repeat(10);
    let size = message.encoded_len();
    let mut out = BytesMut::new();
    encode_message(&message, size, &mut out).unwrap();
    assert_eq!(out.len(), PREFIX_LEN + size);
    let before = out.clone();
    let error = encode_message(&message, size - 1, &mut out).unwrap_err();
    assert_eq!(out, before);
    let parts = ["the client", "max_send_message_size is 11", "12 bytes"];
    assert_status(error, Side::Client, Code::ResourceExhausted, &parts);
    assert_eq!(framed_len(&message, NO_LIMIT), Ok(PREFIX_LEN + size));
}

#[test]
fn the_default_limits_are_those_of_other_implementations() {
    let limits = CallLimits::default();
    assert_eq!(limits.max_receive_message_size, 4_194_304);
    assert_eq!(limits.max_send_message_size, usize::MAX);
}

#[test]
fn flags_other_than_zero_are_refused() {
    for flag in 1..=255 {
        let mut reader = MessageReader::new();
        reader.push(prefix(flag, 0));
        let error = reader.next(NO_LIMIT).unwrap_err();
        let part = if flag == 1 { "compressed" } else { "0x" };
        assert_status(error, Side::Client, Code::Internal, &["the client", part]);
    }
}

#[test]
fn truncation_is_internal() {
    let error = FramingError::TruncatedBody {
        received: 3,
        size: 10,
    };
    assert_status(
        error,
        Side::Server,
        Code::Internal,
        &["the server", "3 of 10 bytes"],
    );
    let error = FramingError::TruncatedPrefix { received: 3 };
    let parts = ["the client", "3 of 5 bytes"];
    assert_status(error, Side::Client, Code::Internal, &parts);
}

#[test]
fn what_is_no_message_is_internal_and_keeps_its_source() {
    let error = decode_message::<String>(Bytes::from_static(b"\x0a\x02a").into()).unwrap_err();
    let status: Status = error.into_status(Side::Server);
    assert_eq!(
        (status.code(), status.phase()),
        (Code::Internal, Some(Phase::Receive))
    );
    assert!(
        status
            .message()
            .starts_with("the server cannot decode a message: "),
        "{status}"
    );
    assert!(
        status
            .source()
            .is_some_and(<dyn Error>::is::<prost::DecodeError>)
    );
}

#[test]
fn a_payload_ends_where_it_ends() {
    let payload = Payload::from(Bytes::from_static(b"abc"));
    let mut reader = payload.reader();
    reader.advance(9);
    assert_eq!((reader.remaining(), reader.chunk()), (0, b"".as_slice()));
    assert_eq!(reader.copy_to_bytes(1), Bytes::new());
}

proptest! {
    #[test]
    fn messages_written_are_messages_read(texts in prop::collection::vec(".{0,400}", 0..8), cuts in cuts()) {
        let mut out = BytesMut::new();
        for text in &texts {
            encode_message(text, NO_LIMIT, &mut out).unwrap();
        }
        let mut left = out.freeze();
        let mut reader = MessageReader::new();
        for cut in cuts.iter().chain(&[3]).cycle() {
            if left.is_empty() {
                break;
            }
            reader.push(left.split_to(left.len().min(*cut)));
        }
        let mut read = Vec::new();
        while let Some(payload) = reader.next(NO_LIMIT).unwrap() {
            read.push(decode_message::<String>(payload).unwrap().0);
        }
        prop_assert_eq!(read, texts);
    }

    #[test]
    fn a_payload_is_a_buffer_like_any(bodies in bodies(), steps in prop::collection::vec((0..900_usize, any::<bool>()), 0..20)) {
        let pieces = bodies.iter().filter(|body| !body.is_empty());
        let payload = Payload::chain(pieces.map(|body| Bytes::from(body.clone())).collect());
        let mut reader = payload.reader();
        let mut plain = Bytes::from(bodies.concat());
        for (step, copies) in steps {
            let step = step.min(plain.len());
            if copies {
                prop_assert_eq!(reader.copy_to_bytes(step), plain.copy_to_bytes(step));
            } else {
                reader.advance(step);
                plain.advance(step);
            }
            prop_assert_eq!(reader.remaining(), plain.len());
            prop_assert_eq!(reader.chunk().is_empty(), plain.is_empty());
        }
        prop_assert_eq!(reader.copy_to_bytes(usize::MAX), plain);
    }
}
