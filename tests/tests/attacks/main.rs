//! Clients that mean harm, over real sockets, against a server in a process of its
//! own: it stays up, within its memory, and another client's calls succeed
//! meanwhile. What the HTTP/2 machine alone says to each is in the runtime's
//! `hostile_tests`.

#![cfg(target_os = "linux")]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests"
)]

mod attacker;
mod sender;
mod target;
mod whole_server;

use std::time::{Duration, Instant};

use grpc_runtime::prost::Message;
use grpc_runtime::{Channel, Code, Compression};

use crate::attacker::{Attacker, CONTINUATION, DATA, END_HEADERS, HEADERS, PING, RST_STREAM};
use crate::attacker::{END_STREAM, SETTINGS, WINDOW_UPDATE};
use crate::sender::Sender;
use crate::target::{MIB, Target};

mod proto {
    grpc_runtime::include_proto!("grpc.testing");
}

const EMPTY: &str = "/grpc.testing.TestService/EmptyCall";
const UNARY: &str = "/grpc.testing.TestService/UnaryCall";
const OUTPUT: &str = "/grpc.testing.TestService/StreamingOutputCall";
const INPUT: &str = "/grpc.testing.TestService/StreamingInputCall";
const DUPLEX: &str = "/grpc.testing.TestService/FullDuplexCall";

const CANCEL: [u8; 4] = [0, 0, 0, 8];
const ENHANCE_YOUR_CALM: u32 = 11;
/// SETTINGS_INITIAL_WINDOW_SIZE of nothing.
const NO_WINDOW: [u8; 6] = [0, 4, 0, 0, 0, 0];

/// The stream of the call with this number.
fn stream(number: u32) -> u32 {
    2 * number + 1
}

/// A message behind its prefix.
fn framed(message: &impl Message) -> Vec<u8> {
    let message = message.encode_to_vec();
    let length = u32::try_from(message.len()).unwrap();
    [&[0][..], &length.to_be_bytes(), &message].concat()
}

#[test]
fn rapid_reset_closes_its_connection_alone() {
    let target = Target::start();
    let mut attacker = Attacker::connect(&target.address, &[]);
    let ended = attacker.told_to_leave();
    for number in 0..50_000 {
        attacker.head(stream(number), EMPTY, 0);
        attacker.frame(RST_STREAM, 0, stream(number), &CANCEL);
    }
    attacker.flush();
    assert_eq!(ended.join().unwrap(), Some(ENHANCE_YOUR_CALM));
    target.stands_within(8 * MIB);
}

/// Resets that the server is made to send are as costly.
#[test]
fn making_the_server_reset_closes_the_connection_alone() {
    let target = Target::start();
    let mut attacker = Attacker::connect(&target.address, &[]);
    let ended = attacker.told_to_leave();
    for number in 0..50_000 {
        attacker.head(stream(number), EMPTY, 0);
        attacker.frame(WINDOW_UPDATE, 0, stream(number), &[0; 4]);
    }
    attacker.flush();
    assert_eq!(ended.join().unwrap(), Some(ENHANCE_YOUR_CALM));
    target.stands_within(8 * MIB);
}

#[test]
fn a_header_block_without_end_is_cut_off() {
    for piece in [&[][..], &[0x10; 16 << 10]] {
        let target = Target::start();
        let mut attacker = Attacker::connect(&target.address, &[]);
        let ended = attacker.told_to_leave();
        attacker.frame(HEADERS, 0, 1, &attacker::block(EMPTY));
        for _ in 0..5_000 {
            attacker.frame(CONTINUATION, 0, 1, piece);
        }
        attacker.flush();
        assert!(ended.join().unwrap().is_some());
        target.stands_within(4 * MIB);
    }
}

