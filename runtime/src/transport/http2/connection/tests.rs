//! A client and a server machine, joined by nothing but bytes, with a clock
//! that the test passes in.

use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};

use super::{CannotOpen, Connection, Role};
use crate::transport::http2::error_code::ErrorCode;
use crate::transport::http2::event::{ConnectionError, Event, ResetCause, StreamId};
use crate::transport::http2::fields::Fields;
use crate::transport::http2::frame::{self, FrameHead, Kind};
use crate::transport::http2::options::Http2Options;

/// One end, with the bytes on their way to it.
struct End {
    connection: Connection,
    inbox: BytesMut,
}

struct Pair {
    client: End,
    server: End,
    now: Instant,
    /// Bytes that cross in one step.
    step: usize,
}

impl Pair {
    fn new(client: Http2Options, server: Http2Options) -> Self {
        let now = Instant::now();
        let end = |role, options| End {
            connection: Connection::new(role, options, now),
            inbox: BytesMut::new(),
        };
        let (client, server) = (end(Role::Client, client), end(Role::Server, server));
        Self {
            client,
            server,
            now,
            step: usize::MAX,
        }
    }

    fn established() -> Self {
        let mut pair = Self::new(Http2Options::default(), Http2Options::default());
        pair.cross();
        pair
    }

    /// Moves bytes until nothing moves; events wait at their ends.
    fn cross(&mut self) {
        self.try_cross().unwrap();
    }

    fn try_cross(&mut self) -> Result<(), ConnectionError> {
        loop {
            let (a, b) = (&mut self.client, &mut self.server);
            let moved = carry(a, b, self.step) | carry(b, a, self.step);
            a.connection.receive(&mut a.inbox, self.now)?;
            b.connection.receive(&mut b.inbox, self.now)?;
            if !moved {
                return Ok(());
            }
        }
    }

    fn open(&mut self) -> StreamId {
        self.client.connection.open(&request()).unwrap()
    }
}

fn carry(from: &mut End, to: &mut End, step: usize) -> bool {
    from.connection.pump();
    let mut slices = [std::io::IoSlice::new(&[]); 16];
    let count = from.connection.output().slices(&mut slices);
    let bytes: Vec<u8> = slices[..count]
        .iter()
        .flat_map(|slice| slice.to_vec())
        .collect();
    let length = bytes.len().min(step);
    to.inbox.extend_from_slice(&bytes[..length]);
    from.connection.written(length);
    length > 0
}

fn events(end: &mut End) -> Vec<Event> {
    std::iter::from_fn(|| end.connection.next_event()).collect()
}

fn fields(list: &[(&str, &str)]) -> Fields {
    let mut fields = Fields::default();
    for (name, value) in list {
        fields.push(name.as_bytes(), value.as_bytes());
    }
    fields
}

fn request() -> Fields {
    fields(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/a.B/C"),
        (":authority", "x"),
    ])
}

fn response() -> Fields {
    fields(&[(":status", "200"), ("content-type", "application/grpc")])
}

fn trailers() -> Fields {
    fields(&[("grpc-status", "0")])
}

/// All body bytes among the events, released as they are read.
fn read(end: &mut End, release: bool) -> (usize, bool) {
    let (mut length, mut ended) = (0, false);
    for event in events(end) {
        if let Event::Data {
            stream,
            data,
            end_stream,
        } = event
        {
            length += data.len();
            ended |= end_stream;
            if release {
                end.connection.release(stream, data.len());
            }
        }
    }
    (length, ended)
}

