//! The official interop client against servers that break HTTP/2's manners, one
//! way a test. Each is a script over bare frames: no library sends these.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests"
)]

mod connection;

use std::net::TcpListener;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use grpc_runtime::prost::Message;

use crate::connection::{Connection, Settings};

mod proto {
    grpc_runtime::include_proto!("grpc.testing");
}

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(60);
const PING_ACK: u8 = 1;

/// The answer to a large call, behind its five bytes of prefix.
fn large_response() -> Vec<u8> {
    let body = vec![0; 314_159];
    let response = proto::SimpleResponse {
        payload: Some(proto::Payload { r#type: 0, body }),
        ..proto::SimpleResponse::default()
    };
    let message = response.encode_to_vec();
    let length = u32::try_from(message.len()).unwrap();
    [&[0][..], &length.to_be_bytes(), &message].concat()
}

/// Runs a case of the client against a script, which gets each connection with
/// its number, from 0. Gives what the scripts returned, by the connections' ends.
fn play<T: Send + 'static>(
    case: &str,
    settings: Settings,
    script: impl Fn(&mut Connection, usize) -> T + Clone + Send + 'static,
) -> Receiver<T> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (ended, ends) = channel();
    // The listener's thread waits for connections that nobody makes until the
    // process ends.
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let (script, ended) = (script.clone(), ended.clone());
            let stream = stream.unwrap();
            thread::spawn(move || {
                let mut connection = Connection::accept(stream, settings, BOUND);
                let seen = script(&mut connection, number);
                connection.until_closed();
                let _ = ended.send(seen);
            });
        }
    });
    let client = Command::new(env!("CARGO_BIN_EXE_interop_client"))
        .arg("--server_host=127.0.0.1")
        .arg(format!("--server_port={port}"))
        .arg(format!("--test_case={case}"))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&client.stderr);
    assert!(client.status.success(), "{errors}");
    ends
}

#[test]
fn after_goaway_the_next_call_has_a_connection_of_its_own() {
    let ends = play("goaway", Settings::default(), |connection, number| {
        let stream = connection.request();
        connection.head(stream);
        connection.data(stream, &large_response(), false);
        if number == 0 {
            connection.go_away(stream);
        }
        connection.trailers(stream);
        number
    });
    let mut connections = [0, 1].map(|_| ends.recv_timeout(BOUND).unwrap());
    connections.sort_unstable();
    assert_eq!(connections, [0, 1]);
    assert!(ends.try_recv().is_err(), "a third connection");
}

/// NO_ERROR and INTERNAL_ERROR: what a reset says makes no answer of it.
#[test]
fn a_stream_that_is_reset_is_a_call_that_failed() {
    for (case, bytes) in [
        ("rst_after_header", Some(0)),
        ("rst_during_data", Some(100_000)),
        ("rst_after_data", None),
    ] {
        for reason in [0, 2] {
            let ends = play(case, Settings::default(), move |connection, _| {
                let stream = connection.request();
                connection.head(stream);
                let response = large_response();
                connection.data(stream, &response[..bytes.unwrap_or(response.len())], false);
                connection.reset(stream, reason);
            });
            ends.recv_timeout(BOUND).unwrap();
        }
    }
}

#[test]
fn every_ping_is_acknowledged_with_its_own_bytes() {
    let ends = play("ping", Settings::default(), |connection, _| {
        let mut sent = Vec::new();
        let mut ping = |connection: &mut Connection| {
            sent.push([sent.len() as u8 + 1; 8]);
            connection.ping(sent[sent.len() - 1]);
        };
        ping(connection);
        let stream = connection.request();
        ping(connection);
        connection.head(stream);
        for piece in large_response().chunks(50_000) {
            ping(connection);
            connection.data(stream, piece, false);
        }
        ping(connection);
        while connection.acknowledged.len() < sent.len() {
            let (kind, flags) = connection.read().expect("the connection ended");
            assert!(
                kind != connection::PING || flags & PING_ACK != 0,
                "a ping of its own"
            );
        }
        connection.trailers(stream);
        assert_eq!(connection.acknowledged, sent);
    });
    ends.recv_timeout(BOUND).unwrap();
}

#[test]
fn a_server_of_one_stream_at_a_time_gets_one_at_a_time() {
    let one = Settings {
        max_concurrent_streams: Some(1),
    };
    let ends = play("max_streams", one, |connection, number| {
        for _ in 0..16 {
            let stream = connection.request();
            // What the client has sent by now has had the time to arrive.
            connection.ping([number as u8; 8]);
            let acknowledged = connection.acknowledged.len();
            while connection.acknowledged.len() == acknowledged {
                connection.read().expect("the connection ended");
            }
            assert_eq!(connection.open_streams(), [stream]);
            connection.head(stream);
            connection.data(stream, &large_response(), false);
            connection.trailers(stream);
        }
        number
    });
    assert_eq!(ends.recv_timeout(BOUND).unwrap(), 0);
    assert!(ends.try_recv().is_err(), "a second connection");
}

/// Padding counts against the windows: 16 MB of them for 0.3 MB of message.
#[test]
fn padding_and_tiny_frames_cost_no_credit() {
    for (case, padded) in [
        ("data_frame_padding", true),
        ("no_df_padding_sanity_test", false),
    ] {
        let ends = play(case, Settings::default(), move |connection, _| {
            let stream = connection.request();
            connection.head(stream);
            for piece in large_response().chunks(5) {
                connection.data(stream, piece, padded);
            }
            connection.trailers(stream);
        });
        ends.recv_timeout(BOUND).unwrap();
    }
}
