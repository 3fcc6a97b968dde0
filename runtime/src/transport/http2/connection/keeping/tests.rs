//! What a server's connection counts for its calls, at every stage of a response. Two machines
//! are joined by nothing but bytes, and the test decides what the client reads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use bytes::Bytes;

use super::super::tests::{Pair, carry, events, fields, read, response, trailers};
use super::super::{OUTPUT_LIMIT, Role};
use super::*;
use crate::transport::http2::call_memory::OWN;
use crate::transport::http2::error_code::ErrorCode;
use crate::transport::http2::event::ConnectionError;
use crate::transport::http2::frame;
use crate::transport::http2::memory::Memory;
use crate::transport::http2::options::Http2Options;

const MIB: usize = 1 << 20;
const WINDOW: u32 = 40_000;

/// A client of small windows, and a server with 4 MiB for calls.
fn pair(memory: &Arc<Memory>) -> Pair {
    let small = Http2Options {
        stream_window: WINDOW,
        ..Http2Options::default()
    };
    let mut pair = Pair::new(small, Http2Options::default());
    pair.server.connection.share_memory(Arc::clone(memory));
    pair.cross();
    pair
}

/// The server's side of a client that takes everything and reads nothing.
fn wide(memory: &Arc<Memory>) -> Pair {
    let mut pair = pair(memory);
    let settings = frame::Settings {
        initial_window_size: Some(u32::MAX >> 1),
        ..frame::Settings::default()
    };
    settings.encode(&mut pair.server.inbox);
    frame::WindowUpdate {
        stream_id: 0,
        increment: 1 << 30,
    }
    .encode(&mut pair.server.inbox);
    receive(&mut pair);
    pair
}

fn receive(pair: &mut Pair) {
    let (server, now) = (&mut pair.server, pair.now);
    server
        .connection
        .receive_all(&mut server.inbox, now)
        .unwrap();
}

/// A call that has arrived.
fn call(pair: &mut Pair) -> StreamId {
    let id = pair.open();
    pair.client.connection.send_data(id, Bytes::new(), true);
    pair.cross();
    events(&mut pair.server);
    id
}

/// The same, without a byte that the client takes.
fn call_unheard(pair: &mut Pair) -> StreamId {
    let id = pair.open();
    pair.client.connection.send_data(id, Bytes::new(), true);
    carry(&mut pair.client, &mut pair.server, usize::MAX);
    receive(pair);
    events(&mut pair.server);
    id
}

/// A unary response; `false` if there is no memory for it.
fn answer(connection: &mut Connection, id: StreamId, length: usize) -> bool {
    let has_memory = connection.has_memory_for(id, length);
    if has_memory {
        connection.send_head(id, &response());
        connection.send_whole(id, &Bytes::from(vec![0; length]), false);
    }
    connection.send_trailers(id, &trailers());
    has_memory
}

fn held(connection: &Connection) -> usize {
    let held = connection.call_memory().unwrap().held();
    usize::try_from(held).unwrap()
}

/// The client takes and reads so much.
fn read_until(pair: &mut Pair, length: usize) {
    let mut total = 0;
    while total < length {
        pair.cross();
        let (more, _) = read(&mut pair.client, true);
        assert!(more > 0, "nothing comes after {total}");
        total += more;
    }
    pair.cross();
}

