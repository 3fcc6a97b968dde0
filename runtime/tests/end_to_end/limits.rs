//! Limits of connections over TCP: who is let in, who is not, and who hears of it.

use std::future::IntoFuture;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use grpc_runtime::{Channel, ConnectionStep, FailedConnection, Observer, Server, ServerLimits};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::calls::Echoes;
use crate::support::{Echo, EchoStub, service};

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);

/// Why connections were refused at the door.
#[derive(Clone, Default)]
pub(crate) struct Refused(Arc<Mutex<Vec<String>>>);

impl Observer for Refused {
    fn connection_failed(&self, failed: &FailedConnection<'_>) {
        if failed.step() == ConnectionStep::Admission {
            self.0.lock().unwrap().push(failed.reason().to_owned());
        }
    }
}

impl Refused {
    pub(crate) fn reasons(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Whether the server closes the connection before it says anything.
pub(crate) async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    match timeout(BOUND, stream.read(&mut byte)).await.unwrap() {
        Ok(bytes) => bytes == 0,
        Err(_reset) => true,
    }
}

#[tokio::test]
async fn a_flood_of_connections_is_closed_at_the_door_while_calls_go_on() {
    for (limits, reason) in [
        (
            ServerLimits::new().connections(4),
            "ServerLimits::connections)",
        ),
        (
            ServerLimits::new().connections_per_peer(4),
            "ServerLimits::connections_per_peer)",
        ),
    ] {
        let refused = Refused::default();
        let server = Server::builder()
            .add_service(service(Echoes))
            .observe(refused.clone())
            .limits(limits)
            .listen("127.0.0.1:0");
        let server = server.start().await.unwrap();
        let address = server.addresses()[0].clone();
        let victim = EchoStub(Channel::insecure(&address).unwrap());
        victim.unary(Echo::default()).await.unwrap();
        let mut open = Vec::new();
        for count in 0..50 {
            let mut stream = TcpStream::connect(&address).await.unwrap();
            // Of those let in the first byte is that of SETTINGS.
            assert_eq!(is_closed(&mut stream).await, count >= 3, "{count}");
            open.push(stream);
            let call = timeout(BOUND, victim.unary(Echo::number(7)).into_future());
            assert_eq!(call.await.unwrap().unwrap().number, 7);
        }
        let reasons = refused.reasons();
        assert_eq!(reasons.len(), 47);
        assert!(
            reasons.iter().all(|told| told.ends_with(reason)),
            "{reasons:?}"
        );
        // Places that were left are others'.
        drop(open);
        let others: Vec<_> = (0..3)
            .map(|_| EchoStub(Channel::insecure(&address).unwrap()))
            .collect();
        for other in &others {
            let call = other.unary(Echo::default()).wait_for_ready().timeout(BOUND);
            call.await.unwrap();
        }
    }
}
