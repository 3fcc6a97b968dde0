//! What is put in comes out in order and once, and small takes are limited.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::{CallMemory, HOLD, Outbound, Reserve, SMALL_BURST};
use crate::call::response_head::Coding;
use crate::metadata::Metadata;
use crate::transport::http2::memory::Memory;

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

/// 4 MiB for all calls, and the memory of a connection's.
fn calls() -> Arc<CallMemory> {
    CallMemory::new(Memory::new(0))
}

#[test]
fn a_chunk_keeps_its_memory_until_all_of_it_is_framed() {
    let calls = calls();
    let mut outbound = Outbound::counted_with(&calls);
    assert!(outbound.make_room(1 << 20, 64 << 10));
    outbound.put_chunk(Bytes::from(vec![0; 1 << 20]));
    outbound.take(Coding::default());
    let held = calls.held();
    assert!(held >= 1_000_000);
    assert!(outbound.framed(500_000, 500_000).is_none());
    assert!(
        outbound
            .framed((1 << 20) - 500_100, (1 << 20) - 100)
            .is_none()
    );
    assert!(outbound.has_room(64 << 10));
    assert!(!outbound.fits(10_000), "there is no memory for it yet");
    assert_eq!(calls.held(), held);
    drop(outbound.framed(100, 0));
    assert_eq!(calls.held(), 0);
}

#[test]
fn a_response_is_seen_once_before_it_is_found_unread() {
    let mut outbound = Outbound::counted_with(&calls());
    for _ in 0..2 {
        assert!(outbound.make_room(100_000, 64 << 10));
        assert!(!outbound.look(), "it holds nothing");
        outbound.put_chunk(Bytes::from(vec![0; 100_000]));
        assert!(!outbound.look(), "it is new");
        assert!(outbound.framed(90_000, 90_000).is_none());
        assert!(!outbound.look(), "it gets on");
        assert!(outbound.look());
        assert!(outbound.framed(10_000, 0).is_some());
    }
    assert!(!outbound.look());
}

#[test]
fn memory_for_a_message_that_does_not_come_is_given_back() {
    let calls = calls();
    let mut outbound = Outbound::counted_with(&calls);
    assert!(outbound.make_room(100_000, 64 << 10));
    assert!(calls.held() > 0);
    drop(outbound.surrender_unused());
    assert_eq!(calls.held(), 0);
}

#[test]
fn a_few_bytes_do_not_keep_a_large_buffer() {
    let mut outbound = Outbound::counted_with(&calls());
    let mut take = |length| {
        put(&mut outbound, &vec![7; length]);
        let chunk = outbound.take(Coding::default()).chunks.pop_back().unwrap();
        (chunk.len(), outbound.buffer.capacity())
    };
    assert_eq!(take(60_000), (60_000, 0));
    assert_eq!(take(100), (100, 0));
    assert_eq!(outbound.usual, 100);
}

#[test]
fn who_waits_for_memory_does_so_until_there_is_some_or_the_call_ends() {
    let calls = calls();
    let mut other = Reserve::new(&calls);
    other.take(5 << 20);
    let mut outbound = Outbound::counted_with(&calls);
    for ends in [true, false] {
        assert!(!outbound.make_room(100_000, 64 << 10));
        assert!(outbound.starves() && calls.starves());
        if ends {
            drop(outbound.clear());
        } else {
            assert!(outbound.stop_starving());
        }
        assert!(!calls.starves());
    }
}
