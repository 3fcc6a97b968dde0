//! TLS with several addresses: one whose TLS is broken keeps nobody from the
//! others.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::certificates::Authority;
use super::handshakes::server_config;
use super::{Who, serve, who};
use crate::addresses::{Peer, call, nobody, peer, target};
use crate::balancing;
use crate::support::{Echo, EchoStub, service};
use grpc_runtime::{
    Channel, ChannelCredentials, ClientTls, Code, Endpoint, Phase, Resolution, RoundRobin, Server,
    ServerCredentials, ServerTls,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

fn channel(addresses: &[&str], credentials: ChannelCredentials) -> EchoStub {
    EchoStub(Channel::new(target(addresses), credentials).unwrap())
}

async fn start(tls: ServerTls) -> Server {
    who(tls.build().unwrap()).await
}

fn address(server: &Server) -> &str {
    &server.addresses()[0]
}

#[tokio::test]
async fn the_second_address_is_reached_whatever_is_wrong_with_the_firsts_tls() {
    let authority = Authority::new();
    let good = start(authority.server()).await;
    let stranger = start(Authority::new().server()).await;
    let expired = authority.issue_expired(&["127.0.0.1"]);
    let expired = start(ServerCredentials::tls(expired.chain, expired.key)).await;
    let plain = serve(service(Who), ServerCredentials::insecure()).await;
    // It tells a client that has no certificate only after the handshake.
    let demanding = authority
        .server()
        .require_client_certificate(authority.roots());
    let demanding = start(demanding).await;
    for first in [
        address(&stranger),
        address(&expired),
        address(&plain),
        address(&demanding),
        &peer(Peer::Silent).await,
        &peer(Peer::HangsUp).await,
        &peer(Peer::Answers(b"not TLS at all")).await,
        nobody(),
    ] {
        let credentials = authority.client().build().unwrap();
        let stub = channel(&[first, address(&good)], credentials);
        let reply = call(&stub).await.unwrap();
        assert!(reply.text.starts_with("127.0.0.1:"), "{}", reply.text);
    }
}

/// A peer that speaks TLS and no HTTP/2; its address.
async fn hangs_up_after_the_handshake(authority: &Authority) -> String {
    let mut config = server_config(authority);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = acceptor.accept(stream).await.unwrap();
            stream.shutdown().await.unwrap();
            tokio::spawn(async move { stream.read_to_end(&mut Vec::new()).await });
        }
    });
    address
}

#[tokio::test]
async fn a_server_that_ends_after_the_handshake_is_passed_over() {
    let authority = Authority::new();
    let good = start(authority.server()).await;
    let dead = hangs_up_after_the_handshake(&authority).await;
    let credentials = || authority.client().build().unwrap();
    let stub = channel(&[&dead, address(&good)], credentials());
    assert!(call(&stub).await.is_ok());

    let stub = channel(&[&dead, nobody()], credentials());
    let status = call(&stub).await.unwrap_err();
    let expected =
        format!("HTTP/2 with {dead}: the connection was closed by the peer; connect to ");
    assert!(status.message().starts_with(&expected), "{status}");
}

#[tokio::test]
async fn the_failure_of_all_tells_of_each_and_the_same_once() {
    let servers = [
        start(Authority::new().server()).await,
        start(Authority::new().server()).await,
    ];
    let [first, second] = [address(&servers[0]), address(&servers[1])];
    let hangs_up = peer(Peer::HangsUp).await;
    let credentials = Authority::new().client().build().unwrap();
    let stub = channel(&[nobody(), first, &hangs_up, second], credentials);
    let status = call(&stub).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.phase(), Some(Phase::Handshake));
    let message = status.message();
    for part in [
        format!("connect to {}: Connection refused", nobody()),
        format!("; TLS with {first}, {second}: invalid peer certificate: UnknownIssuer ("),
        format!("; TLS with {hangs_up}: the connection was closed during the handshake"),
    ] {
        assert!(message.contains(&part), "'{part}' is not in: {message}");
    }
    let source = std::error::Error::source(&status).unwrap().to_string();
    assert!(source.contains("UnknownIssuer"), "{source}");
}

