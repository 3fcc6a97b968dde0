//! Handshakes that fail, stall, or agree on too little.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use super::certificates::Authority;
use super::{BOUND, failure, stub, who};
use crate::support::{Echo, EchoStub, service};
use grpc_runtime::rustls::crypto::ring;
use grpc_runtime::rustls::pki_types::ServerName;
use grpc_runtime::rustls::pki_types::pem::PemObject;
use grpc_runtime::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use grpc_runtime::rustls::{ClientConfig, RootCertStore, ServerConfig};
use grpc_runtime::{Channel, ChannelCredentials, Code, Http2Options, Phase, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector};

fn client_config(authority: &Authority) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(authority.roots().as_bytes()).unwrap();
    roots.add(root).unwrap();
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

pub(super) fn server_config(authority: &Authority) -> ServerConfig {
    let identity = authority.issue(&["localhost", "127.0.0.1"]);
    let chain = CertificateDer::from_pem_slice(identity.chain.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .unwrap()
}

#[tokio::test]
async fn a_plain_client_is_told_that_the_server_speaks_tls() {
    let server = who(Authority::new().server().build().unwrap()).await;
    let status = failure(&stub(&server, ChannelCredentials::insecure())).await;
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("TLS"), "{status}");
    assert!(
        status.message().contains(&server.addresses()[0]),
        "{status}"
    );
}

#[tokio::test]
async fn a_tls_client_is_told_that_the_server_does_not_speak_tls() {
    let server = who(grpc_runtime::ServerCredentials::insecure()).await;
    let status = failure(&stub(&server, Authority::new().client().build().unwrap())).await;
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.phase(), Some(Phase::Handshake));
    let expected = format!("TLS with {}: ", server.addresses()[0]);
    assert!(status.message().starts_with(&expected), "{status}");
    assert!(status.message().contains("does not speak TLS"), "{status}");
    assert!(std::error::Error::source(&status).is_some());
}

#[tokio::test]
async fn a_server_that_hangs_up_in_the_handshake_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let closes = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_u8().await.unwrap();
        stream.shutdown().await.unwrap();
        // The client hangs up, too: with a reset where it has not read all.
        let read = stream.read_to_end(&mut Vec::new()).await;
        assert!(read.is_ok() || read.unwrap_err().kind() == ErrorKind::ConnectionReset);
    });
    let credentials = Authority::new().client().build().unwrap();
    let channel = Channel::new(&address, credentials).unwrap();
    let status = failure(&EchoStub(channel)).await;
    assert_eq!(status.code(), Code::Unavailable);
    assert!(
        status.message().contains("closed during the handshake"),
        "{status}"
    );
    closes.await.unwrap();
}

#[tokio::test]
async fn a_stuck_handshake_ends_with_the_calls_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let credentials = Authority::new().client().build().unwrap();
    let stub = EchoStub(Channel::new(&address, credentials).unwrap());
    let call = stub
        .unary(Echo::text("hi"))
        .timeout(Duration::from_millis(200));
    let (status, _stuck) = tokio::join!(
        std::future::IntoFuture::into_future(call),
        listener.accept()
    );
    assert_eq!(status.unwrap_err().code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_stuck_handshake_ends_with_the_connect_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let credentials = Authority::new().client().build().unwrap();
    let stub = EchoStub(Channel::new(&address, credentials).unwrap());
    let call = tokio::spawn(std::future::IntoFuture::into_future(
        stub.unary(Echo::text("hi")),
    ));
    let (mut stuck, _) = listener.accept().await.unwrap();
    // The handshake is under way; from here on time costs nothing.
    stuck.read_u8().await.unwrap();
    tokio::time::pause();
    let status = call.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(
        status.message(),
        format!("TLS with {address}: no answer within 20s")
    );
}

/// Clients that never finish their handshake hold up nobody, and are cut.
#[tokio::test]
async fn slow_handshakes_hold_up_nobody_and_are_cut() {
    let authority = Authority::new();
    let mut options = Http2Options::default();
    options.handshake_timeout = Duration::from_millis(1_500);
    let server = Server::builder()
        .add_service(service(super::Who))
        .listen_with("127.0.0.1:0", authority.server().build().unwrap())
        .http2(options)
        .start()
        .await
        .unwrap();
    let mut slow = Vec::new();
    for length in 0..30 {
        let mut stream = TcpStream::connect(&server.addresses()[0]).await.unwrap();
        // The head of a record that never becomes whole.
        let begun = [22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
        stream.write_all(&begun[..length % 11]).await.unwrap();
        slow.push(stream);
    }
    let stub = stub(&server, authority.client().build().unwrap());
    let call = std::future::IntoFuture::into_future(stub.unary(Echo::text("hi")));
    timeout(BOUND, call).await.unwrap().unwrap();
    for mut stream in slow {
        let read = timeout(BOUND, stream.read_to_end(&mut Vec::new())).await;
        let read = read.unwrap();
        assert!(read.is_ok() || read.unwrap_err().kind() == ErrorKind::ConnectionReset);
    }
    // What was cut leaves nothing behind that a shutdown would wait for.
    let shutdown = timeout(BOUND, server.shutdown(Duration::ZERO))
        .await
        .unwrap();
    assert_eq!(shutdown.calls_cut, 0);
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_handshakes() {
    let server = who(Authority::new().server().build().unwrap()).await;
    let mut stream = TcpStream::connect(&server.addresses()[0]).await.unwrap();
    stream.write_all(&[22, 3, 1]).await.unwrap();
    let report = timeout(BOUND, server.shutdown(2 * BOUND)).await.unwrap();
    assert_eq!(report.connections_cut, 0);
    let mut byte = [0];
    let read = timeout(BOUND, stream.read(&mut byte)).await.unwrap();
    let is_closed = match &read {
        Ok(bytes) => *bytes == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    };
    assert!(is_closed, "{read:?}");
}

#[tokio::test]
async fn a_server_that_does_not_agree_on_http2_is_told_apart() {
    let authority = Authority::new();
    let offers: [&[&[u8]]; 2] = [&[], &[b"http/1.1"]];
    for offer in offers {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut config = server_config(&authority);
        config.alpn_protocols = offer.iter().map(|name| name.to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let accepts = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.read_to_end(&mut Vec::new()).await;
            }
        });
        let channel = Channel::new(&address, authority.client().build().unwrap()).unwrap();
        let status = failure(&EchoStub(channel)).await;
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(status.phase(), Some(Phase::Handshake));
        assert!(status.message().contains("HTTP/2"), "{status}");
        accepts.await.unwrap();
    }
}

