//! Tests of `upkeep.rs`: two machines, joined by nothing but bytes, with a clock
//! that the test moves.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::super::tests::{Pair, events, response, trailers};
use super::super::{CannotOpen, Connection};
use crate::transport::http2::error_code::ErrorCode;
use crate::transport::http2::event::{ConnectionError, Event};
use crate::transport::http2::frame::{self, FrameHead, Kind};
use crate::transport::http2::options::UpkeepOptions;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A pair whose ends have agreed, with options for what time does to them.
fn pair(client: impl FnOnce(&mut UpkeepOptions), server: impl FnOnce(&mut UpkeepOptions)) -> Pair {
    let (mut of_client, mut of_server) = (UpkeepOptions::client(), UpkeepOptions::server());
    client(&mut of_client);
    server(&mut of_server);
    let mut pair = Pair::established();
    pair.client.connection.keep_up(&of_client, pair.now);
    pair.server.connection.keep_up(&of_server, pair.now);
    pair
}

fn keepalive(options: &mut UpkeepOptions) {
    options.keepalive.time = Some(secs(10));
}

fn nothing(_: &mut UpkeepOptions) {}

/// The connection's PINGs that wait in its output, without acknowledgements.
fn pings(connection: &Connection) -> usize {
    let mut slices = [std::io::IoSlice::new(&[]); 16];
    let count = connection.output().slices(&mut slices);
    let bytes: Vec<u8> = slices[..count]
        .iter()
        .flat_map(|slice| slice.to_vec())
        .collect();
    let (mut at, mut found) = (0, 0);
    while let Some(head) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        let head = FrameHead::parse(head);
        found += usize::from(head.kind == Kind::PING && !head.has(frame::ACK));
        at += FrameHead::LEN + head.length as usize;
    }
    found
}

/// Fires the timer if it is due; what the driver does.
fn fire(connection: &mut Connection, now: Instant) -> Result<(), ConnectionError> {
    connection.rest(now);
    if connection.next_timeout().is_some_and(|due| due <= now) {
        connection.handle_timeout(now)?;
    }
    Ok(())
}

impl Pair {
    /// Moves the clock second by second; what is sent arrives and is heard, unless
    /// the connection is `cut`. Gives how many PINGs each side sent.
    fn pass(&mut self, time: Duration, cut: bool) -> Result<(usize, usize), ConnectionError> {
        let (mut of_client, mut of_server) = (0, 0);
        for _ in 0..time.as_secs() {
            self.now += secs(1);
            fire(&mut self.client.connection, self.now)?;
            fire(&mut self.server.connection, self.now)?;
            of_client += pings(&self.client.connection);
            of_server += pings(&self.server.connection);
            if cut {
                for end in [&mut self.client, &mut self.server] {
                    let queued = end.connection.output().len();
                    end.connection.written(queued);
                }
            } else if !self.client.connection.output().is_empty()
                || !self.server.connection.output().is_empty()
            {
                self.try_cross()?;
                self.client.connection.heard(self.now);
                self.server.connection.heard(self.now);
            }
        }
        Ok((of_client, of_server))
    }
}

#[test]
fn a_client_pings_only_while_calls_run_unless_told_to() {
    let permitted = |options: &mut UpkeepOptions| {
        options.pings.min_interval = secs(5);
        options.pings.without_calls = true;
    };
    let mut quiet = pair(keepalive, permitted);
    assert_eq!(quiet.pass(secs(100), false), Ok((0, 0)));
    assert_eq!(quiet.client.connection.next_timeout(), None);
    // The connection was quiet for long: the call goes with a question.
    quiet.open();
    assert_eq!(quiet.pass(secs(1), false), Ok((1, 0)));
    assert_eq!(quiet.pass(secs(99), false), Ok((9, 0)));

    let asking = |options: &mut UpkeepOptions| {
        keepalive(options);
        options.keepalive.without_calls = true;
    };
    assert_eq!(pair(asking, permitted).pass(secs(100), false), Ok((10, 0)));
}

#[test]
fn a_server_pings_with_calls_and_without() {
    let mut pair = pair(nothing, keepalive);
    assert_eq!(pair.pass(secs(50), false), Ok((0, 5)));
    // The request is heard after a second.
    pair.open();
    assert_eq!(pair.pass(secs(51), false), Ok((0, 5)));
}

