//! What is sent and received through TLS.

use std::future::IntoFuture;

use super::certificates::Authority;
use super::{BOUND, serve, stub};
use crate::calls::{Echoes, all_kinds};
use crate::support::{Echo, EchoStub, service};
use grpc_runtime::{Channel, ChannelCredentials, Server};
use tokio::time::timeout;

async fn echoes(authority: &Authority) -> Server {
    serve(service(Echoes), authority.server().build().unwrap()).await
}

#[tokio::test]
async fn all_kinds_over_tls() {
    let authority = Authority::new();
    let server = echoes(&authority).await;
    all_kinds(&stub(&server, authority.client().build().unwrap())).await;
}

#[cfg(unix)]
#[tokio::test]
async fn all_kinds_over_tls_on_a_unix_socket() {
    let authority = Authority::new();
    let path = std::env::temp_dir().join(format!("grpc-runtime-tls-{}", std::process::id()));
    let target = format!("unix:{}", path.display());
    let _server = Server::builder()
        .add_service(service(Echoes))
        .listen_with(&target, authority.server().build().unwrap())
        .start()
        .await
        .unwrap();
    // A socket without a host: its server is "localhost".
    let channel = Channel::new(&target, authority.client().build().unwrap()).unwrap();
    all_kinds(&EchoStub(channel)).await;
}

#[test]
fn calls_block_on_a_thread_without_a_runtime() {
    let authority = Authority::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(echoes(&authority));
    let stub = stub(&server, authority.client().build().unwrap());
    assert_eq!(stub.unary(Echo::text("hi")).wait().unwrap().text, "hi");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_messages_go_both_ways_at_once() {
    let authority = Authority::new();
    let server = echoes(&authority).await;
    let stub = stub(&server, authority.client().build().unwrap());
    let calls: Vec<_> = (0..16)
        .map(|number| {
            let mut data = vec![0; 1 << 20];
            for (place, byte) in data.iter_mut().enumerate() {
                *byte = (place * 31 + number) as u8;
            }
            let request = Echo {
                data,
                ..Echo::default()
            };
            let call = stub.unary(request.clone()).into_future();
            tokio::spawn(async move { assert!(call.await.unwrap() == request) })
        })
        .collect();
    for call in calls {
        timeout(BOUND, call).await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_stream_passes_records_that_its_reader_is_too_slow_for() {
    let authority = Authority::new();
    let server = echoes(&authority).await;
    let stub = stub(&server, authority.client().build().unwrap());
    let (mut requests, mut replies) = stub.chat().start();
    let sends = tokio::spawn(async move {
        for number in 0..400 {
            let request = Echo {
                number,
                ..Echo::data(50_000)
            };
            requests.send(request).await.unwrap();
        }
        requests.finish();
    });
    let reads = async {
        for number in 0..400 {
            if number % 100 == 0 {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            let reply = replies.next().await.unwrap().unwrap();
            assert_eq!((reply.number, reply.data.len()), (number, 50_000));
        }
        assert_eq!(replies.next().await.unwrap(), None);
    };
    timeout(BOUND, reads).await.unwrap();
    sends.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_small_calls_share_a_connection() {
    let authority = Authority::new();
    let server = echoes(&authority).await;
    let stub = stub(&server, authority.client().build().unwrap());
    let calls: Vec<_> = (0..2_000)
        .map(|number| {
            let call = stub.unary(Echo::number(number)).into_future();
            tokio::spawn(async move { assert_eq!(call.await.unwrap().number, number) })
        })
        .collect();
    for call in calls {
        timeout(BOUND, call).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_server_has_addresses_with_tls_and_without() {
    let authority = Authority::new();
    let server = Server::builder()
        .add_service(service(Echoes))
        .listen("127.0.0.1:0")
        .listen_with("127.0.0.1:0", authority.server().build().unwrap())
        .start()
        .await
        .unwrap();
    let credentials = [
        ChannelCredentials::insecure(),
        authority.client().build().unwrap(),
    ];
    for (address, credentials) in server.addresses().iter().zip(credentials) {
        let stub = EchoStub(Channel::new(address, credentials).unwrap());
        assert_eq!(stub.unary(Echo::text("hi")).await.unwrap().text, "hi");
    }
}

#[tokio::test]
async fn a_shutdown_lets_calls_over_tls_finish() {
    let authority = Authority::new();
    let server = echoes(&authority).await;
    let stub = stub(&server, authority.client().build().unwrap());
    let (mut requests, mut replies) = stub.chat().start();
    requests.send(Echo::number(1)).await.unwrap();
    replies.next().await.unwrap();
    let shutdown = tokio::spawn(server.shutdown(BOUND));
    requests.send(Echo::number(2)).await.unwrap();
    assert_eq!(replies.next().await.unwrap().unwrap().number, 2);
    requests.finish();
    assert_eq!(replies.next().await.unwrap(), None);
    let report = timeout(BOUND, shutdown).await.unwrap().unwrap();
    assert_eq!((report.calls_cut, report.connections_cut), (0, 0));
}