/// One that does not read what it makes the server say is not read either.
#[test]
fn a_flood_of_questions_from_who_reads_no_answer_is_not_answered() {
    for (kind, payload) in [(PING, &[7; 8][..]), (SETTINGS, &[0, 3, 0, 0, 0, 9])] {
        let target = Target::start();
        let mut attacker = Attacker::connect(&target.address, &[]);
        for _ in 0..3_000_000 {
            if !attacker.frame(kind, 0, 0, payload) {
                break;
            }
        }
        assert!(!attacker.flush(), "all of the flood was taken");
        target.stands_within(4 * MIB);
    }
}

#[test]
fn a_bomb_is_defused_while_it_inflates() {
    let target = Target::start();
    let channel = Channel::insecure(&target.address).unwrap();
    let stub = proto::TestServiceStub::new(channel);
    let body = vec![0; 64 << 20];
    let bomb = proto::SimpleRequest {
        payload: Some(proto::Payload { r#type: 0, body }),
        ..proto::SimpleRequest::default()
    };
    let call = stub.unary_call(bomb).compression(Compression::Gzip);
    let status = call.timeout(Duration::from_secs(60)).wait().unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    // The limit is 4 MiB; a buffer that grows to it by doubling has been two.
    target.stands_within(10 * MIB);
}

#[test]
fn who_reads_nothing_makes_handlers_wait() {
    let target = Target::start();
    let mut attacker = Attacker::connect(&target.address, &NO_WINDOW);
    let part = |size| proto::ResponseParameters {
        size,
        ..proto::ResponseParameters::default()
    };
    let request = proto::StreamingOutputCallRequest {
        response_parameters: vec![part(1 << 20); 100],
        ..proto::StreamingOutputCallRequest::default()
    };
    for number in 0..10 {
        attacker.head(stream(number), OUTPUT, 0);
        attacker.frame(DATA, END_STREAM, stream(number), &framed(&request));
    }
    // Crumbs, for the sender to have something to do.
    for number in 0..10_000 {
        attacker.frame(WINDOW_UPDATE, 0, stream(number % 10), &[0, 0, 0, 1]);
    }
    attacker.heard_out();
    // Of 100 MiB a stream: one that is queued, and one that its handler holds.
    target.has_taken(8 * MIB);
    target.stands_within(10 * 3 * MIB);
}

#[test]
fn answers_that_nobody_reads_are_held_once() {
    let target = Target::start();
    let mut attacker = Attacker::connect(&target.address, &NO_WINDOW);
    let request = proto::SimpleRequest {
        response_size: 1 << 20,
        ..proto::SimpleRequest::default()
    };
    for number in 0..90 {
        attacker.head(stream(number), UNARY, 0);
        attacker.frame(DATA, END_STREAM, stream(number), &framed(&request));
    }
    attacker.heard_out();
    target.has_taken(80 * MIB);
    target.stands_within(90 * MIB + 30 * MIB);
}

#[test]
fn nothing_is_set_aside_for_a_message_that_is_announced() {
    let target = Target::start();
    let mut attacker = Attacker::connect(&target.address, &[]);
    for (number, path) in (0..80).zip([UNARY, DUPLEX].iter().cycle()) {
        attacker.head(stream(number), path, 0);
        attacker.frame(DATA, 0, stream(number), &[0, 0, 0x30, 0, 0]);
    }
    attacker.heard_out();
    target.has_taken(0);
    target.stands_within(2 * MIB);
}

/// 250 calls of 4 MiB each, of which the last bytes never come: 1 GiB, were there no
/// bound.
#[test]
fn requests_that_are_never_finished_hold_no_more_than_the_figure() {
    const SIZE: usize = 4 << 20;
    /// Half of message_buffer's default.
    const FILLED: usize = 32 << 20;
    for path in [UNARY, DUPLEX] {
        let target = Target::start();
        let mut sender = Sender::connect(&target.address);
        let mut left: Vec<usize> = vec![SIZE + 5 - 100; 250];
        for number in 0..250 {
            sender.open(stream(number), path);
        }
        let mut body = vec![0; SIZE + 5];
        body[1..5].copy_from_slice(&u32::try_from(SIZE).unwrap().to_be_bytes());
        let begun = Instant::now();
        let mut moved = begun;
        let mut taken = 0;
        // Once there is much, no credit for a second is none.
        while taken < FILLED || moved.elapsed() < Duration::from_secs(1) {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "only {taken} bytes"
            );
            assert!(
                !sender.is_told_to_leave(),
                "told to leave after {taken} bytes"
            );
            let mut sent = 0;
            for (number, left) in (0..).zip(&mut left) {
                let from = SIZE + 5 - 100 - *left;
                let piece = sender.send(stream(number), &body[from..SIZE + 5 - 100]);
                *left -= piece;
                sent += piece;
            }
            taken += sent;
            if sent > 0 {
                moved = Instant::now();
            } else {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        assert!(!sender.is_told_to_leave());
        // 2 × connection_buffer, message_buffer and the largest message; and what
        // the allocator needs for it.
        target.stands_within((32 + 64 + 4) * MIB * 5 / 4);
        assert!(left.iter().any(|left| *left > 0), "all of it was taken");
    }
}

#[test]
fn many_honest_uploads_at_once_all_pass() {
    let target = Target::start();
    let channel = Channel::insecure(&target.address).unwrap();
    let stub = proto::TestServiceStub::new(channel);
    let uploads: Vec<_> = (0..64)
        .map(|_| {
            let stub = stub.clone();
            std::thread::spawn(move || {
                let body = vec![0; 4_000_000];
                let request = proto::SimpleRequest {
                    payload: Some(proto::Payload { r#type: 0, body }),
                    ..proto::SimpleRequest::default()
                };
                let call = stub.unary_call(request).timeout(Duration::from_secs(60));
                call.wait().map(|_| ())
            })
        })
        .collect();
    for upload in uploads {
        upload.join().unwrap().unwrap();
    }
    target.stands_within((32 + 64 + 4) * MIB * 5 / 4);
}

/// Calls that are answered at once and cut with NO_ERROR, since they end nothing.
#[test]
fn calls_that_end_nothing_close_their_connection_alone() {
    let target = Target::start();
    let mut attacker = Attacker::connect(&target.address, &[]);
    let ended = attacker.told_to_leave();
    for number in 0..50_000 {
        attacker.head(stream(number), "/no/Method", 0);
    }
    attacker.flush();
    assert_eq!(ended.join().unwrap(), Some(ENHANCE_YOUR_CALM));
    target.stands_within(4 * MIB);
}

#[test]
fn window_updates_for_nothing_close_their_connection_alone() {
    let target = Target::start();
    let mut attacker = Attacker::connect(&target.address, &[]);
    let ended = attacker.told_to_leave();
    attacker.head(stream(0), DUPLEX, 0);
    for number in 0..200_000 {
        attacker.frame(WINDOW_UPDATE, 0, number % 2, &[0, 0, 0, 1]);
    }
    attacker.flush();
    assert_eq!(ended.join().unwrap(), Some(ENHANCE_YOUR_CALM));
    target.stands_within(4 * MIB);
}

#[test]
fn streams_beyond_the_limit_are_refused_at_no_cost() {
    let target = Target::start();
    let mut attacker = Attacker::connect(&target.address, &[]);
    let ended = attacker.told_to_leave();
    for number in 0..20_000 {
        attacker.head(stream(number), DUPLEX, 0);
    }
    attacker.flush();
    assert_eq!(ended.join().unwrap(), Some(ENHANCE_YOUR_CALM));
    target.stands_within(4 * MIB);
}

#[test]
fn clients_that_vanish_leave_nothing_behind() {
    let target = Target::start();
    let before = target.descriptors();
    let mut attackers: Vec<_> = (0..300)
        .map(|_| {
            let mut attacker = Attacker::connect(&target.address, &[]);
            attacker.frame(HEADERS, END_HEADERS, 1, &attacker::block(DUPLEX));
            assert!(attacker.flush());
            attacker
        })
        .collect();
    target.until(|target| target.descriptors() == before + 300);
    attackers.clear();
    target.until(|target| target.descriptors() == before);
    target.stands_within(300 * MIB / 16);
}
