//! A client and a server machine, joined by nothing but bytes, with a clock
//! that the test passes in.

use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::{CannotOpen, Connection, Role};
use crate::transport::http2::error_code::ErrorCode;
use crate::transport::http2::event::{ConnectionError, Event, ResetCause, StreamId};
use crate::transport::http2::fields::Fields;
use crate::transport::http2::frame;
use crate::transport::http2::options::Http2Options;

/// One end, with the bytes on their way to it.
pub(super) struct End {
    pub(super) connection: Connection,
    pub(super) inbox: BytesMut,
}

pub(super) struct Pair {
    pub(super) client: End,
    pub(super) server: End,
    pub(super) now: Instant,
    /// Bytes that cross in one step.
    step: usize,
}

impl Pair {
    pub(super) fn new(client: Http2Options, server: Http2Options) -> Self {
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

    pub(super) fn established() -> Self {
        let mut pair = Self::new(Http2Options::default(), Http2Options::default());
        pair.cross();
        pair
    }

    /// Moves bytes until nothing moves; events wait at their ends.
    pub(super) fn cross(&mut self) {
        self.try_cross().unwrap();
    }

    pub(super) fn try_cross(&mut self) -> Result<(), ConnectionError> {
        loop {
            let (a, b) = (&mut self.client, &mut self.server);
            let moved = carry(a, b, self.step) | carry(b, a, self.step);
            a.connection.receive_all(&mut a.inbox, self.now)?;
            b.connection.receive_all(&mut b.inbox, self.now)?;
            if !moved {
                return Ok(());
            }
        }
    }

    pub(super) fn open(&mut self) -> StreamId {
        self.client.connection.open(&request(), self.now).unwrap()
    }
}

impl Connection {
    /// Takes all that is complete; events wait.
    pub(super) fn receive_all(
        &mut self,
        input: &mut BytesMut,
        now: Instant,
    ) -> Result<(), ConnectionError> {
        while self.receive(input, now)? {}
        Ok(())
    }
}

pub(super) fn carry(from: &mut End, to: &mut End, step: usize) -> bool {
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

pub(super) fn events(end: &mut End) -> Vec<Event> {
    std::iter::from_fn(|| end.connection.next_event()).collect()
}

pub(super) fn fields(list: &[(&str, &str)]) -> Fields {
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

pub(super) fn response() -> Fields {
    fields(&[(":status", "200"), ("content-type", "application/grpc")])
}

pub(super) fn trailers() -> Fields {
    fields(&[("grpc-status", "0")])
}

/// All body bytes among the events, released as they are read.
pub(super) fn read(end: &mut End, release: bool) -> (usize, bool) {
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
        .receive_all(&mut pair.client.inbox, pair.now)
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
        .receive_all(&mut pair.client.inbox, pair.now)
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

/// RFC 9113 section 6.5.2: what is open may stay, nothing is opened above it.
#[test]
fn a_limit_that_the_server_changes_holds_from_then_on() {
    let mut pair = Pair::established();
    let (first, _second) = (pair.open(), pair.open());
    let limit = |pair: &mut Pair, streams| {
        let settings = frame::Settings {
            max_concurrent_streams: Some(streams),
            ..frame::Settings::default()
        };
        settings.encode(&mut pair.client.inbox);
        pair.cross();
    };
    for streams in [2, 0] {
        limit(&mut pair, streams);
        let refused = pair.client.connection.can_open();
        assert!(matches!(refused, Err(CannotOpen::Later)), "{streams}");
    }
    limit(&mut pair, 2);
    pair.client.connection.reset(first, ErrorCode::CANCEL);
    assert!(pair.client.connection.can_open().is_ok());
}

#[test]
fn a_server_tells_its_limits_from_the_first() {
    let pair = Pair::established();
    let peer = &pair.client.connection.peer;
    assert!((100..=256).contains(&peer.max_concurrent_streams));
    assert!((8 << 10..=16 << 10).contains(&peer.max_header_list_size));
}

/// RFC 9113 section 5.1.1: the next call needs another connection.
#[test]
fn a_client_that_has_used_every_stream_id_opens_no_more() {
    let mut pair = Pair::established();
    pair.client.connection.next_stream = StreamId::MAX >> 1;
    let last = pair.open();
    pair.cross();
    assert_eq!(last, 0x7fff_ffff);
    let never = pair.client.connection.can_open();
    assert!(matches!(never, Err(CannotOpen::Never)));
    let opened = events(&mut pair.server);
    assert!(matches!(opened[..], [Event::Headers { stream, .. }] if stream == last));
}
