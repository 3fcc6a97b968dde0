//! Connections whose TLS shakes hands count as connections.

use std::future::IntoFuture;
use std::time::Duration;

use grpc_runtime::{Http2Options, Server, ServerLimits};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::certificates::Authority;
use super::{BOUND, Who, stub};
use crate::limits::{Refused, is_closed};
use crate::support::{Echo, service};

#[tokio::test]
async fn handshakes_that_never_end_hold_the_places_of_connections_for_a_while() {
    let authority = Authority::new();
    let refused = Refused::default();
    let mut options = Http2Options::default();
    options.handshake_timeout = Duration::from_secs(1);
    let server = Server::builder()
        .add_service(service(Who))
        .observe(refused.clone())
        .limits(ServerLimits::new().connections_per_peer(3))
        .listen_with("127.0.0.1:0", authority.server().build().unwrap())
        .http2(options)
        .start()
        .await
        .unwrap();
    let victim = stub(&server, authority.client().build().unwrap());
    victim.unary(Echo::default()).await.unwrap();
    let mut silent = Vec::new();
    for _ in 0..2 {
        silent.push(TcpStream::connect(&server.addresses()[0]).await.unwrap());
    }
    for count in 1..20 {
        let mut stream = TcpStream::connect(&server.addresses()[0]).await.unwrap();
        assert!(is_closed(&mut stream).await);
        assert_eq!(refused.reasons().len(), count);
        let call = timeout(BOUND, victim.unary(Echo::default()).into_future());
        call.await.unwrap().unwrap();
    }
    for stream in &mut silent {
        assert!(is_closed(stream).await);
    }
    let friend = stub(&server, authority.client().build().unwrap());
    let call = friend
        .unary(Echo::default())
        .wait_for_ready()
        .timeout(BOUND);
    call.await.unwrap();
}
