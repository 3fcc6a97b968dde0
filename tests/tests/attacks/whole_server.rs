//! Many connections at once against the memory of a whole server, each way by itself and
//! then all of them together. What is held of what was received stays below the figure in
//! `ARCHITECTURE.md`; two things are beside it, and bounded by the number of streams: the
//! heads of calls, and answers that nobody reads, which are the handlers' own.

use std::any::Any;
use std::thread;
use std::time::{Duration, Instant};

use grpc_runtime::{Channel, Code, Compression};

use crate::attacker::{self, Attacker, DATA, END_HEADERS, END_STREAM, HEADERS, PING, SETTINGS};
use crate::sender::Sender;
use crate::target::{MIB, Target};
use crate::{DUPLEX, NO_WINDOW, UNARY, framed, proto, stream};

const KIB: u64 = 1 << 10;
const MEMORY_LIMIT: u64 = 32 * MIB;
/// The victim's among them.
const CONNECTIONS: usize = 40;
const STREAMS: u32 = 32;
const CONNECTION_WINDOW: u64 = 256 * KIB;
const LARGEST: usize = 4 << 20;
/// Of an answer that nobody reads.
const ANSWER: u64 = 16 * KIB;
/// As the runtime bounds it.
const HEAD: u64 = 16 * KIB;
/// A server of this many is full but for the victim.
const ALL: usize = CONNECTIONS - 1;

/// What keeps up an attack until it is dropped.
type Held = Vec<Box<dyn Any>>;

fn target() -> Target {
    Target::start_with(&[
        format!("--memory_limit={MEMORY_LIMIT}"),
        format!("--connections={CONNECTIONS}"),
        format!("--max_concurrent_streams={STREAMS}"),
        format!("--connection_window={CONNECTION_WINDOW}"),
        "--send_buffer=1024".to_owned(),
    ])
}

/// What all connections hold at most of what they received, and then as much for each
/// stream; and what the allocator needs for it.
fn figure(for_each_stream: u64) -> u64 {
    let connections = CONNECTIONS as u64;
    let streams = u64::from(STREAMS);
    let connection = 64 * KIB + 8 * KIB * streams + CONNECTION_WINDOW;
    let received = MEMORY_LIMIT + LARGEST as u64 + connections * connection;
    (received + connections * streams * for_each_stream) * 5 / 4
}

fn held<T: 'static>(those: impl IntoIterator<Item = T>) -> Held {
    let boxed = those.into_iter().map(|it| Box::new(it) as Box<dyn Any>);
    boxed.collect()
}

/// Sends as much of this on each stream as the server takes, until it takes nothing for a
/// second.
fn push(mut senders: Vec<Sender>, body: &[u8]) -> Held {
    let mut sent = vec![vec![0; STREAMS as usize]; senders.len()];
    let begun = Instant::now();
    let mut moved = begun;
    while moved.elapsed() < Duration::from_secs(1) {
        assert!(begun.elapsed() < Duration::from_secs(60), "it never ends");
        let mut any = false;
        for (sender, sent) in senders.iter_mut().zip(&mut sent) {
            for (number, sent) in (0..).zip(sent) {
                let more = sender.send(stream(number), &body[*sent..]);
                *sent += more;
                any |= more > 0;
            }
        }
        if any {
            moved = Instant::now();
        } else {
            thread::sleep(Duration::from_millis(5));
        }
    }
    assert!(!senders.iter().any(Sender::is_told_to_leave));
    let all = sent.iter().flatten().all(|sent| *sent == body.len());
    assert!(!all, "all of it was taken");
    held(senders)
}

fn attackers(address: &str, count: usize, settings: &[u8]) -> Vec<Attacker> {
    let connect = |_| Attacker::connect(address, settings);
    (0..count).map(connect).collect()
}

/// Messages of which the last bytes never come.
fn halfway(address: &str, count: usize) -> Held {
    let mut senders: Vec<_> = (0..count).map(|_| Sender::connect(address)).collect();
    for sender in &mut senders {
        for (number, path) in (0..STREAMS).zip([UNARY, DUPLEX].iter().cycle()) {
            sender.open(stream(number), path);
        }
    }
    let mut body = vec![0; LARGEST + 5];
    body[1..5].copy_from_slice(&u32::try_from(LARGEST).unwrap().to_be_bytes());
    body.truncate(LARGEST - 100);
    push(senders, &body)
}

