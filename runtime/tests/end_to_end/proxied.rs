//! Servers behind balancers that speak the PROXY protocol, and those who only seem to.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::accepting::Given;
use crate::byte_streams::{Once, connected_by};
use crate::observers::Hears;
use crate::support::{Echo, EchoServicer, service};
use grpc_runtime::{
    Context, Http2Options, ListenOptions, ProxyProtocol, Server, ServerBuilder, ServerError, Status,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::TcpStream;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::timeout;

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);
const LINE: &[u8] = b"PROXY TCP4 203.0.113.9 198.51.100.1 56324 443\r\n";
const BINARY: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\
    \xcb\x00\x71\x09\xc6\x33\x64\x01\xdc\x04\x01\xbb";
const REAL: &str = "203.0.113.9:56324";

/// Says where the caller is.
struct Where;

impl EchoServicer for Where {
    async fn unary(&self, _request: Echo, context: &mut Context) -> Result<Echo, Status> {
        Ok(Echo::text(&context.peer().to_string()))
    }
}

fn builder() -> ServerBuilder {
    Server::builder().add_service(service(Where))
}

fn local() -> ProxyProtocol {
    ProxyProtocol::trusting(["127.0.0.0/8"])
}

fn elsewhere() -> ProxyProtocol {
    ProxyProtocol::trusting(["192.0.2.0/24"])
}

async fn serve(builder: ServerBuilder, proxy: ProxyProtocol) -> Server {
    let options = ListenOptions::new().proxy_protocol(proxy);
    let server = builder.listen_with_options("127.0.0.1:0", options);
    server.start().await.unwrap()
}

/// A connection that begins with these bytes, in pieces.
async fn connect(server: &Server, header: &[u8], piece: usize) -> TcpStream {
    let mut stream = TcpStream::connect(&server.addresses()[0]).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for bytes in header.chunks(piece) {
        stream.write_all(bytes).await.unwrap();
        if piece < header.len() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    stream
}

async fn peer(stream: TcpStream) -> Result<String, Status> {
    let call = connected_by(Once::new(stream)).unary(Echo::default());
    call.timeout(BOUND).await.map(|reply| reply.text)
}

#[tokio::test]
async fn the_clients_own_address_is_the_connections() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let builder = builder().on_accept(move |incoming| {
        seen.lock().unwrap().push(incoming.peer().to_string());
        assert!(incoming.tcp().is_some());
        true
    });
    let server = serve(builder, local()).await;
    for (header, piece) in [
        (LINE, usize::MAX),
        (BINARY, usize::MAX),
        (LINE, 1),
        (BINARY, 1),
    ] {
        let stream = connect(&server, header, piece).await;
        assert_eq!(peer(stream).await.unwrap(), REAL);
    }
    assert_eq!(*asked.lock().unwrap(), [REAL; 4]);
}

#[tokio::test]
async fn who_speaks_for_itself_has_its_own_address() {
    let server = serve(builder(), local()).await;
    for header in [
        &b"PROXY UNKNOWN\r\n"[..],
        b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00",
    ] {
        let stream = connect(&server, header, usize::MAX).await;
        let own = stream.local_addr().unwrap().to_string();
        assert_eq!(peer(stream).await.unwrap(), own);
    }
}

#[tokio::test]
async fn who_is_not_trusted_is_refused_and_told_of() {
    let hears = Hears::default();
    let server = serve(builder().observe(hears.clone()), elsewhere()).await;
    for header in [LINE, b""] {
        let stream = connect(&server, header, usize::MAX).await;
        peer(stream).await.unwrap_err();
    }
    let lines = hears.lines_with("failed at PROXY protocol", 2).await;
    for line in lines {
        assert!(line.contains("with 127.0.0.1:"), "{line}");
        assert!(line.contains("none of the senders"), "{line}");
    }
}

/// With a header they are, since it is no HTTP/2.
#[tokio::test]
async fn others_come_directly_where_they_may_and_never_by_a_header() {
    let hears = Hears::default();
    let builder = builder().observe(hears.clone());
    let server = serve(builder, elsewhere().or_direct()).await;
    let stream = connect(&server, b"", 1).await;
    let own = stream.local_addr().unwrap().to_string();
    assert_eq!(peer(stream).await.unwrap(), own);
    for header in [LINE, BINARY] {
        let stream = connect(&server, header, usize::MAX).await;
        peer(stream).await.unwrap_err();
    }
    let lines = hears
        .lines_with("failed at HTTP/2 with 127.0.0.1:", 2)
        .await;
    assert_eq!(lines.len(), 2);
}

