//! What `tests/instructions` counts of HPACK, frames and a pair of connections
//! that are joined by nothing but bytes. Each workload is an ordinary test that
//! runs once; the script runs it many times under valgrind.

use std::time::Instant;

use bytes::{Buf, Bytes, BytesMut};

use super::connection::{Connection, Role};
use super::event::{Event, StreamId};
use super::fields::Fields;
use super::frame::{self, FrameHead, Kind};
use super::hpack::{Decoder, Encoder, Indexing};
use super::options::Http2Options;

/// How often a workload does its work.
pub(crate) fn rounds() -> usize {
    std::env::var("GRPC_WORKLOAD_ROUNDS").map_or(1, |text| text.parse().unwrap())
}

const REQUEST: &[(&str, &str)] = &[
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/helloworld.Greeter/SayHello"),
    (":authority", "localhost:50051"),
    ("te", "trailers"),
    ("content-type", "application/grpc"),
    ("user-agent", "grpc-rust-runtime/0.1.0"),
];
const RESPONSE: &[(&str, &str)] = &[(":status", "200"), ("content-type", "application/grpc")];
const TRAILERS: &[(&str, &str)] = &[("grpc-status", "0")];
const CALL: [&[(&str, &str)]; 3] = [REQUEST, RESPONSE, TRAILERS];

/// A small message with its prefix.
const MESSAGE: &[u8] = b"\0\0\0\0\x0f\x0a\x0dHello, World!";
const MEBIBYTE: usize = 1 << 20;

fn encode(encoder: &mut Encoder, list: &Fields, out: &mut BytesMut) {
    encoder.block(list, |_, _| Indexing::Add, out);
}

/// Both ends' blocks of a call, encoded as the first of a connection and as any
/// later one.
fn blocks(list: &[(&str, &str)]) -> [BytesMut; 2] {
    let mut encoder = Encoder::new(4096);
    let mut first = BytesMut::new();
    encode(&mut encoder, &fields(list), &mut first);
    let mut again = BytesMut::new();
    encode(&mut encoder, &fields(list), &mut again);
    [first, again]
}

#[test]
fn hpack_encode_first() {
    let (mut out, lists) = (BytesMut::with_capacity(1024), CALL.map(fields));
    for _ in 0..rounds() {
        for list in &lists {
            out.clear();
            encode(&mut Encoder::new(4096), list, &mut out);
            assert!(out.len() > 1);
        }
    }
}

#[test]
fn hpack_encode_request() {
    repeat_encoding(&[REQUEST]);
}

#[test]
fn hpack_encode_response() {
    repeat_encoding(&[RESPONSE, TRAILERS]);
}

fn repeat_encoding(lists: &[&[(&str, &str)]]) {
    let mut encoder = Encoder::new(4096);
    let mut out = BytesMut::with_capacity(1024);
    let lists: Vec<Fields> = lists.iter().map(|list| fields(list)).collect();
    let count: usize = lists.iter().map(|list| list.iter().len()).sum();
    for round in 0..=rounds() {
        out.clear();
        for list in &lists {
            encode(&mut encoder, list, &mut out);
        }
        assert!(round == 0 || out.len() == count, "an octet a field");
    }
}

#[test]
fn hpack_decode_first() {
    let mut fields = Fields::default();
    let blocks = CALL.map(blocks);
    for _ in 0..rounds() {
        for ([first, _], list) in blocks.iter().zip(CALL) {
            Decoder::new(4096)
                .decode(first, 1 << 14, &mut fields)
                .unwrap();
            assert_eq!(fields.iter().len(), list.len());
        }
    }
}

#[test]
fn hpack_decode_request() {
    repeat_decoding(REQUEST);
}

#[test]
fn hpack_decode_response() {
    repeat_decoding(RESPONSE);
}

fn repeat_decoding(list: &[(&str, &str)]) {
    let mut decoder = Decoder::new(4096);
    let mut fields = Fields::default();
    let [first, again] = blocks(list);
    decoder.decode(&first, 1 << 14, &mut fields).unwrap();
    for _ in 0..rounds() {
        decoder.decode(&again, 1 << 14, &mut fields).unwrap();
        assert_eq!(fields.iter().len(), list.len());
    }
}

/// What no table holds: a value that differs with each call, and a peer that
/// keeps its path out of the table.
#[test]
fn hpack_decode_literals() {
    let mut decoder = Decoder::new(4096);
    let mut block = BytesMut::new();
    let list = [
        (":path", "/helloworld.Greeter/SayHello"),
        ("grpc-timeout", "999873u"),
        ("authorization", "Bearer 0123456789abcdef0123456789abcdef"),
    ];
    Encoder::new(4096).block(&fields(&list), |_, _| Indexing::Never, &mut block);
    let mut fields = Fields::default();
    for _ in 0..rounds() {
        decoder.decode(&block, 1 << 14, &mut fields).unwrap();
        assert_eq!(fields.get(b"grpc-timeout"), Some(b"999873u".as_slice()));
    }
}

