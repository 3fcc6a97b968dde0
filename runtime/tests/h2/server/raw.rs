//! A server of bare frames, for what the `h2` crate would never send: each answer
//! breaks a rule, and what follows on the same connection has to work.

use grpc_runtime::{Channel, Code};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::peer::{framed, within};
use crate::support::{Echo, EchoStub};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const GOAWAY: u8 = 7;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

/// A connection whose preface has been read and whose SETTINGS are sent.
struct Raw(TcpStream);

impl Raw {
    async fn accept(listener: &TcpListener) -> Self {
        let mut socket = within(listener.accept()).await.unwrap().0;
        let mut preface = [0; 24];
        within(socket.read_exact(&mut preface)).await.unwrap();
        assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let mut raw = Self(socket);
        raw.send(SETTINGS, 0, 0, &[]).await;
        raw
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut bytes = length[1..].to_vec();
        bytes.extend([kind, flags]);
        bytes.extend(stream.to_be_bytes());
        bytes.extend(payload);
        within(self.0.write_all(&bytes)).await.unwrap();
    }

    async fn frame(&mut self) -> Frame {
        let mut head = [0; 9];
        within(self.0.read_exact(&mut head)).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        within(self.0.read_exact(&mut payload)).await.unwrap();
        Frame {
            kind: head[3],
            flags: head[4],
            stream: u32::from_be_bytes([head[5], head[6], head[7], head[8]]),
            payload,
        }
    }

    /// The next frame of this kind.
    async fn next(&mut self, kind: u8) -> Frame {
        loop {
            let frame = self.frame().await;
            if frame.kind == kind {
                return frame;
            }
        }
    }

    /// A proper answer.
    async fn answer(&mut self, stream: u32) {
        self.send(HEADERS, END_HEADERS, stream, &head()).await;
        let message = framed(&Echo::text("there"));
        self.send(DATA, 0, stream, &message).await;
        let trailers = literal("grpc-status", "0");
        let last = END_HEADERS | END_STREAM;
        self.send(HEADERS, last, stream, &trailers).await;
    }
}

/// A field as a literal that is not indexed (RFC 7541 section 6.2.2).
fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        bytes.push(u8::try_from(text.len()).unwrap());
        bytes.extend(text.as_bytes());
    }
    bytes
}

/// `:status 200` and gRPC's content-type.
fn head() -> Vec<u8> {
    let mut block = vec![0x88];
    block.extend(literal("content-type", "application/grpc"));
    block
}

async fn listen() -> (TcpListener, EchoStub) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, EchoStub(Channel::insecure(address).unwrap()))
}

#[tokio::test]
async fn a_malformed_response_fails_its_call_alone() {
    let (listener, stub) = listen().await;
    let mut call = stub.unary(Echo::default()).response();
    let mut raw = Raw::accept(&listener).await;
    let amid = literal("x-amid", "1");
    let upper = [head(), literal("X-Upper", "1")].concat();
    let connection = [head(), literal("connection", "close")].concat();
    let no_status = literal("content-type", "application/grpc");
    let late = [head(), literal("x-a", "1"), vec![0x88]].concat();
    for (what, first, second) in [
        ("HEADERS amid the response", &head(), Some(&amid)),
        ("an uppercase name", &upper, None),
        ("a field of the connection", &connection, None),
        ("no :status", &no_status, None),
        ("a pseudo field after others", &late, None),
    ] {
        let stream = raw.next(HEADERS).await.stream;
        raw.send(HEADERS, END_HEADERS, stream, first).await;
        if let Some(second) = second {
            raw.send(HEADERS, END_HEADERS, stream, second).await;
        }
        let status = within(call).await.unwrap_err();
        assert_eq!(status.code(), Code::Internal, "{what}: {status}");
        call = stub.unary(Echo::default()).response();
    }
    let stream = raw.next(HEADERS).await.stream;
    raw.answer(stream).await;
    assert_eq!(within(call).await.unwrap().message.text, "there");
}

#[tokio::test]
async fn push_is_switched_off_and_ends_the_connection() {
    let (listener, stub) = listen().await;
    let call = stub.unary(Echo::default()).response();
    let mut raw = Raw::accept(&listener).await;
    let settings = raw.next(SETTINGS).await;
    assert_eq!(settings.flags & ACK, 0);
    let pushes = settings.payload.chunks(6).filter(|s| s[..2] == [0, 2]);
    let values: Vec<_> = pushes.map(|setting| setting[2..].to_vec()).collect();
    assert_eq!(values, [[0, 0, 0, 0]]);
    let stream = raw.next(HEADERS).await.stream;
    let promised = [&2_u32.to_be_bytes()[..], &head()].concat();
    raw.send(PUSH_PROMISE, END_HEADERS, stream, &promised).await;
    let go_away = raw.next(GOAWAY).await;
    assert_eq!(go_away.payload[4..8], [0, 0, 0, 1]);
    let status = within(call).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
}