/// The list's first address is its authority, and so whom certificates name,
/// unless the channel is told otherwise.
#[tokio::test]
async fn one_name_holds_for_all_addresses() {
    let authority = Authority::new();
    let identity = authority.issue(&["shop.test"]);
    let server = start(ServerCredentials::tls(identity.chain, identity.key)).await;
    let named = authority.client().server_name("shop.test");
    let stub = channel(&[nobody(), address(&server)], named.build().unwrap());
    assert!(call(&stub).await.is_ok());
    let unnamed = authority.client().build().unwrap();
    let status = super::failure(&channel(&[nobody(), address(&server)], unnamed)).await;
    assert!(status.message().contains("shop.test"), "{status}");
}

#[tokio::test]
async fn round_robin_secures_each_of_its_connections() {
    let authority = Authority::new();
    let servers = [
        start(authority.server()).await,
        start(authority.server()).await,
    ];
    let channel = Channel::builder(target(&[address(&servers[0]), address(&servers[1])]))
        .unwrap()
        .balance(RoundRobin::new())
        .build(authority.client().build().unwrap())
        .unwrap();
    let (stub, began) = (EchoStub(channel), Instant::now());
    // Who calls: a port for each connection.
    let mut callers = BTreeSet::new();
    while callers.len() < servers.len() {
        assert!(began.elapsed().as_secs() < 20, "{callers:?}");
        callers.insert(call(&stub).await.unwrap().text);
    }
}

/// The second one begins beside the first, and both have their 20 s.
#[tokio::test]
async fn each_address_has_the_connect_timeout_for_itself() {
    let silent = [peer(Peer::Silent).await, peer(Peer::Silent).await];
    let credentials = Authority::new().client().build().unwrap();
    let stub = channel(&[&silent[0], &silent[1]], credentials);
    tokio::time::pause();
    let began = Instant::now();
    let status = stub.unary(Echo::text("hi")).await.unwrap_err();
    let [first, second] = silent;
    let expected = format!("TLS with {first}, {second}: no answer within 20s");
    assert_eq!(status.message(), expected);
    let elapsed = began.elapsed().as_millis();
    assert!((20_250..20_300).contains(&elapsed), "{elapsed}");
}

/// The certificate of each has its own name alone.
#[tokio::test]
async fn a_server_proves_the_authority_that_its_endpoint_has() {
    let authority = Authority::new();
    let server = async |name: &str| {
        let identity = authority.issue(&[name]);
        start(ServerCredentials::tls(identity.chain, identity.key)).await
    };
    let (a, b) = (server("a.shop.test").await, server("b.shop.test").await);
    let endpoint = |server: &Server, authority: &str| {
        Endpoint::new(balancing::address(server)).authority(authority)
    };
    let stub_with = |endpoints: Vec<Endpoint>, credentials: ClientTls| {
        let (teller, builder) = balancing::told();
        teller.send(Resolution::new(endpoints)).unwrap();
        let builder = builder.balance(RoundRobin::new());
        EchoStub(builder.build(credentials.build().unwrap()).unwrap())
    };
    let stub_to = |endpoints| stub_with(endpoints, authority.client());
    let stub = stub_to(vec![
        endpoint(&a, "a.shop.test:443"),
        endpoint(&b, "b.shop.test"),
    ]);
    let began = Instant::now();
    let mut callers = BTreeSet::new();
    while callers.len() < 2 {
        assert!(began.elapsed().as_secs() < 20, "{callers:?}");
        callers.insert(call(&stub).await.unwrap().text);
    }

    let mistaken = stub_to(vec![endpoint(&a, "b.shop.test")]);
    let failure = call(&mistaken).await.unwrap_err();
    assert_eq!(failure.code(), Code::Unavailable);
    assert!(failure.message().contains("a.shop.test"), "{failure}");

    // A name that the program gave is the one that counts.
    let named = authority.client().server_name("a.shop.test");
    let stub = stub_with(vec![endpoint(&a, "b.shop.test")], named);
    call(&stub).await.unwrap();
}