#[test]
fn a_call_crosses_at_every_split_of_the_bytes() {
    for step in [1, 2, 3, 7, 9, 10, 64, usize::MAX] {
        let mut pair = Pair::new(Http2Options::default(), Http2Options::default());
        pair.step = step;
        let id = pair.open();
        pair.client
            .connection
            .send_data(id, Bytes::from_static(b"hello"), true);
        pair.cross();
        let mut body = Vec::new();
        let mut ended = false;
        for event in events(&mut pair.server) {
            match event {
                Event::Headers {
                    stream,
                    fields,
                    end_stream,
                } => {
                    assert_eq!((stream, end_stream), (id, false));
                    assert_eq!(fields.get(b":path"), Some(&b"/a.B/C"[..]));
                }
                Event::Data {
                    data, end_stream, ..
                } => {
                    body.extend_from_slice(&data);
                    ended |= end_stream;
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((&body[..], ended), (&b"hello"[..], true));
        pair.server.connection.send_head(id, &response());
        pair.server
            .connection
            .send_data(id, Bytes::from_static(b"world"), false);
        pair.server.connection.send_trailers(id, &trailers());
        pair.cross();
        let got = events(&mut pair.client);
        assert!(got.iter().any(|event| matches!(
            event,
            Event::Headers {
                end_stream: false,
                ..
            }
        )));
        assert!(
            got.iter()
                .any(|event| matches!(event, Event::Trailers { .. }))
        );
        assert!(matches!(got.last(), Some(Event::Closed { stream }) if *stream == id));
        assert!(matches!(
            events(&mut pair.server).last(),
            Some(Event::Closed { .. })
        ));
    }
}

#[test]
fn a_reader_that_reads_nothing_holds_the_sender_to_the_window() {
    let options = Http2Options {
        stream_window: 100_000,
        ..Http2Options::default()
    };
    let mut pair = Pair::new(Http2Options::default(), options);
    pair.cross();
    let id = pair.open();
    pair.client
        .connection
        .send_data(id, Bytes::from(vec![0; 1 << 20]), true);
    pair.cross();
    assert_eq!(read(&mut pair.server, false), (100_000, false));
    pair.cross();
    assert_eq!(read(&mut pair.server, false), (0, false));
    pair.server.connection.release(id, 100_000);
    let mut total = 100_000;
    let mut ended = false;
    while !ended {
        pair.cross();
        let (length, end) = read(&mut pair.server, true);
        assert!(length > 0 || end, "the sender stalled at {total}");
        total += length;
        ended = end;
    }
    assert_eq!(total, 1 << 20);
}

#[test]
fn unread_streams_do_not_stop_the_others() {
    let mut pair = Pair::established();
    for _ in 0..8 {
        let id = pair.open();
        pair.client
            .connection
            .send_data(id, Bytes::from(vec![0; 2 << 20]), true);
    }
    pair.cross();
    let (stuck, _) = read(&mut pair.server, false);
    assert_eq!(stuck, 8 << 20);
    let id = pair.open();
    pair.client
        .connection
        .send_data(id, Bytes::from_static(b"small"), true);
    pair.cross();
    assert_eq!(read(&mut pair.server, true), (5, true));
}

#[test]
fn what_a_connection_holds_is_bounded_over_all_streams() {
    let mut pair = Pair::established();
    for _ in 0..40 {
        let id = pair.open();
        pair.client
            .connection
            .send_data(id, Bytes::from(vec![0; 2 << 20]), true);
    }
    pair.cross();
    let (held, _) = read(&mut pair.server, false);
    assert!(held <= 16 << 20, "{held}");
    assert!(held >= 12 << 20, "{held}");
}

#[test]
fn cancelled_streams_give_their_window_back() {
    let mut pair = Pair::established();
    for _ in 0..2_000 {
        let id = pair.open();
        pair.client
            .connection
            .send_data(id, Bytes::from(vec![0; 60_000]), false);
        pair.cross();
        read(&mut pair.server, false);
        pair.server.connection.reset(id, ErrorCode::CANCEL);
        pair.cross();
        let got = events(&mut pair.client);
        let cause = ResetCause::Peer(ErrorCode::CANCEL);
        assert!(matches!(got.last(), Some(Event::Reset { cause: c, .. }) if *c == cause));
    }
}

#[test]
fn a_shrinking_initial_window_may_turn_negative() {
    let mut pair = Pair::established();
    let id = pair.open();
    pair.client
        .connection
        .send_data(id, Bytes::from(vec![0; 50_000]), false);
    pair.cross();
    assert_eq!(read(&mut pair.server, false).0, 50_000);
    // The server takes back most of its initial window.
    let settings = frame::Settings {
        initial_window_size: Some(10_000),
        ..frame::Settings::default()
    };
    settings.encode(&mut pair.client.inbox);
    pair.client
        .connection
        .send_data(id, Bytes::from(vec![0; 2 << 20]), false);
    pair.client
        .connection
        .receive(&mut pair.client.inbox, pair.now)
        .unwrap();
    let before = read(&mut pair.server, false).0;
    pair.cross();
    assert!(before + read(&mut pair.server, false).0 <= (1 << 20));
}

#[test]
fn streams_above_the_limit_wait_at_the_client_and_are_refused_by_the_server() {
    let options = Http2Options {
        max_concurrent_streams: 2,
        ..Http2Options::default()
    };
    let mut pair = Pair::new(Http2Options::default(), options);
    let before_settings = [pair.open(), pair.open(), pair.open()];
    pair.cross();
    let got = events(&mut pair.client);
    let cause = ResetCause::Peer(ErrorCode::REFUSED_STREAM);
    assert!(
        matches!(got[..], [Event::Reset { stream, cause: c }] if stream == before_settings[2] && c == cause)
    );
    assert_eq!(pair.client.connection.can_open(), Err(CannotOpen::Later));
    pair.client
        .connection
        .reset(before_settings[0], ErrorCode::CANCEL);
    assert_eq!(pair.client.connection.can_open(), Ok(()));
}

#[test]
fn a_graceful_end_loses_no_call() {
    let mut pair = Pair::established();
    let first = pair.open();
    pair.cross();
    pair.server.connection.drain(pair.now);
    // On its way while the server says goodbye.
    let second = pair.open();
    pair.client.connection.send_data(second, Bytes::new(), true);
    pair.cross();
    assert_eq!(pair.client.connection.can_open(), Err(CannotOpen::Never));
    let opened = events(&mut pair.server)
        .iter()
        .filter(|event| matches!(event, Event::Headers { .. }))
        .count();
    assert_eq!(opened, 2);
    for id in [first, second] {
        pair.server.connection.send_head(id, &response());
        pair.server.connection.send_trailers(id, &trailers());
    }
    pair.client.connection.send_data(first, Bytes::new(), true);
    pair.cross();
    let got = events(&mut pair.client);
    assert!(
        !got.iter().any(|event| matches!(event, Event::Reset { .. })),
        "{got:?}"
    );
    events(&mut pair.server);
    assert!(pair.server.connection.is_finished());
}

#[test]
fn calls_above_the_last_stream_are_unprocessed() {
    let mut pair = Pair::established();
    let ids = [pair.open(), pair.open()];
    let go_away = frame::GoAway {
        last_stream_id: ids[0],
        code: ErrorCode::NO_ERROR,
        debug_data: b"bye",
    };
    go_away.encode(&mut pair.client.inbox);
    pair.client
        .connection
        .receive(&mut pair.client.inbox, pair.now)
        .unwrap();
    let got = events(&mut pair.client);
    assert!(matches!(
        got[..],
        [Event::Reset { stream, cause: ResetCause::Unprocessed }, Event::GoAway { .. }] if stream == ids[1]
    ));
}

#[test]
fn an_answer_before_the_request_ended_stops_the_request_without_an_error() {
    let mut pair = Pair::established();
    let id = pair.open();
    pair.cross();
    pair.server.connection.send_head(id, &response());
    pair.server.connection.send_trailers(id, &trailers());
    pair.cross();
    let got = events(&mut pair.client);
    assert!(matches!(got[1], Event::Trailers { .. }), "{got:?}");
    // What the client still sends is ignored.
    pair.client
        .connection
        .send_data(id, Bytes::from_static(b"late"), true);
    pair.cross();
}

// --- a hostile or broken peer -----------------------------------------------------

/// Bytes of a client that is no machine of ours, for a server that is.
struct Script {
    server: Connection,
    bytes: BytesMut,
    now: Instant,
}

impl Script {
    fn new() -> Self {
        let now = Instant::now();
        let mut bytes = BytesMut::from(super::PREFACE);
        frame::Settings::default().encode(&mut bytes);
        Self {
            server: Connection::new(Role::Server, Http2Options::default(), now),
            bytes,
            now,
        }
    }

    fn frame(&mut self, kind: Kind, flags: u8, stream_id: u32, payload: &[u8]) -> &mut Self {
        let head = FrameHead {
            length: payload.len() as u32,
            kind,
            flags,
            stream_id,
        };
        head.encode(&mut self.bytes);
        self.bytes.put_slice(payload);
        self
    }

    /// HEADERS of a proper request, in literals.
    fn headers(&mut self, stream_id: u32, flags: u8) -> &mut Self {
        let block = request_block();
        self.frame(Kind::HEADERS, flags, stream_id, &block)
    }

    fn play(&mut self) -> Result<(), ConnectionError> {
        self.server.receive(&mut self.bytes, self.now)
    }

    /// Plays while the server reads, as a driver whose socket takes everything.
    fn play_all(&mut self) -> Result<(), ConnectionError> {
        loop {
            let before = self.bytes.len();
            let written = self.server.output().len();
            self.server.written(written);
            self.play()?;
            if self.bytes.len() == before {
                return Ok(());
            }
        }
    }
}

/// `:method POST`, `:scheme http`, `:path /a`, as RFC 7541 literals.
fn request_block() -> Vec<u8> {
    let mut block = vec![0x83, 0x86];
    block.extend_from_slice(&[0x04, 2]);
    block.extend_from_slice(b"/a");
    block
}

const OPEN: u8 = frame::END_HEADERS;
const WHOLE: u8 = frame::END_HEADERS | frame::END_STREAM;

#[test]
fn broken_connections_are_closed_with_the_code_of_the_rule() {
    type Play = fn(&mut Script);
    let cases: [(&str, ErrorCode, Play); 12] = [
        ("data on an idle stream", ErrorCode::PROTOCOL_ERROR, |s| {
            s.frame(Kind::DATA, 0, 5, b"x");
        }),
        ("an even stream", ErrorCode::PROTOCOL_ERROR, |s| {
            s.headers(2, OPEN);
        }),
        (
            "window update of an idle stream",
            ErrorCode::PROTOCOL_ERROR,
            |s| {
                s.frame(Kind::WINDOW_UPDATE, 0, 9, &[0, 0, 0, 1]);
            },
        ),
        ("reset of an idle stream", ErrorCode::PROTOCOL_ERROR, |s| {
            s.frame(Kind::RST_STREAM, 0, 9, &[0, 0, 0, 8]);
        }),
        ("push promise", ErrorCode::PROTOCOL_ERROR, |s| {
            s.frame(Kind::PUSH_PROMISE, 0, 1, &[0, 0, 0, 2]);
        }),
        (
            "continuation without headers",
            ErrorCode::PROTOCOL_ERROR,
            |s| {
                s.frame(Kind::CONTINUATION, OPEN, 1, &[]);
            },
        ),
        (
            "an interrupted header block",
            ErrorCode::PROTOCOL_ERROR,
            |s| {
                s.headers(1, 0).frame(Kind::PING, 0, 0, &[0; 8]);
            },
        ),
        (
            "a frame above the limit",
            ErrorCode::FRAME_SIZE_ERROR,
            |s| {
                s.frame(Kind::DATA, 0, 1, &vec![0; (64 << 10) + 1]);
            },
        ),
        ("broken hpack", ErrorCode::COMPRESSION_ERROR, |s| {
            s.frame(Kind::HEADERS, OPEN, 1, &[0x80]);
        }),
        (
            "connection window overflow",
            ErrorCode::FLOW_CONTROL_ERROR,
            |s| {
                s.frame(Kind::WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]);
            },
        ),
        ("a zero window increment", ErrorCode::PROTOCOL_ERROR, |s| {
            s.frame(Kind::WINDOW_UPDATE, 0, 0, &[0; 4]);
        }),
        (
            "settings with a bad frame size",
            ErrorCode::PROTOCOL_ERROR,
            |s| {
                s.frame(Kind::SETTINGS, 0, 0, &[0, 5, 0, 0, 0, 1]);
            },
        ),
    ];
    for (name, code, play) in cases {
        let mut script = Script::new();
        play(&mut script);
        let error = script.play_all().expect_err(name);
        assert_eq!(error.code, code, "{name}: {error}");
    }
}

#[test]
fn what_is_not_http2_is_told_at_the_first_wrong_byte() {
    let mut server = Connection::new(Role::Server, Http2Options::default(), Instant::now());
    let mut bytes = BytesMut::from(&b"GET / HTTP/1.1\r\n"[..]);
    assert!(server.receive(&mut bytes, Instant::now()).is_err());
}

#[test]
fn malformed_requests_are_stream_errors() {
    let upper: &[u8] = &[0x83, 0x86, 0x04, 2, b'/', b'a', 0x00, 1, b'X', 1, b'1'];
    let no_path: &[u8] = &[0x83, 0x86];
    for block in [upper, no_path] {
        let mut script = Script::new();
        script
            .frame(Kind::HEADERS, OPEN, 1, block)
            .headers(3, WHOLE);
        script.play().unwrap();
        let first = script.server.next_event();
        assert!(
            matches!(first, Some(Event::Headers { stream: 3, .. })),
            "{first:?}"
        );
    }
}

#[test]
fn rapid_reset_is_stopped() {
    let mut script = Script::new();
    for index in 0..50_000_u32 {
        let id = 2 * index + 1;
        script
            .headers(id, WHOLE)
            .frame(Kind::RST_STREAM, 0, id, &[0, 0, 0, 8]);
    }
    let error = script.play_all().unwrap_err();
    assert_eq!(error.code, ErrorCode::ENHANCE_YOUR_CALM);
    let opened = std::iter::from_fn(|| script.server.next_event())
        .filter(|event| matches!(event, Event::Headers { .. }))
        .count();
    assert!(opened <= 1_000, "{opened}");
}

#[test]
fn making_the_server_reset_costs_as_much() {
    let mut script = Script::new();
    for index in 0..5_000_u32 {
        let id = 2 * index + 1;
        script
            .headers(id, OPEN)
            .frame(Kind::WINDOW_UPDATE, 0, id, &[0; 4]);
    }
    assert_eq!(
        script.play_all().unwrap_err().code,
        ErrorCode::ENHANCE_YOUR_CALM
    );
}

#[test]
fn a_continuation_flood_is_stopped() {
    for payload in [&[][..], &[0; 1_000]] {
        let mut script = Script::new();
        script.headers(1, 0);
        for _ in 0..1_000 {
            script.frame(Kind::CONTINUATION, 0, 1, payload);
        }
        assert_eq!(
            script.play_all().unwrap_err().code,
            ErrorCode::ENHANCE_YOUR_CALM
        );
    }
}

#[test]
fn a_peer_that_does_not_read_the_answers_it_causes_is_not_read() {
    let mut script = Script::new();
    for _ in 0..100_000 {
        script.frame(Kind::PING, 0, 0, &[1; 8]);
    }
    script.play().unwrap();
    assert!(!script.server.wants_input());
    assert!(script.server.output().len() <= 65 << 10);
    let error = script.play_all().unwrap_err();
    assert_eq!(error.code, ErrorCode::ENHANCE_YOUR_CALM);
}

#[test]
fn a_silent_peer_and_a_half_sent_header_block_run_out_of_time() {
    let now = Instant::now();
    let mut server = Connection::new(Role::Server, Http2Options::default(), now);
    let deadline = server.next_timeout().unwrap();
    assert_eq!(deadline, now + Duration::from_secs(10));
    assert!(server.handle_timeout(deadline).is_err());

    let mut script = Script::new();
    script.headers(1, 0);
    script.play().unwrap();
    let deadline = script.server.next_timeout().unwrap();
    assert_eq!(deadline, script.now + Duration::from_secs(20));
    assert!(
        script
            .server
            .handle_timeout(deadline - Duration::from_millis(1))
            .is_ok()
    );
    assert!(script.server.handle_timeout(deadline).is_err());
}

#[test]
fn padding_is_given_back_at_once() {
    let mut script = Script::new();
    script.headers(1, OPEN);
    let mut payload = vec![255_u8];
    payload.extend_from_slice(b"x");
    payload.extend_from_slice(&[0; 255]);
    for _ in 0..20_000 {
        script.frame(Kind::DATA, frame::PADDED, 1, &payload);
    }
    // 5 MB cross a window of 1 MiB, as only one byte in 257 is the reader's.
    script.play_all().unwrap();
    let length: usize = std::iter::from_fn(|| script.server.next_event())
        .map(|event| {
            if let Event::Data { data, .. } = event {
                data.len()
            } else {
                0
            }
        })
        .sum();
    assert_eq!(length, 20_000);
}

#[test]
fn unknown_frames_settings_and_flags_are_ignored() {
    let mut script = Script::new();
    script
        .frame(Kind(0xee), 0xff, 7, b"anything")
        .frame(Kind::SETTINGS, 0, 0, &[0xff, 0xff, 0, 0, 0, 1])
        .headers(1, WHOLE | 0xc2);
    script.play().unwrap();
    assert!(matches!(
        script.server.next_event(),
        Some(Event::Headers { stream: 1, .. })
    ));
}