fn look(pair: &mut Pair, seconds: u64) -> Vec<StreamId> {
    pair.server.connection.rest(pair.now);
    pair.now += Duration::from_secs(seconds);
    pair.server.connection.handle_timeout(pair.now).unwrap();
    let unread = events(&mut pair.server).into_iter();
    let unread = unread.filter_map(|event| match event {
        Event::Unread { stream } => Some(stream),
        _ => None,
    });
    unread.collect()
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_response_counts_whole_until_its_last_byte_is_written() {
    let mut pair = pair(&Memory::new(0));
    let id = call(&mut pair);
    assert!(answer(&mut pair.server.connection, id, MIB));
    pair.cross();
    pair.server.connection.rest(pair.now);
    assert_eq!(held(&pair.server.connection), MIB);
    read_until(&mut pair, MIB - 2 * WINDOW as usize);
    pair.server.connection.rest(pair.now);
    assert_eq!(
        held(&pair.server.connection),
        MIB,
        "its tail keeps all of it"
    );
    // The windows are open for the rest, which the socket does not take.
    while pair.server.connection.has_queued(id) {
        pair.cross();
        read(&mut pair.client, true);
        carry(&mut pair.client, &mut pair.server, usize::MAX);
        receive(&mut pair);
        pair.server.connection.pump();
    }
    assert_eq!(held(&pair.server.connection), MIB, "the output has a part");
    pair.cross();
    assert_eq!(held(&pair.server.connection), 0);
}

#[test]
fn chunks_are_given_back_one_by_one() {
    let mut pair = pair(&Memory::new(0));
    let id = call(&mut pair);
    let connection = &mut pair.server.connection;
    let mut reserve = Reserve::new(connection.call_memory().unwrap());
    assert!(reserve.try_take(8 * MIB / 4));
    connection.send_head(id, &response());
    for _ in 0..4 {
        connection.send_data(id, Bytes::from(vec![0; MIB / 4]), false);
    }
    connection.adopt(id, reserve);
    pair.cross();
    assert_eq!(held(&pair.server.connection), MIB, "no more is queued");
    read_until(&mut pair, MIB / 2 - WINDOW as usize);
    assert!(held(&pair.server.connection) <= 3 * MIB / 4);
    assert!(held(&pair.server.connection) >= MIB / 2);
    read_until(&mut pair, MIB / 2);
    assert_eq!(held(&pair.server.connection), 0);
}

#[test]
fn responses_of_one_turn_do_not_all_have_the_output() {
    const LENGTH: usize = 230 << 10;
    let mut pair = wide(&Memory::new(0));
    let ids: Vec<_> = (0..64).map(|_| call_unheard(&mut pair)).collect();
    let connection = &mut pair.server.connection;
    let sent = ids.iter().filter(|id| answer(connection, **id, LENGTH));
    let sent = sent.count();
    let most = 4 * MIB + 2 * OUTPUT_HIGH_WATER + usize::try_from(OWN).unwrap();
    assert!((10..=most / LENGTH).contains(&sent), "{sent}");
    connection.pump();
    connection.rest(pair.now);
    assert!(held(connection) + OUTPUT_HIGH_WATER >= sent * LENGTH);
}

#[test]
fn responses_of_one_turn_share_the_output() {
    const LENGTH: usize = 100 << 10;
    let memory = Memory::new(0);
    let mut pair = wide(&memory);
    let ids: Vec<_> = (0..3).map(|_| call_unheard(&mut pair)).collect();
    let mut other = Account::new(memory);
    other.keep(4 * MIB + usize::try_from(OWN).unwrap());
    let connection = &mut pair.server.connection;
    assert!(answer(connection, ids[0], LENGTH));
    assert!(answer(connection, ids[1], LENGTH));
    assert_eq!(held(connection), 0);
    // There is no room for all of this one: what does not fit is more than its own.
    assert!(!answer(connection, ids[2], 2 * LENGTH));
}

/// A frame of what a peer allows would leave no room for anything else.
#[test]
fn a_frame_is_no_larger_than_the_output() {
    let mut pair = wide(&Memory::new(0));
    let largest = frame::Settings {
        max_frame_size: Some((1 << 24) - 1),
        ..frame::Settings::default()
    };
    largest.encode(&mut pair.server.inbox);
    receive(&mut pair);
    let id = call_unheard(&mut pair);
    let connection = &mut pair.server.connection;
    assert!(answer(connection, id, 2 * MIB));
    connection.pump();
    assert!(connection.output().len() < OUTPUT_LIMIT);
}

#[test]
fn who_takes_no_output_that_others_want_the_memory_of_is_sent_away() {
    let memory = Memory::new(0);
    let mut pair = wide(&memory);
    let ids: Vec<_> = (0..60).map(|_| call_unheard(&mut pair)).collect();
    let mut other = Account::new(memory);
    let text = "v".repeat(10 << 10);
    for id in ids {
        let connection = &mut pair.server.connection;
        connection.send_head(id, &fields(&[("x", &text)]));
        connection.send_trailers(id, &trailers());
    }
    events(&mut pair.server);
    let mut look = |wants: bool, takes: usize| {
        let connection = &mut pair.server.connection;
        connection.rest(pair.now);
        connection.written(takes);
        connection.rest(pair.now);
        assert!(connection.output_kept > 0);
        assert!(!wants || !other.try_keep(5 * MIB));
        pair.now += Duration::from_secs(20);
        connection.handle_timeout(pair.now)
    };
    for (wants, takes) in [(false, 0), (true, 85_000), (false, 0)] {
        look(wants, takes).unwrap();
    }
    let error = look(true, 10).unwrap_err();
    assert_eq!(error.code, ErrorCode::ENHANCE_YOUR_CALM);
}

/// What comes just before a look is not judged by what was there at the last one.
#[test]
fn output_that_comes_anew_is_seen_anew() {
    let memory = Memory::new(0);
    let mut pair = wide(&memory);
    let ids: Vec<_> = (0..120).map(|_| call_unheard(&mut pair)).collect();
    let mut other = Account::new(memory);
    let text = "v".repeat(10 << 10);
    // It holds more than its own all the time.
    let connection = &mut pair.server.connection;
    connection.account.as_mut().unwrap().keep(100 << 10);
    for ids in ids.chunks(40) {
        let connection = &mut pair.server.connection;
        // All that was there is taken, and then more comes.
        let written = connection.output().len();
        connection.written(written);
        connection.rest(pair.now);
        pair.now += Duration::from_secs(20);
        assert!(!other.try_keep(5 * MIB));
        for id in ids {
            connection.send_head(*id, &fields(&[("x", &text)]));
        }
        connection.rest(pair.now);
        assert!(connection.output_kept > 0);
        connection.handle_timeout(pair.now).unwrap();
    }
}

#[test]
fn calls_that_are_reset_leave_no_more_than_the_output_has() {
    let mut pair = wide(&Memory::new(64 * MIB));
    let id = call_unheard(&mut pair);
    let connection = &mut pair.server.connection;
    connection.send_head(id, &response());
    for _ in 0..50 {
        let mut reserve = Reserve::new(connection.call_memory().unwrap());
        assert!(reserve.try_take(MIB));
        connection.let_go_when_written(reserve);
    }
    assert!(held(connection) < 3 * MIB);
}

#[test]
fn a_response_that_was_to_be_framed_at_once_counts_where_it_is_not() {
    const LENGTH: usize = 230 << 10;
    let mut pair = wide(&Memory::new(0));
    let ids: Vec<_> = (0..21).map(|_| call_unheard(&mut pair)).collect();
    let connection = &mut pair.server.connection;
    assert!(answer(connection, ids[0], LENGTH));
    assert_eq!(held(connection), 0);
    // What is under no window comes before it.
    let text = "v".repeat(14 << 10);
    for id in &ids[1..] {
        connection.send_head(*id, &fields(&[("x", &text)]));
    }
    connection.pump();
    connection.rest(pair.now);
    let beyond = connection.output().len() - OUTPUT_HIGH_WATER;
    assert_eq!(held(connection), LENGTH + beyond);
    assert!(connection.output().len() < OUTPUT_LIMIT);
}

#[test]
fn a_response_is_seen_once_before_it_is_cut() {
    let memory = Memory::new(0);
    let mut pair = pair(&memory);
    let (early, late) = (call(&mut pair), call(&mut pair));
    let head = fields(&[("x", &"v".repeat(2_000))]);
    assert!(pair.server.connection.has_memory_for_head(late, &head));
    assert!(answer(&mut pair.server.connection, early, MIB));
    pair.cross();
    let mut other = Account::new(memory);
    assert!(look(&mut pair, 20).is_empty());
    assert!(answer(&mut pair.server.connection, late, MIB));
    pair.cross();
    pair.server.connection.rest(pair.now);
    assert!(!other.try_keep(4 * MIB));
    assert_eq!(look(&mut pair, 20), [early]);
    pair.server.connection.rest(pair.now);
    assert!(!other.try_keep(4 * MIB));
    let both = look(&mut pair, 20);
    assert!(both.contains(&late), "{both:?}");
}

#[test]
fn nothing_is_looked_at_where_a_connection_has_no_more_than_its_own() {
    let mut pair = pair(&Memory::new(0));
    let id = call(&mut pair);
    let own = usize::try_from(OWN).unwrap();
    assert!(answer(&mut pair.server.connection, id, own - 1_000));
    pair.cross();
    pair.server.connection.rest(pair.now);
    assert_eq!(held(&pair.server.connection), own - 1_000);
    assert_eq!(pair.server.connection.next_look(), None);
    let id = call(&mut pair);
    assert!(answer(&mut pair.server.connection, id, MIB / 2));
    pair.cross();
    pair.server.connection.rest(pair.now);
    assert_eq!(
        pair.server.connection.next_look(),
        Some(pair.now + PATIENCE)
    );
}

#[test]
fn what_is_kept_goes_with_the_streams() {
    for ends in [true, false] {
        let mut pair = pair(&Memory::new(0));
        for _ in 0..3 {
            let id = call(&mut pair);
            let head = fields(&[("x", &"v".repeat(2_000))]);
            assert!(pair.server.connection.has_memory_for_head(id, &head));
            assert!(answer(&mut pair.server.connection, id, MIB));
            pair.cross();
        }
        pair.server.connection.rest(pair.now);
        let connection = &mut pair.server.connection;
        assert!(held(connection) > 3 * MIB);
        if ends {
            connection.abort(ConnectionError::protocol("it is a test"));
        } else {
            connection.cut();
        }
        let written = connection.output().len();
        connection.written(written);
        assert_eq!(held(connection), 0);
    }
}

#[test]
fn a_stream_that_is_reset_leaves_what_the_output_has_of_it() {
    let mut pair = wide(&Memory::new(0));
    let id = call_unheard(&mut pair);
    let connection = &mut pair.server.connection;
    assert!(answer(connection, id, MIB));
    connection.pump();
    connection.rest(pair.now);
    assert!(held(connection) >= MIB);
    connection.reset(id, ErrorCode::CANCEL);
    assert!(held(connection) >= MIB, "the output has a part of it");
    let written = connection.output().len();
    connection.written(written);
    connection.rest(pair.now);
    assert_eq!(held(connection), 0);
}

#[test]
fn output_that_is_not_written_keeps_no_more_than_it_has_where_others_want_it() {
    let memory = Memory::new(0);
    let mut pair = wide(&memory);
    let id = call_unheard(&mut pair);
    let connection = &mut pair.server.connection;
    assert!(answer(connection, id, MIB));
    connection.pump();
    connection.rest(pair.now);
    connection.reset(id, ErrorCode::CANCEL);
    let (output, mut other) = (connection.output().len(), Account::new(memory));
    pair.server.connection.rest(pair.now);
    assert!(held(&pair.server.connection) >= MIB);
    assert!(!other.try_keep(4 * MIB));
    look(&mut pair, 20);
    let connection = &mut pair.server.connection;
    assert_eq!(connection.output().len(), output);
    assert!(held(connection) <= output - OUTPUT_HIGH_WATER);
    assert!(other.try_keep(4 * MIB));
}

#[test]
fn output_that_grows_wakes_nobody() {
    let memory = Memory::new(0);
    let mut pair = wide(&memory);
    assert_eq!(pair.server.connection.role, Role::Server);
    let ids: Vec<_> = (0..60).map(|_| call_unheard(&mut pair)).collect();
    let mut other = Account::new(memory);
    other.keep(4 * MIB);
    let _starving = Reserve::new(other.calls()).starve(50 << 10);
    other.starve();
    let woken = Arc::new(Woken::default());
    assert!(other.wait(&Waker::from(Arc::clone(&woken))));
    let connection = &mut pair.server.connection;
    let text = "v".repeat(10 << 10);
    for id in ids {
        connection.send_head(id, &fields(&[("x", &text)]));
        connection.rest(pair.now);
    }
    assert!(held(connection) > 100 << 10);
    assert_eq!(woken.0.load(Ordering::Relaxed), 0);
    let written = connection.output().len();
    connection.written(written);
    connection.rest(pair.now);
    assert_eq!(held(connection), 0);
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
}