/// Messages that no handler reads: each waits for its client to read what it said.
fn unread(address: &str, count: usize) -> Held {
    let connect = |_| Sender::connect_with(address, &NO_WINDOW);
    let mut senders: Vec<_> = (0..count).map(connect).collect();
    for sender in &mut senders {
        for number in 0..STREAMS {
            sender.open(stream(number), DUPLEX);
        }
    }
    let answer = proto::ResponseParameters {
        size: 2048,
        ..proto::ResponseParameters::default()
    };
    let asks = proto::StreamingOutputCallRequest {
        response_parameters: vec![answer; 2],
        ..proto::StreamingOutputCallRequest::default()
    };
    let body = vec![0; 16 << 10];
    let says = proto::StreamingOutputCallRequest {
        payload: Some(proto::Payload { r#type: 0, body }),
        ..proto::StreamingOutputCallRequest::default()
    };
    push(
        senders,
        &[framed(&asks), framed(&says).repeat(256)].concat(),
    )
}

/// Heads that are as large as they may be, of calls that wait.
fn heads(address: &str, count: usize) -> Held {
    let mut block = attacker::block(DUPLEX);
    for number in 0..90 {
        let name = format!("x-{number:02}");
        block.extend([&[0, 4][..], name.as_bytes(), &[126], &[b'v'; 126]].concat());
    }
    let mut attackers = attackers(address, count, &[]);
    for attacker in &mut attackers {
        for number in 0..STREAMS {
            attacker.frame(HEADERS, END_HEADERS, stream(number), &block);
        }
        attacker.heard_out();
    }
    held(attackers)
}

/// Connections that say nothing, and many that there is no place for.
fn idle(address: &str, count: usize) -> Held {
    let mut attackers = attackers(address, count, &[]);
    for attacker in &mut attackers {
        attacker.heard_out();
    }
    held(attackers)
}

/// Calls that wait, and many that there is no place for.
fn calls(address: &str, count: usize) -> Held {
    let mut attackers = attackers(address, count, &[]);
    for attacker in &mut attackers {
        for number in 0..STREAMS + 300 {
            attacker.head(stream(number), DUPLEX, 0);
        }
        attacker.heard_out();
    }
    held(attackers)
}

/// Answers that nobody reads.
fn answers(address: &str, count: usize) -> Held {
    let request = proto::SimpleRequest {
        response_size: i32::try_from(ANSWER).unwrap(),
        ..proto::SimpleRequest::default()
    };
    let mut attackers = attackers(address, count, &NO_WINDOW);
    for attacker in &mut attackers {
        for number in 0..STREAMS {
            attacker.head(stream(number), UNARY, 0);
            attacker.frame(DATA, END_STREAM, stream(number), &framed(&request));
        }
        attacker.heard_out();
    }
    held(attackers)
}

/// Questions by who reads no answer, until the server takes no more.
fn questions(address: &str, count: usize) -> Held {
    let flood = |(number, mut attacker): (usize, Attacker)| {
        thread::spawn(move || {
            let (kind, payload) = match number % 2 {
                0 => (PING, &[7; 8][..]),
                _ => (SETTINGS, &[0, 3, 0, 0, 0, 9][..]),
            };
            (0..1_000_000).all(|_| attacker.frame(kind, 0, 0, payload));
            attacker
        })
    };
    let attackers = attackers(address, count, &[]);
    let floods: Vec<_> = attackers.into_iter().enumerate().map(flood).collect();
    held(floods.into_iter().map(|flood| flood.join().unwrap()))
}

/// Messages that are small until they are decompressed.
fn bombs(address: &str, count: usize) -> Held {
    let throw = |_| {
        let stub = proto::TestServiceStub::new(Channel::insecure(address).unwrap());
        thread::spawn(move || {
            let body = vec![0; 16 << 20];
            let bomb = proto::SimpleRequest {
                payload: Some(proto::Payload { r#type: 0, body }),
                ..proto::SimpleRequest::default()
            };
            let call = stub.unary_call(bomb).compression(Compression::Gzip);
            let status = call.timeout(Duration::from_secs(60)).wait().unwrap_err();
            assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
            stub
        })
    };
    let thrown: Vec<_> = (0..count).map(throw).collect();
    held(thrown.into_iter().map(|thrown| thrown.join().unwrap()))
}

/// An attack takes at least so much, or it was none, and no more than the figure.
fn holds(attack: fn(&str, usize) -> Held, at_least: u64, for_each_stream: u64) {
    let target = target();
    let attackers = attack(&target.address, ALL);
    target.has_taken(at_least);
    target.stands_within(figure(for_each_stream));
    drop(attackers);
}

#[test]
fn messages_that_are_never_finished_on_many_connections_stay_within_the_limit() {
    holds(halfway, MEMORY_LIMIT / 2, 0);
}

#[test]
fn messages_that_are_never_read_on_many_connections_stay_within_the_limit() {
    holds(unread, MEMORY_LIMIT / 2, 0);
}

#[test]
fn heads_of_many_calls_are_bounded_by_their_number() {
    holds(heads, 4 * MIB, HEAD);
}

#[test]
fn answers_that_nobody_reads_are_bounded_by_their_number() {
    holds(answers, 16 * MIB, ANSWER);
}

#[test]
fn connections_and_calls_without_content_take_next_to_nothing() {
    for attack in [idle, calls] {
        let target = target();
        let attackers = attack(&target.address, ALL);
        // There is no place for these.
        for _ in 0..300 {
            drop(Attacker::connect(&target.address, &[]));
        }
        target.is_at_rest();
        // 4 KiB a call and 64 KiB a connection.
        let figure = CONNECTIONS as u64 * (64 * KIB + u64::from(STREAMS) * 4 * KIB);
        target.stands_within(figure);
        drop(attackers);
    }
}

#[test]
fn questions_on_many_connections_are_not_answered_without_end() {
    let target = target();
    let attackers = questions(&target.address, ALL);
    target.is_at_rest();
    target.stands_within(CONNECTIONS as u64 * 256 * KIB);
    drop(attackers);
}

#[test]
fn bombs_on_many_connections_are_defused_one_by_one() {
    let target = target();
    let attackers = bombs(&target.address, 16);
    // Each thread that decompresses holds the largest message, twice while it grows.
    let threads = thread::available_parallelism().unwrap().get() as u64;
    target.stands_within(figure(0).min(MIB * 8 + threads * 3 * LARGEST as u64));
    drop(attackers);
}

#[test]
fn all_of_it_at_once_stays_within_the_limit() {
    let target = target();
    let address = &target.address;
    let mut attackers = Held::new();
    for attack in [
        idle, calls, heads, answers, questions, bombs, unread, halfway,
    ] {
        attackers.extend(attack(address, ALL / 8));
    }
    target.has_taken(MEMORY_LIMIT / 2);
    // An eighth of the connections each has heads and answers.
    target.stands_within(figure((HEAD + ANSWER) / 8));
    drop(attackers);
}
