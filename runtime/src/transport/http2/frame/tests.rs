//! Tests of every frame: by octets written out, by round trip, and each way
//! to be malformed with its scope and code.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::settings::{MAX_MAX_FRAME_SIZE, MIN_MAX_FRAME_SIZE};
use super::*;

/// Splits one frame off `octets`, which hold nothing else.
fn split(octets: &[u8]) -> (FrameHead, &[u8]) {
    let (head, payload) = octets.split_first_chunk().unwrap();
    let head = FrameHead::parse(head);
    assert_eq!(head.length as usize, payload.len());
    (head, payload)
}

fn head(kind: Kind, flags: u8, stream_id: u32, payload: &[u8]) -> FrameHead {
    FrameHead::new(payload.len() as u32, kind, flags, stream_id)
}

fn written(write: impl FnOnce(&mut BytesMut)) -> Vec<u8> {
    let mut out = BytesMut::new();
    write(&mut out);
    out.to_vec()
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, FrameError>, scope: Scope, code: ErrorCode) {
    let error = result.unwrap_err();
    assert_eq!((error.scope, error.code), (scope, code), "{error}");
}

#[test]
fn head_octets() {
    let octets = [0x01, 0x02, 0x03, 0x09, 0x24, 0xff, 0x00, 0x00, 0x05];
    let head = FrameHead::parse(&octets);
    assert_eq!(
        head,
        FrameHead {
            length: 0x01_0203,
            kind: Kind::CONTINUATION,
            flags: 0x24,
            stream_id: 0x7f00_0005,
        }
    );
    assert!(head.has(END_HEADERS) && head.has(PRIORITY) && !head.has(PADDED));
    assert_eq!(head.octets()[5], 0x7f);
}

#[test]
fn data_octets() {
    let octets = b"\0\0\x03\0\x01\0\0\0\x07abc";
    let (head, payload) = split(octets);
    let data = Data::parse(head, Bytes::copy_from_slice(payload)).unwrap();
    assert_eq!(
        data,
        Data {
            end_stream: true,
            data: Bytes::from_static(b"abc"),
        }
    );
    let head = written(|out| Data::encode_head(7, 3, true, out));
    assert_eq!(head, octets[..9]);
    let head = written(|out| Data::encode_head(7, 3, false, out));
    assert_eq!(head, b"\0\0\x03\0\0\0\0\0\x07");
}

#[test]
fn data_padding_is_cut_off_without_a_copy() {
    let payload = Bytes::from_static(b"\x02abc\0\0");
    let parsed = Data::parse(head(Kind::DATA, PADDED, 1, &payload), payload.clone()).unwrap();
    assert_eq!(parsed.data, "abc");
    assert_eq!(parsed.data.as_ptr(), payload[1..].as_ptr());
    let all = Bytes::from_static(b"\x02\0\0");
    let parsed = Data::parse(head(Kind::DATA, PADDED, 1, &all), all).unwrap();
    assert!(parsed.data.is_empty());
}

#[test]
fn data_malformed() {
    let parse = |flags, stream_id, payload: &'static [u8]| {
        Data::parse(
            head(Kind::DATA, flags, stream_id, payload),
            Bytes::from_static(payload),
        )
    };
    let connection = Scope::Connection;
    refused(parse(0, 0, b"abc"), connection, ErrorCode::PROTOCOL_ERROR);
    refused(
        parse(PADDED, 1, b""),
        connection,
        ErrorCode::FRAME_SIZE_ERROR,
    );
    refused(
        parse(PADDED, 1, b"\x01"),
        connection,
        ErrorCode::PROTOCOL_ERROR,
    );
    refused(
        parse(PADDED, 1, b"\x04abc"),
        connection,
        ErrorCode::PROTOCOL_ERROR,
    );
}

#[test]
fn headers_octets() {
    let octets = b"\0\0\x02\x01\x05\0\0\0\x01\x88\xbf";
    let (head, payload) = split(octets);
    let headers = Headers::parse(head, payload).unwrap();
    assert!(headers.end_stream && headers.end_headers && !headers.depends_on_itself);
    assert_eq!(payload[headers.fragment], [0x88, 0xbf]);
    let again = written(|out| {
        let block = Headers::begin(out);
        out.extend_from_slice(&[0x88, 0xbf]);
        block.finish(1, true, MIN_MAX_FRAME_SIZE, out);
    });
    assert_eq!(again, octets);
}

