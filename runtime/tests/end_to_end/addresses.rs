//! Targets with several addresses: a server behind one of them is reached,
//! whatever is wrong with the others.

use std::future::IntoFuture;
use std::sync::LazyLock;
use std::time::Duration;

use crate::calls::Echoes;
use crate::support::{Echo, EchoStub, service};
use grpc_runtime::{Channel, Code, Phase, Server, Status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::timeout;

/// Long enough for anything that is not stuck, and shorter than an attempt may
/// take.
const BOUND: Duration = Duration::from_secs(15);

/// An address where nobody listens. It is bound for as long as the tests run, so that
/// the system gives it to no one else.
pub(crate) fn nobody() -> &'static str {
    static ADDRESS: LazyLock<String> = LazyLock::new(|| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        std::mem::forget(socket);
        address.to_string()
    });
    &ADDRESS
}

/// What a scripted peer does with every connection.
#[derive(Clone, Copy)]
pub(crate) enum Peer {
    /// Takes it and says nothing.
    Silent,
    /// Hangs up once it has heard something.
    HangsUp,
    /// Answers with this, whatever it hears.
    Answers(&'static [u8]),
}

/// A peer that does this; its address.
pub(crate) async fn peer(script: Peer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            if let Peer::Silent = script {
                kept.push(stream);
                continue;
            }
            let _ = stream.read_u8().await;
            if let Peer::Answers(bytes) = script {
                let _ = stream.write_all(bytes).await;
            }
            let _ = stream.shutdown().await;
            tokio::spawn(async move { stream.read_to_end(&mut Vec::new()).await });
        }
    });
    address
}

/// A target of these addresses, in this order.
pub(crate) fn target(addresses: &[&str]) -> String {
    format!("ipv4:{}", addresses.join(","))
}

pub(crate) async fn call(stub: &EchoStub) -> Result<Echo, Status> {
    let call = stub.unary(Echo::text("hi")).timeout(2 * BOUND);
    timeout(BOUND, call.into_future()).await.unwrap()
}

async fn echoes() -> Server {
    let server = Server::builder().add_service(service(Echoes));
    server.listen("127.0.0.1:0").start().await.unwrap()
}

#[tokio::test]
async fn the_second_address_is_reached_whatever_is_wrong_with_the_first() {
    let server = echoes().await;
    for first in [
        nobody().to_owned(),
        peer(Peer::Silent).await,
        peer(Peer::HangsUp).await,
        peer(Peer::Answers(b"HTTP/1.1 400 Bad Request\r\n\r\n")).await,
    ] {
        let target = target(&[&first, &server.addresses()[0]]);
        let stub = EchoStub(Channel::insecure(target).unwrap());
        assert_eq!(call(&stub).await.unwrap().text, "hi");
    }
}

#[tokio::test]
async fn a_name_with_several_addresses_leads_to_the_one_that_answers() {
    let server = echoes().await;
    let port = server.addresses()[0].rsplit_once(':').unwrap().1.to_owned();
    // On most machines it is ::1 too, where nobody listens on this port.
    let stub = EchoStub(Channel::insecure(format!("localhost:{port}")).unwrap());
    assert_eq!(call(&stub).await.unwrap().text, "hi");
}

#[tokio::test]
async fn the_failure_of_all_tells_of_each() {
    let (hangs_up, old) = (
        peer(Peer::HangsUp).await,
        peer(Peer::Answers(b"HTTP/1.1 400 Bad Request\r\n\r\n")).await,
    );
    let target = target(&[nobody(), &hangs_up, &old]);
    let stub = EchoStub(Channel::insecure(target).unwrap());
    let status = call(&stub).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.phase(), Some(Phase::Handshake));
    let message = status.message();
    let expected = format!("connect to {}: Connection refused", nobody());
    assert!(message.starts_with(&expected), "{message}");
    for part in [
        format!("; HTTP/2 with {hangs_up}: the connection was closed by the peer; "),
        format!("; HTTP/2 with {old}: "),
    ] {
        assert!(message.contains(&part), "{message}");
    }
}