#[tokio::test]
async fn a_client_that_does_not_agree_on_http2_gets_nothing() {
    let authority = Authority::new();
    let server = who(authority.server().build().unwrap()).await;
    let offers: [&[&[u8]]; 2] = [&[], &[b"http/1.1"]];
    for offer in offers {
        let mut config = client_config(&authority);
        config.alpn_protocols = offer.iter().map(|name| name.to_vec()).collect();
        let stream = TcpStream::connect(&server.addresses()[0]).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connected = TlsConnector::from(Arc::new(config)).connect(name, stream);
        if let Ok(mut stream) = timeout(BOUND, connected).await.unwrap() {
            let mut bytes = Vec::new();
            // It is closed, with or without TLS' farewell.
            let read = timeout(BOUND, stream.read_to_end(&mut bytes)).await;
            if let Err(error) = read.unwrap() {
                let kinds = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset];
                let is_closed = kinds.contains(&error.kind());
                assert!(is_closed || error.get_ref().is_some(), "{error:?}");
            }
            assert!(bytes.is_empty(), "{bytes:?}");
        }
    }
}

/// HTTP/2 tells by itself what is complete: that TLS' own farewell is missing is
/// no error beside the end of the connection.
#[tokio::test]
async fn a_connection_cut_without_close_notify_is_one_that_ended() {
    let authority = Authority::new();
    let server = who(authority.server().build().unwrap()).await;
    // Between the two: passes bytes on, and then closes both sides as sockets.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = listener.local_addr().unwrap().to_string();
    let target = server.addresses()[0].clone();
    let (cut, mut cuts) = tokio::sync::mpsc::channel::<()>(1);
    tokio::spawn(async move {
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            let mut far = TcpStream::connect(&target).await.unwrap();
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                _ = cuts.recv() => {}
            }
        }
    });
    let stub = EchoStub(Channel::new(&proxy, authority.client().build().unwrap()).unwrap());
    for _ in 0..3 {
        // Until the channel has seen the end, a call can run into it.
        while let Err(status) = stub.unary(Echo::text("hi")).timeout(BOUND).await {
            assert_eq!(status.code(), Code::Unavailable, "{status}");
            assert!(!status.message().contains("close_notify"), "{status}");
        }
        cut.send(()).await.unwrap();
    }
}

#[tokio::test]
async fn rustls_configurations_of_ones_own_are_used() {
    let authority = Authority::new();
    let mut server = server_config(&authority);
    server.alpn_protocols = vec![b"replaced".to_vec()];
    let server = who(grpc_runtime::ServerCredentials::rustls(server)).await;
    let client = Arc::new(client_config(&authority));
    let stub = stub(&server, ChannelCredentials::rustls(client));
    stub.unary(Echo::text("hi")).await.unwrap();

    // It is the configuration that decides whom to trust.
    let stranger = client_config(&Authority::new());
    let status = failure(&super::stub(&server, ChannelCredentials::rustls(stranger))).await;
    assert!(status.message().contains("UnknownIssuer"), "{status}");
}

/// A certificate is chosen for each handshake, so a resolver reloads it.
#[tokio::test]
async fn a_resolver_changes_the_servers_certificate_while_it_runs() {
    use grpc_runtime::rustls::server::{ClientHello, ResolvesServerCert};
    use grpc_runtime::rustls::sign::CertifiedKey;
    use std::sync::Mutex;

    #[derive(Debug)]
    struct Current(Mutex<Arc<CertifiedKey>>);

    impl ResolvesServerCert for Current {
        fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
            Some(Arc::clone(&self.0.lock().unwrap()))
        }
    }

    fn certified(authority: &Authority) -> Arc<CertifiedKey> {
        let identity = authority.issue(&["127.0.0.1"]);
        let chain = CertificateDer::from_pem_slice(identity.chain.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
        let provider = ring::default_provider();
        Arc::new(CertifiedKey::from_der(vec![chain], key, &provider).unwrap())
    }

    let (old, new) = (Authority::new(), Authority::new());
    let current = Arc::new(Current(Mutex::new(certified(&old))));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(&current) as _);
    let server = who(grpc_runtime::ServerCredentials::rustls(config)).await;
    let before = stub(&server, old.client().build().unwrap());
    before.unary(Echo::text("hi")).await.unwrap();

    *current.0.lock().unwrap() = certified(&new);
    let after = stub(&server, new.client().build().unwrap());
    after.unary(Echo::text("hi")).await.unwrap();
    before.unary(Echo::text("still connected")).await.unwrap();
    failure(&stub(&server, old.client().build().unwrap())).await;
}