#[test]
fn headers_fragment_stands_between_priority_and_padding() {
    let payload = b"\x03\x80\0\0\x05\xffblockpad";
    let frame = head(Kind::HEADERS, PADDED | PRIORITY, 3, payload);
    let headers = Headers::parse(frame, payload).unwrap();
    assert_eq!(&payload[headers.fragment], b"block");
    assert!(!headers.end_stream && !headers.end_headers && !headers.depends_on_itself);

    let payload = b"\x80\0\0\x03\xff";
    let frame = head(Kind::HEADERS, PRIORITY, 3, payload);
    let headers = Headers::parse(frame, payload).unwrap();
    assert!(headers.depends_on_itself && headers.fragment.is_empty());
}

#[test]
fn headers_malformed() {
    let parse = |flags, stream_id, payload: &'static [u8]| {
        Headers::parse(head(Kind::HEADERS, flags, stream_id, payload), payload)
    };
    let connection = Scope::Connection;
    refused(parse(0, 0, b"\x88"), connection, ErrorCode::PROTOCOL_ERROR);
    refused(
        parse(PADDED, 1, b""),
        connection,
        ErrorCode::FRAME_SIZE_ERROR,
    );
    refused(
        parse(PADDED, 1, b"\x02\x88"),
        connection,
        ErrorCode::PROTOCOL_ERROR,
    );
    refused(
        parse(PRIORITY, 1, b"\0\0\0\0"),
        connection,
        ErrorCode::FRAME_SIZE_ERROR,
    );
    // The padding leaves too little for the priority.
    let short = parse(PADDED | PRIORITY, 1, b"\x01\0\0\0\0\0");
    refused(short, connection, ErrorCode::FRAME_SIZE_ERROR);
}

#[test]
fn a_long_block_goes_on_in_continuation_frames() {
    for len in [0, 9, 10, 11, 20, 21, 35] {
        let fragment: Vec<u8> = (0..len).collect();
        let out = written(|out| {
            out.extend_from_slice(b"before");
            let block = Headers::begin(out);
            out.extend_from_slice(&fragment);
            block.finish(5, true, 10, out);
        });
        let mut rest = out.strip_prefix(b"before").unwrap();
        let mut joined = Vec::new();
        let mut frames = 0;
        let mut ended = false;
        while let Some((head, after)) = rest.split_first_chunk() {
            assert!(!ended);
            let head = FrameHead::parse(head);
            assert!(head.length <= 10);
            let (payload, after) = after.split_at(head.length as usize);
            if frames == 0 {
                let headers = Headers::parse(head, payload).unwrap();
                assert_eq!(head.kind, Kind::HEADERS);
                assert!(headers.end_stream);
                ended = headers.end_headers;
            } else {
                assert_eq!((head.kind, head.stream_id), (Kind::CONTINUATION, 5));
                ended = Continuation::parse(head).unwrap().end_headers;
            }
            joined.extend_from_slice(payload);
            frames += 1;
            rest = after;
        }
        assert!(ended);
        assert_eq!(joined, fragment);
        assert_eq!(frames, usize::from(len).div_ceil(10).max(1));
    }
}