/// A HEADERS, a DATA and a WINDOW_UPDATE frame.
#[test]
fn frame_parse() {
    let mut wire = BytesMut::new();
    let block = frame::Headers::begin(&mut wire);
    wire.extend_from_slice(&[0x82, 0x86]);
    block.finish(1, false, 16_384, &mut wire);
    frame::Data::encode_head(1, MESSAGE.len() as u32, true, &mut wire);
    wire.extend_from_slice(MESSAGE);
    let update = frame::WindowUpdate {
        stream_id: 1,
        increment: 5,
    };
    update.encode(&mut wire);
    let wire = wire.freeze();
    for _ in 0..rounds() {
        let mut input = wire.clone();
        let mut payload_bytes = 0;
        while let Some(octets) = input.first_chunk::<{ FrameHead::LEN }>() {
            let head = FrameHead::parse(octets);
            input.advance(FrameHead::LEN);
            let payload = input.split_to(head.length as usize);
            payload_bytes += match head.kind {
                Kind::HEADERS => frame::Headers::parse(head, &payload)
                    .unwrap()
                    .fragment
                    .len(),
                Kind::DATA => frame::Data::parse(head, payload).unwrap().data.len(),
                _ => {
                    let parsed = frame::WindowUpdate::parse(head, &payload).unwrap();
                    usize::from(parsed == update)
                }
            };
        }
        assert_eq!(payload_bytes, 2 + MESSAGE.len() + 1);
    }
}

struct End {
    connection: Connection,
    inbox: BytesMut,
}

/// A client and a server, past their SETTINGS.
struct Pair {
    client: End,
    server: End,
    now: Instant,
}

impl Pair {
    fn new() -> Self {
        let now = Instant::now();
        let end = |role| End {
            connection: Connection::new(role, Http2Options::default(), now),
            inbox: BytesMut::new(),
        };
        let mut pair = Self {
            client: end(Role::Client),
            server: end(Role::Server),
            now,
        };
        for _ in 0..2 {
            pair.reach_server(|_, _| panic!("no event yet"));
            pair.reach_client(|_, _| panic!("no event yet"));
        }
        pair
    }

    fn reach_server(&mut self, on_event: impl FnMut(&mut Connection, Event)) {
        carry(&mut self.client, &mut self.server, self.now, on_event);
    }

    fn reach_client(&mut self, on_event: impl FnMut(&mut Connection, Event)) {
        carry(&mut self.server, &mut self.client, self.now, on_event);
    }
}

/// Moves all there is, with the one copy that a socket would make.
fn carry(
    from: &mut End,
    to: &mut End,
    now: Instant,
    mut on_event: impl FnMut(&mut Connection, Event),
) {
    from.connection.pump();
    while !from.connection.output().is_empty() {
        let mut slices = [std::io::IoSlice::new(&[]); 16];
        let count = from.connection.output().slices(&mut slices);
        let mut length = 0;
        for slice in &slices[..count] {
            to.inbox.extend_from_slice(slice);
            length += slice.len();
        }
        from.connection.written(length);
        while from.connection.next_event().is_some() {}
        while to.connection.receive(&mut to.inbox, now).unwrap() {
            while let Some(event) = to.connection.next_event() {
                on_event(&mut to.connection, event);
            }
        }
        from.connection.pump();
    }
}

fn fields(list: &[(&str, &str)]) -> Fields {
    let mut fields = Fields::default();
    for (name, value) in list {
        fields.push(name.as_bytes(), value.as_bytes());
    }
    fields
}

/// What an application does with every event: it takes the data and gives the
/// fields back.
fn consume(connection: &mut Connection, event: Event) -> usize {
    match event {
        Event::Headers { fields, .. } | Event::Trailers { fields, .. } => {
            connection.recycle(fields);
            0
        }
        Event::Data { stream, data, .. } => {
            connection.release(stream, data.len());
            data.len()
        }
        _ => 0,
    }
}

fn call(pair: &mut Pair, heads: &[Fields; 3], body: &Bytes) {
    let [request, response, trailers] = heads;
    let stream = pair.client.connection.open(request, pair.now).unwrap();
    pair.client.connection.send_data(stream, body.clone(), true);
    let mut arrived = 0;
    pair.reach_server(|connection, event| {
        let ended = matches!(
            event,
            Event::Data {
                end_stream: true,
                ..
            }
        );
        arrived += consume(connection, event);
        if ended {
            connection.send_head(stream, response);
            connection.send_data(stream, body.clone(), false);
            connection.send_trailers(stream, trailers);
        }
    });
    // A large body waits for windows that the other side opens.
    let mut returned = 0;
    while returned < body.len() {
        pair.reach_client(|connection, event| returned += consume(connection, event));
        pair.reach_server(|connection, event| arrived += consume(connection, event));
    }
    assert_eq!((arrived, returned), (body.len(), body.len()));
}

#[test]
fn connection_unary() {
    let (mut pair, heads) = (Pair::new(), CALL.map(fields));
    let body = Bytes::from_static(MESSAGE);
    for _ in 0..rounds() {
        call(&mut pair, &heads, &body);
    }
}

#[test]
fn connection_mebibyte() {
    let (mut pair, heads) = (Pair::new(), CALL.map(fields));
    let body = Bytes::from(vec![7; MEBIBYTE]);
    for _ in 0..rounds() {
        call(&mut pair, &heads, &body);
    }
}

/// A small message each way on an open stream.
#[test]
fn connection_stream_message() {
    let (mut pair, [request, response, _]) = (Pair::new(), CALL.map(fields));
    let body = Bytes::from_static(MESSAGE);
    let stream: StreamId = pair.client.connection.open(&request, pair.now).unwrap();
    pair.reach_server(|connection, event| {
        consume(connection, event);
        connection.send_head(stream, &response);
    });
    for _ in 0..rounds() {
        let mut returned = 0;
        pair.client
            .connection
            .send_data(stream, body.clone(), false);
        pair.reach_server(|connection, event| {
            if consume(connection, event) > 0 {
                connection.send_data(stream, body.clone(), false);
            }
        });
        pair.reach_client(|connection, event| returned += consume(connection, event));
        assert_eq!(returned, body.len());
    }
}