#[test]
fn a_peer_that_does_not_answer_is_dead_after_time_and_timeout() {
    let mut lost = pair(keepalive, nothing);
    lost.open();
    assert_eq!(lost.pass(secs(29), true), Ok((1, 0)));
    let error = lost.pass(secs(1), true).unwrap_err();
    assert_eq!(error.code, ErrorCode::NO_ERROR);
    assert!(error.to_string().starts_with("keepalive"), "{error}");

    let mut lost = pair(nothing, keepalive);
    assert_eq!(lost.pass(secs(29), true), Ok((0, 1)));
    lost.pass(secs(1), true).unwrap_err();
}

#[test]
fn nobody_asks_for_a_timer_who_asked_for_nothing() {
    let mut pair = pair(nothing, nothing);
    pair.open();
    pair.cross();
    assert_eq!(pair.client.connection.next_timeout(), None);
    assert_eq!(pair.server.connection.next_timeout(), None);
}

#[test]
fn a_client_that_pings_too_often_is_told_so() {
    let mut pair = pair(keepalive, nothing);
    pair.open();
    // Three pass: the first, and two that are forgiven.
    assert_eq!(pair.pass(secs(35), false), Ok((3, 0)));
    let error = pair.pass(secs(10), false).unwrap_err();
    assert_eq!(error, ConnectionError::calm("too_many_pings"));
}

#[test]
fn pings_between_answers_are_welcome() {
    let mut pair = pair(keepalive, nothing);
    let id = pair.open();
    pair.cross();
    pair.server.connection.send_head(id, &response());
    for _ in 0..100 {
        let (sent, _) = pair.pass(secs(30), false).unwrap();
        assert!((2..=3).contains(&sent), "{sent}");
        let piece = Bytes::from_static(b"piece");
        pair.server.connection.send_data(id, piece, false);
        pair.cross();
        events(&mut pair.client);
    }
}

/// The budget for frames without work holds where every PING is permitted.
#[test]
fn a_flood_of_permitted_pings_ends_with_the_budget() {
    let mut pair = pair(nothing, |options| {
        options.pings.min_interval = Duration::ZERO;
        options.pings.without_calls = true;
    });
    let mut taken = 0;
    let error = loop {
        let ping = frame::Ping {
            ack: false,
            data: [7; 8],
        };
        ping.encode(&mut pair.server.inbox);
        match pair.try_cross() {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.code, ErrorCode::ENHANCE_YOUR_CALM);
    assert!((1_000..=20_000).contains(&taken), "{taken}");
}

#[test]
fn an_idle_connection_is_left_in_order_by_either_side() {
    let idle = |options: &mut UpkeepOptions| options.lifetime.max_idle = Some(secs(60));
    for by_server in [false, true] {
        let mut pair = if by_server {
            pair(nothing, idle)
        } else {
            pair(idle, nothing)
        };
        let id = pair.open();
        pair.client.connection.send_data(id, Bytes::new(), true);
        // A call is no idleness, however long it says nothing.
        pair.pass(secs(100), false).unwrap();
        assert_eq!(pair.client.connection.can_open(), Ok(()));
        pair.server.connection.send_head(id, &response());
        pair.server.connection.send_trailers(id, &trailers());
        pair.pass(secs(59), false).unwrap();
        assert_eq!(pair.client.connection.can_open(), Ok(()));
        pair.pass(secs(3), false).unwrap();
        let closed = pair.client.connection.can_open();
        assert_eq!(closed, Err(CannotOpen::Never));
        for end in [&mut pair.client, &mut pair.server] {
            events(end);
            assert!(end.connection.is_finished());
        }
    }
}

#[test]
fn an_old_connection_takes_no_more_calls_and_then_cuts_them() {
    let mut pair = pair(nothing, |options| {
        options.lifetime.max_age = Some(secs(60));
        options.lifetime.age_grace = Some(secs(10));
    });
    let id = pair.open();
    pair.pass(secs(60), false).unwrap();
    let told = events(&mut pair.client);
    let reason = told.iter().rev().find_map(|event| match event {
        Event::GoAway { code, debug } => Some((*code, debug.clone())),
        _ => None,
    });
    let expected = (ErrorCode::NO_ERROR, Bytes::from_static(b"max_age"));
    assert_eq!(reason, Some(expected));
    assert_eq!(pair.client.connection.can_open(), Err(CannotOpen::Never));
    let arrived = events(&mut pair.server);
    assert!(matches!(arrived[..], [Event::Headers { stream, .. }] if stream == id));
    pair.pass(secs(9), false).unwrap();
    assert!(events(&mut pair.server).is_empty());
    pair.pass(secs(1), false).unwrap();
    let over = events(&mut pair.server);
    assert!(matches!(over[..], [Event::Overstayed]), "{over:?}");
    // An owner that does not get them ended loses the connection.
    pair.pass(secs(1), false).unwrap_err();
}
