//! Channels through an HTTP proxy.

use std::time::Duration;

use grpc_runtime::{Channel, ChannelCredentials, Code, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::calls::Echoes;
use crate::support::{Echo, EchoStub, service};

/// A proxy, and where it was asked to go.
async fn proxy() -> (String, UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (asked, receiver) = unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            let asked = asked.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(near.read_u8().await.unwrap());
                }
                let head = String::from_utf8(head).unwrap();
                let target = head.split(' ').nth(1).unwrap().to_owned();
                let far = TcpStream::connect(&target).await;
                let _ = asked.send(target);
                let Ok(mut far) = far else {
                    let _ = near.write_all(b"HTTP/1.1 502 Nobody there\r\n\r\n").await;
                    return;
                };
                near.write_all(b"HTTP/1.1 200 Here you are\r\n\r\n")
                    .await
                    .unwrap();
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    (format!("http://{address}"), receiver)
}

fn through(proxy: &str, target: &str) -> EchoStub {
    let builder = Channel::builder(target).unwrap().proxy(proxy).unwrap();
    EchoStub(builder.build(ChannelCredentials::insecure()).unwrap())
}

#[tokio::test]
async fn calls_go_through_a_proxy_which_resolves_the_name() {
    let server = Server::builder().add_service(service(Echoes));
    let server = server.listen("127.0.0.1:0").start().await.unwrap();
    let port = server.addresses()[0].rsplit_once(':').unwrap().1;
    let (proxy, mut asked) = proxy().await;
    let target = format!("localhost:{port}");
    let stub = through(&proxy, &target);
    assert_eq!(stub.unary(Echo::text("hi")).await.unwrap().text, "hi");
    assert_eq!(asked.recv().await.unwrap(), target);

    let stub = through(&proxy, &format!("ipv4:{}", server.addresses()[0]));
    assert_eq!(stub.unary(Echo::text("hi")).await.unwrap().text, "hi");
    assert_eq!(asked.recv().await.unwrap(), server.addresses()[0]);
}

#[tokio::test]
async fn what_a_proxy_says_against_it_is_in_the_status() {
    let (proxy, _asked) = proxy().await;
    let stub = through(&proxy, &format!("ipv4:{}", crate::addresses::nobody()));
    let call = stub.unary(Echo::default()).timeout(Duration::from_secs(20));
    let status = call.await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    for part in ["502 Nobody there", "through the proxy 127.0.0.1:"] {
        assert!(status.message().contains(part), "{status}");
    }
}