#[tokio::test]
async fn a_header_is_expected_of_who_is_trusted_unless_it_is_optional() {
    let hears = Hears::default();
    let server = serve(builder().observe(hears.clone()), local()).await;
    let stream = connect(&server, b"", 1).await;
    peer(stream).await.unwrap_err();
    let line = hears.lines_with("PROXY", 1).await.remove(0);
    assert!(line.contains("the connection begins without one"), "{line}");
    assert!(line.ends_with("with a source"), "{line}");

    let server = serve(builder(), local().or_absent()).await;
    let stream = connect(&server, b"", 1).await;
    let own = stream.local_addr().unwrap().to_string();
    assert_eq!(peer(stream).await.unwrap(), own);
    for (header, piece) in [(LINE, usize::MAX), (LINE, 1), (BINARY, 1)] {
        let stream = connect(&server, header, piece).await;
        assert_eq!(peer(stream).await.unwrap(), REAL);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_header_is_told() {
    let hears = Hears::default();
    let server = serve(builder().observe(hears.clone()), local()).await;
    for (header, expected) in [
        (
            &b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n"[..],
            "version 1: expected",
        ),
        (&[b'P'; 64], "begins without one"),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff", "longer than 4 KiB"),
    ] {
        let mut stream = connect(&server, header, usize::MAX).await;
        // It is closed without a word.
        let mut bytes = Vec::new();
        let _ = timeout(BOUND, stream.read_to_end(&mut bytes))
            .await
            .unwrap();
        assert!(bytes.is_empty(), "{bytes:?}");
        hears.lines_with(expected, 1).await;
    }
    let stream = connect(&server, &LINE[..20], usize::MAX).await;
    drop(stream);
    hears.lines_with("ended within it, after 20 bytes", 1).await;
}

#[tokio::test]
async fn a_header_that_does_not_come_holds_up_nobody_and_is_cut() {
    let hears = Hears::default();
    for proxy in [local(), local().or_absent()] {
        let mut options = Http2Options::default();
        options.handshake_timeout = Duration::from_secs(1);
        let builder = builder().observe(hears.clone()).http2(options);
        let server = serve(builder, proxy).await;
        let mut slow = Vec::new();
        for header in [&b""[..], b"P", b"PROXY TCP4"] {
            slow.push(connect(&server, header, usize::MAX).await);
        }
        let stream = connect(&server, LINE, usize::MAX).await;
        assert_eq!(peer(stream).await.unwrap(), REAL);
        for mut stream in slow {
            let mut bytes = Vec::new();
            let _ = timeout(BOUND, stream.read_to_end(&mut bytes))
                .await
                .unwrap();
        }
    }
    hears.lines_with("did not come within 1s", 6).await;
}

/// Who makes connections and never says for whom finds an end; those who then say it get in.
#[tokio::test]
async fn the_headers_that_are_awaited_are_bounded() {
    const MOST: usize = 1024;
    let hears = Hears::default();
    let (sender, receiver) = unbounded_channel();
    let options = ListenOptions::new().proxy_protocol(elsewhere());
    let server = builder()
        .observe(hears.clone())
        .accept_from(Given(receiver), options)
        .start()
        .await
        .unwrap();
    let give = || {
        let (near, far) = duplex(64 << 10);
        sender.send(Ok(far)).unwrap();
        near
    };
    let mut slow: Vec<_> = (0..MOST).map(|_| give()).collect();
    let mut refused = give();
    let mut byte = [0];
    let read = refused.read(&mut byte);
    assert_eq!(timeout(BOUND, read).await.unwrap().unwrap(), 0);
    hears.lines_with("1024 connections of balancers", 1).await;
    let mut first = slow.remove(0);
    first.write_all(BINARY).await.unwrap();
    let call = connected_by(Once::new(first)).unary(Echo::default());
    assert_eq!(call.timeout(BOUND).await.unwrap().text, REAL);
    let mut next = give();
    next.write_all(LINE).await.unwrap();
    let call = connected_by(Once::new(next)).unary(Echo::default());
    assert_eq!(call.timeout(BOUND).await.unwrap().text, REAL);
    drop(server);
}

/// Shutdown does not wait for headers.
#[tokio::test]
async fn a_server_that_leaves_cuts_those_whose_header_is_awaited() {
    let server = serve(builder(), local()).await;
    let mut stream = connect(&server, b"PROXY", 9).await;
    let shutdown = timeout(BOUND / 2, server.shutdown(BOUND));
    shutdown.await.unwrap();
    let mut bytes = Vec::new();
    let read = timeout(BOUND, stream.read_to_end(&mut bytes)).await;
    let _ = read.unwrap();
    assert!(bytes.is_empty());
}

/// Whoever can open the file of a socket is trusted.
#[cfg(unix)]
#[tokio::test]
async fn a_balancer_on_a_unix_socket_names_its_clients() {
    let name = format!("grpc-runtime-proxied-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let options = ListenOptions::new().proxy_protocol(elsewhere());
    let server = builder().listen_with_options(format!("unix:{}", path.display()), options);
    let _server = server.start().await.unwrap();
    let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    stream.write_all(BINARY).await.unwrap();
    let call = connected_by(Once::new(stream)).unary(Echo::default());
    assert_eq!(call.timeout(BOUND).await.unwrap().text, REAL);
}

#[tokio::test]
async fn senders_that_are_no_address_are_told_when_the_server_starts() {
    let options = ListenOptions::new().proxy_protocol(ProxyProtocol::trusting(["balancer"]));
    let server = builder().listen_with_options("127.0.0.1:0", options);
    let error = server.start().await.unwrap_err();
    assert!(matches!(error, ServerError::ProxySender { .. }));
    let expected = "cannot trust 'balancer' by the PROXY protocol: expected an address, or a \
                    network as '10.0.0.0/8'";
    assert_eq!(error.to_string(), expected);
}

/// The header comes ahead of TLS.
#[cfg(feature = "tls")]
#[tokio::test]
async fn a_balancer_passes_tls_through() {
    use crate::byte_streams::TARGET;
    use crate::support::EchoStub;
    use crate::tls::certificates::Authority;
    use grpc_runtime::Channel;

    let authority = Authority::new();
    let options = ListenOptions::new().proxy_protocol(local());
    let options = options.credentials(authority.server().build().unwrap());
    let server = builder().listen_with_options("127.0.0.1:0", options);
    let server = server.start().await.unwrap();
    for header in [LINE, BINARY] {
        let stream = connect(&server, header, usize::MAX).await;
        let channel = Channel::builder(TARGET).unwrap();
        let channel = channel.connector(Once::new(stream)).authority("localhost");
        let stub = EchoStub(channel.build(authority.client().build().unwrap()).unwrap());
        let reply = stub.unary(Echo::default()).timeout(BOUND).await.unwrap();
        assert_eq!(reply.text, REAL);
    }
}
