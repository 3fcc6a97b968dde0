//! What a server lets in: streams that it is given, what is asked about connections, and
//! sockets that others bound.

use std::future::IntoFuture;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::byte_streams::{Once, connected_by, plain};
use crate::calls::Echoes;
use crate::support::{Echo, EchoServicer, EchoStub, service};
use grpc_runtime::{
    ByteStream, Channel, Code, Context, Http2Options, Incoming, PeerAddress, Server, ServerBuilder,
    Status,
};
use tokio::io::{AsyncReadExt, duplex};
use tokio::time::timeout;

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);

fn echoes() -> ServerBuilder {
    Server::builder()
        .add_service(service(Echoes))
        .listen_nowhere()
}

/// Says where the caller is.
struct Where;

impl EchoServicer for Where {
    async fn unary(&self, _request: Echo, context: &mut Context) -> Result<Echo, Status> {
        Ok(Echo::text(&format!("{:?}", context.peer())))
    }
}

#[tokio::test]
async fn a_given_stream_counts_as_a_connection_and_is_drained_at_the_end() {
    let server = echoes().start().await.unwrap();
    assert!(server.addresses().is_empty());
    let (near, far) = duplex(4_000);
    server.serve_stream(plain(far));
    let stub = connected_by(Once::new(near));
    let (mut requests, mut replies) = stub.chat().start();
    requests.send(Echo::number(1)).await.unwrap();
    assert!(replies.next().await.unwrap().is_some());
    let stopping = tokio::spawn(server.shutdown(BOUND));
    // The call goes on while the server leaves, and its end lets the server go.
    for number in 0..10 {
        requests.send(Echo::number(number)).await.unwrap();
        assert_eq!(replies.next().await.unwrap().unwrap().number, number);
        assert!(!stopping.is_finished());
    }
    requests.finish();
    assert_eq!(replies.next().await.unwrap(), None);
    let report = timeout(BOUND, stopping).await.unwrap().unwrap();
    assert_eq!((report.calls_cut, report.connections_cut), (0, 0));
}

#[tokio::test]
async fn a_given_stream_is_cut_when_the_grace_is_over_and_when_the_server_is_dropped() {
    for is_dropped in [false, true] {
        let server = echoes().start().await.unwrap();
        let (near, far) = duplex(4_000);
        server.serve_stream(plain(far));
        let stub = connected_by(Once::new(near));
        let (mut requests, mut replies) = stub.chat().start();
        requests.send(Echo::number(1)).await.unwrap();
        assert!(replies.next().await.unwrap().is_some());
        if is_dropped {
            drop(server);
        } else {
            let report = server.shutdown(Duration::from_millis(50));
            let report = timeout(BOUND, report).await.unwrap();
            assert_eq!((report.calls_cut, report.connections_cut), (1, 1));
        }
        let status = timeout(BOUND, replies.next()).await.unwrap().unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status}");
    }
}

#[tokio::test]
async fn a_given_stream_that_says_nothing_is_closed() {
    let mut options = Http2Options::default();
    options.handshake_timeout = Duration::from_secs(1);
    let limit = options.handshake_timeout;
    let server = echoes().http2(options).start().await.unwrap();
    let (mut near, far) = duplex(4_000);
    let began = Instant::now();
    server.serve_stream(far);
    let mut bytes = Vec::new();
    let read = near.read_to_end(&mut bytes);
    timeout(BOUND, read).await.unwrap().unwrap();
    assert!(began.elapsed() >= limit, "it had no time");
    // SETTINGS, and the GOAWAY that says why.
    assert_eq!(bytes.get(3), Some(&4), "{bytes:?}");
}

#[test]
fn streams_are_given_from_threads_without_a_runtime() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let server = runtime.block_on(echoes().start()).unwrap();
    let (near, far) = duplex(4_000);
    server.serve_stream(far);
    let stub = connected_by(Once::new(near));
    let call = stub.unary(Echo::text("hi")).timeout(BOUND);
    assert_eq!(call.wait().unwrap().text, "hi");
}

/// The two ends of a TCP connection.
async fn tcp() -> (tokio::net::TcpStream, tokio::net::TcpStream) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let near = tokio::net::TcpStream::connect(address).await.unwrap();
    let (far, _) = listener.accept().await.unwrap();
    (near, far)
}

#[tokio::test]
async fn given_sockets_say_where_they_lead_and_do_not_delay() {
    let delays = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&delays);
    let server = Server::builder()
        .add_service(service(Where))
        .on_accept(move |incoming| {
            let tcp = incoming.tcp().unwrap();
            seen.lock().unwrap().push(tcp.nodelay().unwrap());
            true
        })
        .listen_nowhere()
        .start()
        .await
        .unwrap();
    let (near, far) = tcp().await;
    let address = PeerAddress::Tcp(near.local_addr().unwrap());
    assert!(!far.nodelay().unwrap(), "the system sets it by itself");
    server.serve_stream(far);
    let reply = connected_by(Once::new(near)).unary(Echo::default()).await;
    assert_eq!(reply.unwrap().text, format!("{address:?}"));
    assert_eq!(*delays.lock().unwrap(), [true]);
}

// --- what is asked ---------------------------------------------------------------------

/// Whether the server closed the connection without a word.
async fn is_refused(address: &str) -> bool {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut first = [0];
    let read = timeout(BOUND, stream.read(&mut first)).await.unwrap();
    !matches!(read, Ok(1))
}

