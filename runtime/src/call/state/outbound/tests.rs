//! What is put in comes out in order and once, and small takes are limited.

use std::time::Instant;

use bytes::Bytes;

use super::{HOLD, Outbound, SMALL_BURST};
use crate::call::response_head::Coding;
use crate::metadata::Metadata;

fn put(outbound: &mut Outbound, text: &[u8]) {
    outbound.encode(text.len(), |buffer| buffer.extend_from_slice(text));
}

#[test]
fn messages_leave_in_the_order_they_came() {
    let mut outbound = Outbound::default();
    put(&mut outbound, b"a");
    put(&mut outbound, b"b");
    outbound.put_chunk(Bytes::from_static(b"large"));
    put(&mut outbound, b"c");
    outbound.finish();
    let taken = outbound.take(Coding::default());
    assert_eq!(taken.chunks, [&b"ab"[..], b"large", b"c"]);
    assert!(taken.end);
    let again = outbound.take(Coding::default());
    assert!(again.chunks.is_empty() && !again.end);
}

#[test]
fn there_is_room_again_once_bytes_are_framed() {
    let mut outbound = Outbound::default();
    put(&mut outbound, b"four");
    assert!(outbound.has_room(5) && !outbound.has_room(4));
    outbound.take(Coding::default());
    assert!(!outbound.has_room(4));
    assert!(outbound.framed(1, 0).is_none());
    assert!(outbound.has_room(4));
}

#[test]
fn what_there_is_to_take_is_told_once() {
    let mut outbound = Outbound::default();
    assert!(outbound.announce());
    assert!(!outbound.announce());
    outbound.take(Coding::default());
    assert!(outbound.announce());
}

#[test]
fn the_first_message_takes_the_head_along() {
    let mut outbound = Outbound::default();
    outbound.put_head(Metadata::default());
    assert!(!outbound.has_begun());
    put(&mut outbound, b"a");
    assert!(outbound.has_begun());
    assert!(outbound.take(Coding::default()).head.is_some());
    assert!(outbound.framed(1, 0).is_none());
    assert!(outbound.has_begun());
}

#[test]
fn a_head_that_is_needed_goes_alone() {
    let mut outbound = Outbound::default();
    outbound.need_head();
    let outgoing = outbound.take(Coding::default());
    assert!(outgoing.head.is_some() && outgoing.chunks.is_empty());
    assert!(outbound.has_begun());
}

#[test]
fn small_takes_come_in_bursts_and_then_gather() {
    let (mut outbound, now) = (Outbound::default(), Instant::now());
    let take = |outbound: &mut Outbound, now| {
        put(outbound, b"a");
        outbound.take_when_due(Coding::default(), now).is_some()
    };
    for _ in 0..SMALL_BURST {
        assert!(take(&mut outbound, now));
    }
    assert!(!take(&mut outbound, now));
    assert!(take(&mut outbound, now + HOLD));
    assert!(!take(&mut outbound, now + HOLD));
    // Received data shows that the peer reads.
    outbound.earn();
    assert!(take(&mut outbound, now + HOLD));
    // An end is not held.
    outbound.finish();
    assert!(take(&mut outbound, now + HOLD));
}
