//! Clients that begin something and do not go on with it: their connections are
//! closed in time, and others are served meanwhile.

use std::time::Duration;

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

#[tokio::test]
async fn what_is_begun_and_not_finished_is_closed_in_time() {
    let mut options = Http2Options::default();
    options.handshake_timeout = Duration::from_secs(1);
    options.header_timeout = Duration::from_secs(1);
    let mut peer = Peer::start_with(Server::builder().http2(options), &Builder::new()).await;
    let begun = [
        Vec::new(),
        PREFACE[..10].to_vec(),
        PREFACE.to_vec(),
        [PREFACE, &SETTINGS[..4]].concat(),
        [PREFACE, SETTINGS, HEADERS].concat(),
        [PREFACE, SETTINGS, &HEADERS[..10]].concat(),
    ];
    let mut sockets = Vec::new();
    for begun in &begun {
        let mut socket = TcpStream::connect(&peer.server.addresses()[0])
            .await
            .unwrap();
        socket.write_all(begun).await.unwrap();
        sockets.push(socket);
    }
    for (socket, begun) in sockets.iter_mut().zip(&begun) {
        let echo = Echo::text("meanwhile");
        let answer = peer.call(request(UNARY), [framed(&echo)]).await;
        assert_eq!(answer.messages, [echo]);
        let mut said = Vec::new();
        // What is left unread makes a reset of the close.
        let _ = within(socket.read_to_end(&mut said)).await;
        assert!(begun.is_empty() || !said.is_empty(), "{begun:?}");
    }
    let answer = peer.call(request(UNARY), [framed(&Echo::default())]).await;
    assert_eq!(answer.code(), "0");
}
