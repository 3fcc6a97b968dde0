//! Clients that begin something and do not go on with it: their connections are
//! closed in time, and others are served meanwhile.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use grpc_runtime::{Http2Options, Server};
use h2::client::Builder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Peer, request};
use crate::peer::{framed, within};
use crate::support::{Echo, UNARY};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
/// HEADERS of stream 1 that are to be continued.
const HEADERS: &[u8] = &[0, 0, 2, 1, 0, 0, 0, 0, 1, 0x83, 0x86];

const LIMIT: Duration = Duration::from_secs(1);

const SETTINGS_TIMEOUT: u32 = 4;
const CALM: u32 = 11;

/// The error code of the last GOAWAY among these frames.
fn code_of_goaway(mut frames: &[u8]) -> Option<u32> {
    let mut code = None;
    while let Some((head, rest)) = frames.split_at_checked(9) {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let (payload, rest) = rest.split_at_checked(length as usize)?;
        if head[3] == 7 {
            code = payload[4..8].try_into().ok().map(u32::from_be_bytes);
        }
        frames = rest;
    }
    code
}

#[tokio::test]
async fn what_is_begun_and_not_finished_is_closed_in_time() {
    let mut options = Http2Options::default();
    options.handshake_timeout = LIMIT;
    options.header_timeout = LIMIT;
    let mut peer = Peer::start_with(Server::builder().http2(options), &Builder::new()).await;
    let begun = [
        (Vec::new(), SETTINGS_TIMEOUT),
        (PREFACE[..10].to_vec(), SETTINGS_TIMEOUT),
        (PREFACE.to_vec(), SETTINGS_TIMEOUT),
        ([PREFACE, &SETTINGS[..4]].concat(), SETTINGS_TIMEOUT),
        ([PREFACE, SETTINGS, HEADERS].concat(), CALM),
        ([PREFACE, SETTINGS, &HEADERS[..10]].concat(), CALM),
    ];
    let connected = Instant::now();
    let mut sockets = Vec::new();
    for (begun, _) in &begun {
        let mut socket = TcpStream::connect(&peer.server.addresses()[0])
            .await
            .unwrap();
        socket.write_all(begun).await.unwrap();
        sockets.push(socket);
    }
    for (socket, (begun, code)) in sockets.iter_mut().zip(&begun) {
        let echo = Echo::text("meanwhile");
        let answer = peer.call(request(UNARY), [framed(&echo)]).await;
        assert_eq!(answer.messages, [echo]);
        let mut said = Vec::new();
        if let Err(error) = within(socket.read_to_end(&mut said)).await {
            // What is left unread makes a reset of the close.
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{begun:?}");
        }
        assert!(connected.elapsed() >= LIMIT, "{begun:?} had no time");
        assert_eq!(code_of_goaway(&said), Some(*code), "{begun:?}: {said:?}");
    }
    let answer = peer.call(request(UNARY), [framed(&Echo::default())]).await;
    assert_eq!(answer.code(), "0");
}