#[tokio::test]
async fn connections_are_asked_about_before_they_are_served() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let is_second = AtomicUsize::new(0);
    let server = echoes()
        .on_accept(move |incoming: &Incoming<'_>| {
            let local = incoming.tcp().unwrap().local_addr().unwrap();
            let place = incoming.peer().clone();
            seen.lock().unwrap().push((local.to_string(), place));
            is_second.fetch_add(1, Ordering::Relaxed) == 1
        })
        .listen("127.0.0.1:0")
        .start()
        .await
        .unwrap();
    let address = server.addresses()[0].clone();
    assert!(is_refused(&address).await);
    assert!(!is_refused(&address).await);
    assert!(is_refused(&address).await);
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 3);
    for (local, peer) in asked.iter() {
        assert_eq!(*local, address);
        assert!(
            matches!(peer, PeerAddress::Tcp(peer) if peer.ip().is_loopback()),
            "{peer}"
        );
    }
}

#[tokio::test]
async fn all_are_asked_until_one_refuses_and_given_streams_too() {
    let (first, second) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (seen_first, seen_second) = (Arc::clone(&first), Arc::clone(&second));
    let server = echoes()
        .on_accept(move |incoming| {
            seen_first.fetch_add(1, Ordering::Relaxed);
            incoming.peer().to_string() != "a stranger"
        })
        .on_accept(move |_| {
            seen_second.fetch_add(1, Ordering::Relaxed);
            true
        })
        .listen_nowhere()
        .start()
        .await
        .unwrap();
    let (mut near, far) = duplex(4_000);
    server.serve_stream(ByteStream::new(far, "a stranger"));
    let read = timeout(BOUND, near.read_u8()).await.unwrap();
    assert!(read.is_err(), "it is closed without a word");
    let (near, far) = duplex(4_000);
    server.serve_stream(ByteStream::new(far, "a friend"));
    let stub = connected_by(Once::new(near));
    stub.unary(Echo::text("hi")).await.unwrap();
    assert_eq!(first.load(Ordering::Relaxed), 2);
    assert_eq!(second.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_panic_refuses_one_connection_and_the_server_goes_on_accepting() {
    let panics = AtomicUsize::new(0);
    let server = echoes()
        .on_accept(move |_| {
            let is_first = panics.fetch_add(1, Ordering::Relaxed) == 0;
            assert!(!is_first, "this panic is part of a test");
            true
        })
        .listen("127.0.0.1:0")
        .start()
        .await
        .unwrap();
    let address = &server.addresses()[0];
    assert!(is_refused(address).await);
    let stub = EchoStub(Channel::insecure(address).unwrap());
    let call = stub.unary(Echo::text("hi")).into_future();
    assert_eq!(timeout(BOUND, call).await.unwrap().unwrap().text, "hi");
    let report = timeout(BOUND, server.shutdown(BOUND)).await.unwrap();
    assert_eq!(report.connections_cut, 0);
}

// --- sockets that others bound ---------------------------------------------------------

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::net::UnixListener;

    use crate::calls::all_kinds;
    use grpc_runtime::ServerCredentials;

    #[tokio::test]
    async fn an_inherited_unix_socket_is_served_and_its_file_stays() {
        let name = format!("grpc-inherited-{}.sock", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).unwrap();
        let again = listener.try_clone().unwrap();
        let server = echoes()
            .listen_on(listener, ServerCredentials::insecure())
            .on_accept(|incoming| {
                let is_unix = incoming.unix().unwrap().peer_cred().is_ok();
                is_unix && incoming.tcp().is_none() && *incoming.peer() == PeerAddress::Unix
            })
            .start()
            .await
            .unwrap();
        let address = format!("unix:{}", path.display());
        assert_eq!(server.addresses(), std::slice::from_ref(&address));
        let stub = EchoStub(Channel::insecure(&address).unwrap());
        all_kinds(&stub).await;
        server.shutdown(BOUND).await;

        // Whoever bound it passes it on to the next one.
        let _server = echoes()
            .listen_on(again, ServerCredentials::insecure())
            .start()
            .await
            .unwrap();
        let call = stub.unary(Echo::text("hi")).wait_for_ready();
        timeout(BOUND, call.into_future()).await.unwrap().unwrap();
        std::fs::remove_file(&path).unwrap();
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn an_inherited_socket_with_an_abstract_name_is_served() {
        use std::os::linux::net::SocketAddrExt;
        let name = format!("grpc-inherited-{}", std::process::id());
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixListener::bind_addr(&address).unwrap();
        let server = echoes()
            .listen_on(listener, ServerCredentials::insecure())
            .start()
            .await
            .unwrap();
        assert_eq!(server.addresses(), [format!("unix-abstract:{name}")]);
        let stub = EchoStub(Channel::insecure(&server.addresses()[0]).unwrap());
        all_kinds(&stub).await;
    }

    #[tokio::test]
    async fn one_half_of_a_socket_pair_is_served() {
        let server = Server::builder().add_service(service(Where));
        let server = server.listen_nowhere().start().await.unwrap();
        let (near, far) = tokio::net::UnixStream::pair().unwrap();
        server.serve_stream(far);
        let reply = connected_by(Once::new(near)).unary(Echo::default()).await;
        assert_eq!(reply.unwrap().text, format!("{:?}", PeerAddress::Unix));
    }
}
