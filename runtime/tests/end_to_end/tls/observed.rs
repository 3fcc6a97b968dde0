//! What observers hear of TLS: whoever came to no connection, at both ends.

use std::time::Duration;

use super::certificates::Authority;
use super::{BOUND, Who, failure};
use crate::addresses::{Peer, peer};
use crate::observers::Hears;
use crate::support::{Echo, EchoStub, service};
use grpc_runtime::{
    Channel, ChannelCredentials, Http2Options, Server, ServerCredentials, ServerTls,
};
use tokio::net::TcpStream;

async fn server(hears: &Hears, tls: ServerTls, limit: Duration) -> Server {
    let mut options = Http2Options::default();
    options.handshake_timeout = limit;
    let credentials: ServerCredentials = tls.build().unwrap();
    let server = Server::builder().add_service(service(Who)).http2(options);
    let server = server.observe(hears.clone());
    server
        .listen_with("127.0.0.1:0", credentials)
        .start()
        .await
        .unwrap()
}

fn stub(hears: &Hears, address: &str, credentials: ChannelCredentials) -> EchoStub {
    let builder = Channel::builder(address).unwrap().observe(hears.clone());
    EchoStub(builder.build(credentials).unwrap())
}

#[tokio::test]
async fn both_ends_tell_of_a_certificate_that_is_not_trusted() {
    let (at_server, at_client) = (Hears::default(), Hears::default());
    let authority = Authority::new();
    let server = server(&at_server, authority.server(), BOUND).await;
    let address = &server.addresses()[0];
    let stranger = Authority::new().client().build().unwrap();
    failure(&stub(&at_client, address, stranger)).await;
    let line = at_client.lines(1).await.remove(0);
    assert!(
        line.starts_with(&format!("client failed at TLS with {address}: ")),
        "{line}"
    );
    assert!(
        line.contains("none of the trusted roots has signed it"),
        "{line}"
    );
    assert!(line.ends_with("with a source"), "{line}");
    let line = at_server.lines(1).await.remove(0);
    assert!(
        line.starts_with("server failed at TLS with 127.0.0.1:"),
        "{line}"
    );
    assert!(line.contains("UnknownCA"), "{line}");

    let trusting = authority.client().build().unwrap();
    let friend = stub(&at_client, address, trusting);
    friend.unary(Echo::text("hi")).timeout(BOUND).await.unwrap();
    assert_eq!(at_client.lines(2).await[1], "client opened TLS");
    assert_eq!(at_server.lines(2).await[1], "server opened TLS");
}

#[tokio::test]
async fn a_server_tells_of_a_client_without_the_certificate_that_it_wants() {
    let hears = Hears::default();
    let authority = Authority::new();
    let demanding = authority
        .server()
        .require_client_certificate(authority.roots());
    let server = server(&hears, demanding, BOUND).await;
    let plain = authority.client().build().unwrap();
    failure(&stub(&Hears::default(), &server.addresses()[0], plain)).await;
    let line = hears.lines(1).await.remove(0);
    assert!(
        line.starts_with("server failed at TLS with 127.0.0.1:"),
        "{line}"
    );
    assert!(line.contains("certificate"), "{line}");
}

#[tokio::test]
async fn a_server_tells_of_who_speaks_no_tls_and_of_who_says_nothing() {
    let hears = Hears::default();
    let server = server(
        &hears,
        Authority::new().server(),
        Duration::from_millis(100),
    )
    .await;
    let address = &server.addresses()[0];
    failure(&stub(
        &Hears::default(),
        address,
        ChannelCredentials::insecure(),
    ))
    .await;
    let line = hears.lines(1).await.remove(0);
    assert!(
        line.starts_with("server failed at TLS with 127.0.0.1:"),
        "{line}"
    );
    assert!(line.contains("does not speak TLS"), "{line}");

    let silent = TcpStream::connect(address).await.unwrap();
    let own = silent.local_addr().unwrap().to_string();
    let line = hears.lines_with(&own, 1).await.remove(0);
    let reason = "the handshake did not end within 1s";
    assert_eq!(line, format!("server failed at TLS with {own}: {reason}"));
}

#[tokio::test]
async fn a_channel_tells_of_a_server_that_speaks_no_tls() {
    let hears = Hears::default();
    let address = peer(Peer::Answers(b"not TLS at all, and long enough to be read")).await;
    failure(&stub(
        &hears,
        &address,
        Authority::new().client().build().unwrap(),
    ))
    .await;
    let line = hears.lines(1).await.remove(0);
    assert!(
        line.starts_with(&format!("client failed at TLS with {address}: ")),
        "{line}"
    );
    assert!(line.contains("does not speak TLS"), "{line}");
}
