//! The ways in which clients try to have a server hold more than its limit. What an attack
//! gives keeps it up until it is dropped.

use std::any::Any;
use std::future::IntoFuture;
use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use grpc_runtime::{Channel, ChannelCredentials, Code, Compression, Http2Options};

use tokio::runtime::Runtime;

use super::{ANSWER, LARGEST, STREAMS};
use crate::attacker::{
    self, Attacker, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, RST_STREAM,
    SETTINGS,
};
use crate::sender::Sender;
use crate::{CANCEL, DUPLEX, INPUT, NO_WINDOW, OUTPUT, UNARY, framed, proto, stream};

/// What keeps up an attack until it is dropped.
pub(super) type Held = Vec<Box<dyn Any>>;

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
pub(super) fn halfway(address: &str, count: usize) -> Held {
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
pub(super) fn unread(address: &str, count: usize) -> Held {
    let connect = |_| Sender::connect_with(address, &NO_WINDOW);
    let mut senders: Vec<_> = (0..count).map(connect).collect();
    for sender in &mut senders {
        for number in 0..STREAMS {
            sender.open(stream(number), DUPLEX);
        }
    }
    let answer = proto::ResponseParameters {
        size: 200 << 10,
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

/// A head that is about as large as it may be: each field counts 32 bytes more.
fn large_head(path: &str) -> Vec<u8> {
    let mut block = attacker::block(path);
    for number in 0..90 {
        let name = format!("x-{number:02}");
        block.extend([&[0, 4][..], name.as_bytes(), &[126], &[b'v'; 126]].concat());
    }
    block
}

/// Calls with such heads, on a connection that may have as many.
const HEADS: u32 = 256;

/// Such heads, of calls that wait.
pub(super) fn heads(address: &str, count: usize) -> Held {
    let block = large_head(DUPLEX);
    let mut attackers = attackers(address, count, &[]);
    for attacker in &mut attackers {
        for number in 0..HEADS {
            attacker.frame(HEADERS, END_HEADERS, stream(number), &block);
        }
        attacker.heard_out();
    }
    held(attackers)
}

/// Connections that say nothing, and many that there is no place for.
pub(super) fn idle(address: &str, count: usize) -> Held {
    let mut attackers = attackers(address, count, &[]);
    for attacker in &mut attackers {
        attacker.heard_out();
    }
    held(attackers)
}

/// Calls that wait, and many that there is no place for.
pub(super) fn calls(address: &str, count: usize) -> Held {
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
pub(super) fn answers(address: &str, count: usize) -> Held {
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
pub(super) fn questions(address: &str, count: usize) -> Held {
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
pub(super) fn bombs(address: &str, count: usize) -> Held {
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

/// Large answers that nobody reads: those that find no memory are refused.
pub(super) fn large_answers(address: &str, count: usize) -> Held {
    let request = proto::SimpleRequest {
        response_size: 1 << 20,
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

/// Streams of answers of this size that nobody reads.
fn streamed(address: &str, count: usize, size: i32, answers: usize) -> Held {
    let answer = proto::ResponseParameters {
        size,
        ..proto::ResponseParameters::default()
    };
    let request = proto::StreamingOutputCallRequest {
        response_parameters: vec![answer; answers],
        ..proto::StreamingOutputCallRequest::default()
    };
    let mut attackers = attackers(address, count, &NO_WINDOW);
    for attacker in &mut attackers {
        for number in 0..STREAMS {
            attacker.head(stream(number), OUTPUT, 0);
            attacker.frame(DATA, END_STREAM, stream(number), &framed(&request));
        }
        attacker.heard_out();
    }
    held(attackers)
}

/// Many small answers.
pub(super) fn small_answers(address: &str, count: usize) -> Held {
    streamed(address, count, 1000, 1000)
}

/// A few that are larger than what a stream may hold.
pub(super) fn large_streams(address: &str, count: usize) -> Held {
    streamed(address, count, 1 << 20, 4)
}

/// Trailers that wait behind an answer that nobody reads.
pub(super) fn trailers(address: &str, count: usize) -> Held {
    let request = proto::SimpleRequest {
        response_size: 100,
        ..proto::SimpleRequest::default()
    };
    let mut block = attacker::block(UNARY);
    let name = "x-grpc-test-echo-trailing-bin";
    for _ in 0..60 {
        let length = u8::try_from(name.len()).unwrap();
        block.extend([&[0, length][..], name.as_bytes(), &[126], &[b'v'; 126]].concat());
    }
    let mut attackers = attackers(address, count, &NO_WINDOW);
    for attacker in &mut attackers {
        for number in 0..STREAMS {
            attacker.frame(HEADERS, END_HEADERS, stream(number), &block);
            attacker.frame(DATA, END_STREAM, stream(number), &framed(&request));
        }
        attacker.heard_out();
    }
    held(attackers)
}

/// Calls of methods that there are none of, by who never reads: what they are told, which
/// repeats what they asked for, is under no window.
pub(super) fn unheard(address: &str, count: usize) -> Held {
    // 4 KiB in literals: the first two bytes are of the length (RFC 7541 section 5.1).
    let path = format!("/{}/m", "x".repeat((4 << 10) - 3));
    let length = path.len() - 127;
    let low = 0x80 | u8::try_from(length % 128).unwrap();
    let high = u8::try_from(length / 128).unwrap();
    let mut block = vec![0x83, 0x86, 0x04, 127, low, high];
    block.extend(path.as_bytes());
    block.extend(b"\x0f\x10\x10application/grpc");
    let flood = |_| {
        let mut attacker = Attacker::connect_deaf(address, &[]);
        let block = block.clone();
        thread::spawn(move || {
            let is_taken = (0..100_000).all(|number| {
                let flags = END_HEADERS | END_STREAM;
                attacker.frame(HEADERS, flags, stream(number), &block)
            });
            assert!(!is_taken, "all of it was taken");
            attacker
        })
    };
    let floods: Vec<_> = (0..count).map(flood).collect();
    held(floods.into_iter().map(|flood| flood.join().unwrap()))
}

/// The initial window of streams, as a setting.
fn window(size: u32) -> Vec<u8> {
    [&[0, 4][..], &size.to_be_bytes()].concat()
}

/// Answers of which each could be sent at once, all asked for in one write by who reads none.
pub(super) fn at_once(address: &str, count: usize) -> Held {
    let request = proto::SimpleRequest {
        response_size: 230 << 10,
        ..proto::SimpleRequest::default()
    };
    let ask = |_| {
        let mut attacker = Attacker::connect_deaf(address, &window(u32::MAX >> 1));
        attacker.widen(0, 1 << 30);
        for number in 0..HEADS {
            attacker.head(stream(number), UNARY, 0);
            attacker.frame(DATA, END_STREAM, stream(number), &framed(&request));
        }
        assert!(attacker.flush());
        attacker
    };
    held((0..count).map(ask))
}

/// Answers that are read but for their ends, of which each would keep all of its answer.
pub(super) fn tails(address: &str, count: usize) -> Held {
    const SIZE: i32 = 1 << 20;
    let one = proto::SimpleRequest {
        response_size: SIZE,
        ..proto::SimpleRequest::default()
    };
    let answer = proto::ResponseParameters {
        size: SIZE,
        ..proto::ResponseParameters::default()
    };
    let many = proto::StreamingOutputCallRequest {
        response_parameters: vec![answer],
        ..proto::StreamingOutputCallRequest::default()
    };
    let calls = [(UNARY, framed(&one)), (OUTPUT, framed(&many))];
    let mut all = Held::new();
    for _ in 0..count {
        let mut attacker = Attacker::connect(address, &window(SIZE.cast_unsigned() - (4 << 10)));
        attacker.widen(0, 1 << 30);
        all.push(Box::new(attacker.told_to_leave()));
        for (number, (path, request)) in (0..STREAMS).zip(calls.iter().cycle()) {
            attacker.head(stream(number), path, 0);
            attacker.frame(DATA, END_STREAM, stream(number), request);
        }
        assert!(attacker.flush());
        all.push(Box::new(attacker));
    }
    all
}

/// Messages that no handler reads, a byte in a frame.
pub(super) fn bytewise(address: &str, count: usize) -> Held {
    let senders: Vec<_> = (0..count).map(|_| stuck(address, STREAMS)).collect();
    let says = proto::StreamingOutputCallRequest {
        payload: Some(proto::Payload {
            r#type: 0,
            body: vec![0; 100_000],
        }),
        ..proto::StreamingOutputCallRequest::default()
    };
    let body = framed(&says);
    let flood = |mut sender: Sender| {
        let body = body.clone();
        thread::spawn(move || {
            for number in 0..STREAMS {
                sender.send_bytewise(stream(number), &body[..32 << 10]);
            }
            sender
        })
    };
    let floods: Vec<_> = senders.into_iter().map(flood).collect();
    held(floods.into_iter().map(|flood| flood.join().unwrap()))
}

/// Calls whose handlers wait for their client to read what they said.
fn stuck(address: &str, streams: u32) -> Sender {
    let mut sender = Sender::connect_with(address, &NO_WINDOW);
    let answer = proto::ResponseParameters {
        size: 200 << 10,
        ..proto::ResponseParameters::default()
    };
    let asks = proto::StreamingOutputCallRequest {
        response_parameters: vec![answer; 2],
        ..proto::StreamingOutputCallRequest::default()
    };
    for number in 0..streams {
        sender.open(stream(number), DUPLEX);
        sender.send(stream(number), &framed(&asks));
    }
    sender
}

/// A little that nobody reads between much that is read: each little piece would keep
/// what it was read with.
pub(super) fn interleaved(address: &str, count: usize) -> Held {
    const PIECE: usize = 1_100;
    let says = proto::StreamingOutputCallRequest {
        payload: Some(proto::Payload {
            r#type: 0,
            body: vec![0; 100_000],
        }),
        ..proto::StreamingOutputCallRequest::default()
    };
    let unread = framed(&says);
    let body = vec![0; 50_000];
    let says = proto::StreamingInputCallRequest {
        payload: Some(proto::Payload { r#type: 0, body }),
        ..proto::StreamingInputCallRequest::default()
    };
    let read = framed(&says);
    let flood = |_| {
        let mut sender = stuck(address, STREAMS - 1);
        let (unread, read) = (unread.clone(), read.clone());
        thread::spawn(move || {
            let reader = stream(STREAMS - 1);
            sender.open(reader, INPUT);
            let begun = Instant::now();
            for round in 0..7 {
                for number in 0..STREAMS - 1 {
                    sender.send(stream(number), &unread[round * PIECE..][..PIECE]);
                    let mut left = &read[..];
                    while !left.is_empty() {
                        left = &left[sender.send(reader, left)..];
                        assert!(begun.elapsed() < Duration::from_secs(60), "it never ends");
                    }
                }
            }
            sender
        })
    };
    let floods: Vec<_> = (0..count).map(flood).collect();
    held(floods.into_iter().map(|flood| flood.join().unwrap()))
}

/// Whole requests of calls that are not half-closed, between much that is read: each would
/// keep what it was read with.
pub(super) fn whole_requests(address: &str, count: usize) -> Held {
    let request = proto::SimpleRequest {
        payload: Some(proto::Payload {
            r#type: 0,
            body: vec![0; 1_000],
        }),
        ..proto::SimpleRequest::default()
    };
    let waits = framed(&request);
    let body = vec![0; 64 << 10];
    let says = proto::StreamingInputCallRequest {
        payload: Some(proto::Payload { r#type: 0, body }),
        ..proto::StreamingInputCallRequest::default()
    };
    let read = framed(&says);
    let flood = |_| {
        let mut sender = Sender::connect(address);
        let (waits, read) = (waits.clone(), read.clone());
        thread::spawn(move || {
            let reader = stream(0);
            sender.open(reader, INPUT);
            let begun = Instant::now();
            for number in 1..HEADS {
                sender.open(stream(number), UNARY);
                for (stream, mut left) in [(stream(number), &waits[..]), (reader, &read)] {
                    while !left.is_empty() {
                        left = &left[sender.send(stream, left)..];
                        assert!(begun.elapsed() < Duration::from_secs(60), "it never ends");
                    }
                }
            }
            sender
        })
    };
    let floods: Vec<_> = (0..count).map(flood).collect();
    held(floods.into_iter().map(|flood| flood.join().unwrap()))
}

/// Heads that are begun over many frames and not finished.
pub(super) fn continued(address: &str, count: usize) -> Held {
    let mut attackers = attackers(address, count, &[]);
    for attacker in &mut attackers {
        attacker.frame(HEADERS, 0, 1, &attacker::block(DUPLEX));
        for _ in 0..30 {
            attacker.frame(CONTINUATION, 0, 1, &[0x10; 1000]);
        }
        assert!(attacker.flush());
    }
    held(attackers)
}

/// Large heads whose calls are reset at once, anew wherever that ended the connection.
pub(super) fn resets(address: &str, count: usize) -> Held {
    let block = large_head(DUPLEX);
    for _ in 0..count {
        let mut attacker = Attacker::connect(address, &[]);
        for number in 0..2_000 {
            attacker.frame(HEADERS, END_HEADERS, stream(number), &block);
            attacker.frame(RST_STREAM, 0, stream(number), &CANCEL);
        }
        attacker.flush();
    }
    Held::new()
}

/// Calls with large requests that wait for a place.
pub(super) fn in_line(address: &str, count: usize) -> Held {
    let runtime = Runtime::new().unwrap();
    let body = vec![0; 100_000];
    let request = proto::SimpleRequest {
        payload: Some(proto::Payload { r#type: 0, body }),
        ..proto::SimpleRequest::default()
    };
    let mut stubs = Vec::new();
    for _ in 0..count {
        let stub = proto::TestServiceStub::new(Channel::insecure(address).unwrap());
        for _ in 0..STREAMS {
            runtime.spawn(stub.unary_call(request.clone()).into_future());
        }
        stubs.push(stub);
    }
    vec![Box::new((stubs, runtime))]
}

/// The beginnings of what comes before HTTP/2: of a PROXY header or a TLS handshake.
pub(super) fn beginnings(address: &str, count: usize) -> Held {
    const PROXY: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff";
    const HELLO: &[u8] = &[22, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xfb, 3, 3];
    let connect = |number: usize| {
        let mut socket = TcpStream::connect(address).unwrap();
        let begins = if number.is_multiple_of(2) {
            PROXY
        } else {
            HELLO
        };
        socket.write_all(&[begins, &[0; 12_000]].concat()).unwrap();
        socket
    };
    held((0..count).map(connect))
}

/// Answers that nobody reads, over TLS.
pub(super) fn encrypted(address: &str, count: usize, roots: &[u8]) -> Held {
    let answer = proto::ResponseParameters {
        size: 1 << 20,
        ..proto::ResponseParameters::default()
    };
    let request = proto::StreamingOutputCallRequest {
        response_parameters: vec![answer; 4],
        ..proto::StreamingOutputCallRequest::default()
    };
    let mut options = Http2Options::default();
    options.stream_window = 65_535;
    let mut all = Held::new();
    for _ in 0..count {
        let credentials = ChannelCredentials::tls().roots(roots).build().unwrap();
        let builder = Channel::builder(address).unwrap().http2(options.clone());
        let stub = proto::TestServiceStub::new(builder.build(credentials).unwrap());
        for _ in 0..STREAMS {
            let call = stub.streaming_output_call(request.clone());
            all.push(Box::new(call.start()));
        }
        all.push(Box::new(stub));
    }
    all
}