#[test]
fn continuation_malformed() {
    let parsed = Continuation::parse(head(Kind::CONTINUATION, END_HEADERS, 0, b""));
    refused(parsed, Scope::Connection, ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn priority_checks() {
    let parse = |stream_id, payload: &[u8]| {
        Priority::parse(head(Kind::PRIORITY, 0, stream_id, payload), payload)
    };
    assert!(parse(3, b"\0\0\0\x01\x10").is_ok());
    refused(
        parse(0, b"\0\0\0\x01\x10"),
        Scope::Connection,
        ErrorCode::PROTOCOL_ERROR,
    );
    refused(
        parse(3, b"\0\0\0\x01"),
        Scope::Stream,
        ErrorCode::FRAME_SIZE_ERROR,
    );
    refused(
        parse(3, b"\0\0\0\x01\x10\0"),
        Scope::Stream,
        ErrorCode::FRAME_SIZE_ERROR,
    );
    refused(
        parse(3, b"\x80\0\0\x03\x10"),
        Scope::Stream,
        ErrorCode::PROTOCOL_ERROR,
    );
}

#[test]
fn reset_octets_and_checks() {
    let octets = b"\0\0\x04\x03\0\0\0\0\x05\0\0\0\x08";
    let (head, payload) = split(octets);
    let reset = Reset::parse(head, payload).unwrap();
    assert_eq!((reset.stream_id, reset.code), (5, ErrorCode::CANCEL));
    assert_eq!(written(|out| reset.encode(out)), octets);
    let size = Reset::parse(head, &payload[1..]);
    refused(size, Scope::Connection, ErrorCode::FRAME_SIZE_ERROR);
    let zero = Reset::parse(
        FrameHead {
            stream_id: 0,
            ..head
        },
        payload,
    );
    refused(zero, Scope::Connection, ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn ping_octets_and_checks() {
    let octets = b"\0\0\x08\x06\x01\0\0\0\0octets!!";
    let (head, payload) = split(octets);
    let ping = Ping::parse(head, payload).unwrap();
    assert_eq!((ping.ack, &ping.data), (true, b"octets!!"));
    assert_eq!(written(|out| ping.encode(out)), octets);
    let question = Ping { ack: false, ..ping };
    assert_eq!(written(|out| question.encode(out))[4], 0);
    let size = Ping::parse(head, &payload[1..]);
    refused(size, Scope::Connection, ErrorCode::FRAME_SIZE_ERROR);
    let on_stream = Ping::parse(
        FrameHead {
            stream_id: 1,
            ..head
        },
        payload,
    );
    refused(on_stream, Scope::Connection, ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn go_away_octets_and_checks() {
    let octets = b"\0\0\x0b\x07\0\0\0\0\0\x80\0\0\x09\0\0\0\x0bwhy";
    let (head, payload) = split(octets);
    let go_away = GoAway::parse(head, payload).unwrap();
    assert_eq!(
        go_away,
        GoAway {
            last_stream_id: 9,
            code: ErrorCode::ENHANCE_YOUR_CALM,
            debug_data: b"why",
        }
    );
    let again = written(|out| go_away.encode(out));
    assert_eq!(GoAway::parse(split(&again).0, split(&again).1), Ok(go_away));
    let size = GoAway::parse(head, &payload[..7]);
    refused(size, Scope::Connection, ErrorCode::FRAME_SIZE_ERROR);
    let on_stream = GoAway::parse(
        FrameHead {
            stream_id: 1,
            ..head
        },
        payload,
    );
    refused(on_stream, Scope::Connection, ErrorCode::PROTOCOL_ERROR);
}

#[test]
fn window_update_octets_and_checks() {
    let octets = b"\0\0\x04\x08\0\0\0\0\x03\0\x01\0\0";
    let (head, payload) = split(octets);
    let update = WindowUpdate::parse(head, payload).unwrap();
    assert_eq!((update.stream_id, update.increment), (3, 65_536));
    assert_eq!(written(|out| update.encode(out)), octets);
    let reserved = WindowUpdate::parse(head, b"\x80\0\0\x01").unwrap();
    assert_eq!(reserved.increment, 1);

    let connection = FrameHead {
        stream_id: 0,
        ..head
    };
    assert!(WindowUpdate::parse(connection, payload).is_ok());
    let zero = |head| WindowUpdate::parse(head, b"\x80\0\0\0");
    refused(zero(head), Scope::Stream, ErrorCode::PROTOCOL_ERROR);
    refused(
        zero(connection),
        Scope::Connection,
        ErrorCode::PROTOCOL_ERROR,
    );
    let size = WindowUpdate::parse(head, &payload[1..]);
    refused(size, Scope::Connection, ErrorCode::FRAME_SIZE_ERROR);
}

fn settings(payload: &[u8]) -> Result<SettingsFrame, FrameError> {
    Settings::parse(head(Kind::SETTINGS, 0, 0, payload), payload)
}

#[test]
fn settings_octets() {
    let octets = b"\0\0\x12\x04\0\0\0\0\0\
        \0\x02\0\0\0\0\
        \0\x03\0\0\0\x64\
        \0\x04\x7f\xff\xff\xff";
    let (head, payload) = split(octets);
    let expected = Settings {
        enable_push: Some(false),
        max_concurrent_streams: Some(100),
        initial_window_size: Some(MAX_31_BITS),
        ..Settings::default()
    };
    assert_eq!(
        Settings::parse(head, payload),
        Ok(SettingsFrame::Settings(expected))
    );
    assert_eq!(written(|out| expected.encode(out)), octets);
    let none = Settings::default();
    assert_eq!(written(|out| none.encode(out)), b"\0\0\0\x04\0\0\0\0\0");

    let octets = written(Settings::encode_ack);
    assert_eq!(octets, b"\0\0\0\x04\x01\0\0\0\0");
    assert_eq!(
        Settings::parse(split(&octets).0, b""),
        Ok(SettingsFrame::Ack)
    );
}

#[test]
fn settings_unknown_are_ignored_and_the_last_counts() {
    let payload = b"\0\x01\0\0\0\x05\xff\xff\0\0\0\x01\0\x09\0\0\0\x01\0\x01\0\0\x10\0";
    let expected = Settings {
        header_table_size: Some(4096),
        ..Settings::default()
    };
    assert_eq!(settings(payload), Ok(SettingsFrame::Settings(expected)));
}

#[test]
fn settings_malformed() {
    let connection = Scope::Connection;
    let ack = Settings::parse(head(Kind::SETTINGS, ACK, 0, b"x"), b"\0\x01\0\0\0\0");
    refused(ack, connection, ErrorCode::FRAME_SIZE_ERROR);
    let on_stream = Settings::parse(head(Kind::SETTINGS, 0, 1, b""), b"");
    refused(on_stream, connection, ErrorCode::PROTOCOL_ERROR);
    refused(
        settings(b"\0\x01\0\0\0"),
        connection,
        ErrorCode::FRAME_SIZE_ERROR,
    );
    refused(
        settings(b"\0\x01\0\0\0\0\0"),
        connection,
        ErrorCode::FRAME_SIZE_ERROR,
    );
    refused(
        settings(b"\0\x02\0\0\0\x02"),
        connection,
        ErrorCode::PROTOCOL_ERROR,
    );
    refused(
        settings(b"\0\x04\x80\0\0\0"),
        connection,
        ErrorCode::FLOW_CONTROL_ERROR,
    );
    refused(
        settings(b"\0\x05\0\0\x3f\xff"),
        connection,
        ErrorCode::PROTOCOL_ERROR,
    );
    refused(
        settings(b"\0\x05\x01\0\0\0"),
        connection,
        ErrorCode::PROTOCOL_ERROR,
    );
    assert!(settings(b"\0\x05\0\0\x40\0").is_ok());
    assert!(settings(b"\0\x05\0\xff\xff\xff").is_ok());
}

#[test]
fn errors_and_codes_have_names() {
    let error = settings(b"x").unwrap_err();
    assert_eq!(
        error.to_string(),
        "FRAME_SIZE_ERROR: SETTINGS not of whole settings"
    );
    assert_eq!(
        ErrorCode::HTTP_1_1_REQUIRED.to_string(),
        "HTTP_1_1_REQUIRED"
    );
    assert_eq!(ErrorCode(0xe).to_string(), "error code 0xe");
    assert!((0..=0xd).all(|code| ErrorCode(code).name().is_some()));
}

proptest! {
    #[test]
    fn heads_survive(
        length in 0_u32..1 << 24,
        kind: u8,
        flags: u8,
        stream_id in 0..=MAX_31_BITS,
    ) {
        let head = FrameHead { length, kind: Kind(kind), flags, stream_id };
        prop_assert_eq!(FrameHead::parse(&head.octets()), head);
    }

    #[test]
    fn settings_survive(
        header_table_size: Option<u32>,
        enable_push: Option<bool>,
        max_concurrent_streams: Option<u32>,
        initial_window_size in prop::option::of(0..=MAX_31_BITS),
        max_frame_size in prop::option::of(MIN_MAX_FRAME_SIZE..=MAX_MAX_FRAME_SIZE),
        max_header_list_size: Option<u32>,
    ) {
        let sent = Settings {
            header_table_size,
            enable_push,
            max_concurrent_streams,
            initial_window_size,
            max_frame_size,
            max_header_list_size,
        };
        let octets = written(|out| sent.encode(out));
        let (head, payload) = split(&octets);
        prop_assert_eq!(Settings::parse(head, payload), Ok(SettingsFrame::Settings(sent)));
    }

    #[test]
    fn nothing_panics(
        flags: u8,
        stream_id in prop_oneof![Just(0), 1..=MAX_31_BITS],
        payload in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let head = head(Kind(0), flags, stream_id, &payload);
        if let Ok(headers) = Headers::parse(head, &payload) {
            prop_assert!(payload.get(headers.fragment).is_some());
        }
        let bytes = Bytes::from(payload.clone());
        if let Ok(data) = Data::parse(head, bytes) {
            prop_assert!(data.data.len() <= payload.len());
        }
        let _ = Priority::parse(head, &payload);
        let _ = Reset::parse(head, &payload);
        let _ = Settings::parse(head, &payload);
        let _ = Ping::parse(head, &payload);
        let _ = GoAway::parse(head, &payload);
        let _ = WindowUpdate::parse(head, &payload);
    }
}
