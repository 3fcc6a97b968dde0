//! A server machine against bytes that no machine of ours would send.

use std::time::{Duration, Instant};

use bytes::{BufMut, BytesMut};

use super::{Connection, Role};
use crate::transport::http2::error_code::ErrorCode;
use crate::transport::http2::event::{ConnectionError, Event};
use crate::transport::http2::frame::{self, FrameHead, Kind};
use crate::transport::http2::keepalive::PingLimits;
use crate::transport::http2::options::Http2Options;

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
        self.server.receive_all(&mut self.bytes, self.now)
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
    assert!(server.receive_all(&mut bytes, Instant::now()).is_err());
}

#[test]
fn malformed_requests_are_stream_errors() {
    let upper: &[u8] = &[0x83, 0x86, 0x04, 2, b'/', b'a', 0x00, 1, b'X', 1, b'1'];
    let no_path: &[u8] = &[0x83, 0x86];
    let te = [&request_block()[..], b"\x00\x02te\x04gzip"].concat();
    let connection = [&request_block()[..], b"\x00\x0aconnection\x05close"].concat();
    for block in [upper, no_path, &te, &connection] {
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

/// HEADERS of a proper request with one more field, and a body.
fn with_field(name: &str, value: &str, body: &[u8]) -> Script {
    let mut script = Script::new();
    let mut block = request_block();
    for text in [name, value] {
        if text == name {
            block.push(0);
        }
        block.push(u8::try_from(text.len()).unwrap());
        block.extend_from_slice(text.as_bytes());
    }
    script
        .frame(Kind::HEADERS, OPEN, 1, &block)
        .frame(Kind::DATA, frame::END_STREAM, 1, body);
    script
}

#[test]
fn a_body_has_the_length_that_was_told() {
    for (told, right) in [
        ("5", true),
        ("05", true),
        ("99", false),
        ("4", false),
        ("0", false),
        ("abc", false),
        ("+5", false),
        ("", false),
        ("99999999999999999999", false),
    ] {
        let mut script = with_field("content-length", told, b"12345");
        script.play().unwrap();
        let events: Vec<_> = std::iter::from_fn(|| script.server.next_event()).collect();
        let whole = events.iter().any(|event| {
            matches!(
                event,
                Event::Data {
                    end_stream: true,
                    ..
                }
            )
        });
        assert_eq!(whole, right, "{told}: {events:?}");
        script.headers(3, WHOLE).play().unwrap();
        let next = script.server.next_event();
        assert!(matches!(next, Some(Event::Headers { stream: 3, .. })));
    }
}

#[test]
fn a_length_that_is_told_twice_is_one_length() {
    for (second, right) in [("5", true), ("6", false)] {
        let mut script = Script::new();
        let mut block = request_block();
        for value in ["5", second] {
            block.extend_from_slice(b"\0\x0econtent-length\x01");
            block.extend_from_slice(value.as_bytes());
        }
        script.frame(Kind::HEADERS, OPEN, 1, &block);
        script.play().unwrap();
        assert_eq!(script.server.next_event().is_some(), right);
    }
}

#[test]
fn a_body_that_ends_short_by_trailers_or_at_once_is_malformed() {
    let mut block = request_block();
    block.extend_from_slice(b"\0\x0econtent-length\x015");
    let mut short = Script::new();
    short
        .frame(Kind::HEADERS, OPEN, 1, &block)
        .frame(Kind::DATA, 0, 1, b"1234")
        .frame(Kind::HEADERS, WHOLE, 1, b"\0\x01x\x01y");
    short.play().unwrap();
    let last = std::iter::from_fn(|| short.server.next_event()).last();
    assert!(
        matches!(last, Some(Event::Reset { stream: 1, .. })),
        "{last:?}"
    );

    let mut none = Script::new();
    none.frame(Kind::HEADERS, WHOLE, 1, &block).play().unwrap();
    assert!(none.server.next_event().is_none());
}

#[test]
fn a_stream_below_the_last_one_ends_the_connection() {
    let mut skipped = Script::new();
    skipped.headers(5, WHOLE).headers(3, WHOLE);
    let error = skipped.play().unwrap_err();
    assert_eq!(error.code, ErrorCode::PROTOCOL_ERROR);

    let mut finished = Script::new();
    finished.headers(1, WHOLE);
    finished.play().unwrap();
    finished.server.send_trailers(1, &super::tests::trailers());
    finished.headers(1, WHOLE);
    let error = finished.play().unwrap_err();
    assert_eq!(error.code, ErrorCode::STREAM_CLOSED);
}

#[test]
fn what_was_on_its_way_to_a_stream_that_was_reset_is_ignored() {
    let mut script = Script::new();
    script.headers(1, OPEN).play().unwrap();
    script.server.reset(1, ErrorCode::CANCEL);
    for _ in 0..2_000 {
        script.frame(Kind::DATA, 0, 1, &[7; 100]);
    }
    script
        .frame(Kind::WINDOW_UPDATE, 0, 1, &[0, 0, 0, 9])
        .frame(Kind::HEADERS, WHOLE, 1, b"\0\x01x\x01y")
        .frame(Kind::RST_STREAM, 0, 1, &[0, 0, 0, 8])
        .headers(3, WHOLE);
    script.play_all().unwrap();
    let next = std::iter::from_fn(|| script.server.next_event()).last();
    assert!(
        matches!(next, Some(Event::Headers { stream: 3, .. })),
        "{next:?}"
    );
}

#[test]
fn a_priority_of_a_wrong_length_is_told_on_every_stream() {
    for id in [1, 7] {
        let mut script = Script::new();
        script.headers(1, WHOLE).play().unwrap();
        script.server.send_trailers(1, &super::tests::trailers());
        let written = script.server.output().len();
        script.server.written(written);
        script.frame(Kind::PRIORITY, 0, id, &[0; 4]);
        let played = script.play();
        if id == 7 {
            // No RST_STREAM may name a stream that is idle.
            assert_eq!(played.unwrap_err().code, ErrorCode::FRAME_SIZE_ERROR);
        } else {
            played.unwrap();
            let mut slices = [std::io::IoSlice::new(&[]); 4];
            script.server.output().slices(&mut slices);
            assert_eq!(slices[0][3..], [3, 0, 0, 0, 0, 1, 0, 0, 0, 6]);
        }
    }
}

/// Answered in full and cut with NO_ERROR: as costly as other resets, unless a body
/// comes.
#[test]
fn answers_to_calls_that_end_nothing_have_a_budget() {
    for body in [&[][..], b"body"] {
        let mut script = Script::new();
        let mut told = None;
        for index in 0..5_000_u32 {
            let id = 2 * index + 1;
            script.headers(id, OPEN);
            told = script.play_all().err();
            if told.is_some() {
                break;
            }
            script.server.send_trailers(id, &super::tests::trailers());
            if !body.is_empty() {
                script.frame(Kind::DATA, frame::END_STREAM, id, body);
            }
        }
        let code = told.map(|error| error.code);
        let calm = body.is_empty().then_some(ErrorCode::ENHANCE_YOUR_CALM);
        assert_eq!(code, calm);
    }
}

#[test]
fn calls_that_came_before_our_settings_were_seen_are_refused_for_nothing() {
    let mut script = Script::new();
    for index in 0..4_000_u32 {
        script.headers(2 * index + 1, OPEN);
    }
    script.play_all().unwrap();
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
    assert!((500..=1_000).contains(&opened), "{opened}");
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
    script.server.ping_limits = PingLimits {
        min_interval: Duration::ZERO,
        without_calls: true,
    };
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
            .handle_timeout(script.now + Duration::from_millis(19_999))
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
